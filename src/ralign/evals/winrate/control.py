"""How often one side wins, with 95 % intervals over prompts; and how often it would, were both alike in length.

Comes in: an outcome for each prompt (1 won, 0.5 the orders disagree, 0 lost) and features of how the two answers
differ. Goes out: the win rate, and the win rate that a logistic regression expects where every feature is zero:

    logit P(win) = theta + phi . x,    controlled win rate = 1 / (1 + exp(-theta))

This is AlpacaEval 2's length-controlled win rate (Dubois, Galambosi, Liang and Hashimoto, arXiv 2404.04475, section 3)
and Arena-Hard's style control for one model against one baseline: with two players, a Bradley-Terry model with
features is this regression. What we leave out and do otherwise:

- AlpacaEval adds a difficulty of each instruction, fitted beforehand on many models' outputs for its own 805
  instructions. On other prompts there is none.
- AlpacaEval restrains phi by a cross-validated L1 penalty and outputs of two models that gamed it; here a normal prior
  with deviation 3 on each phi, worth little against a hundred prompts, keeps it finite where length alone tells wins
  from losses. theta has none: were it shrunk, so would every policy's win rate be, towards a half.
- An outcome of 0.5 enters as it is (quasi-likelihood), as AlpacaEval's graded preferences do.

Where every answer is longer by about as much, nothing in the data says what equal length would do: the difference and
theta are one. The controlled figure is then None rather than the prior's guess, and so it is below 30 prompts.

Its interval is the regression's own, with a sandwich variance (HC3; MacKinnon and White 1985, J. Econometrics 29:305),
since ties are neither wins nor losses and length does not say it all.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import expit

from ralign.metrics.intervals import Floats, Interval, Share, product

PRIOR_DEVIATION = 3.0
"""Of each feature's effect, in log-odds for a feature of 1 (a standard deviation)."""

FEWEST_PROMPTS = 30
"""For a controlled win rate: with fewer, its interval would hold the truth less often than it says."""

_ORDERS = 2
_STEPS = 50
_LARGEST_STEP = 2.0
# Log-odds. All won is theta = infinity; at 30 it is 1 to thirteen decimals.
_LARGEST = 30.0
_COLLINEAR = 1e-6


class WinRate(NamedTuple):
    """A win rate, raw or controlled."""

    rate: Interval
    effects: tuple[float, ...] = ()
    """Of each feature, in log-odds for a standard deviation; none for the raw one."""


def win_rate(outcomes: Floats) -> WinRate | None:
    """The mean outcome with its interval; None without prompts."""
    rate = Share(outcomes, np.ones_like(outcomes), float(_ORDERS * len(outcomes))).interval()
    return None if rate is None else WinRate(rate)


def controlled_win_rate(outcomes: Floats, features: Floats, *, missing_as_loss: int = 0) -> WinRate | None:
    """The win rate where all features are zero, with its interval; None where the data cannot say.

    Args:
        outcomes: (prompts,), 0 to 1.
        features: (prompts, features), zero where two answers are alike.
        missing_as_loss: prompts lost without an answer: lost at any length, so they scale what the regression says.
    """
    prompts = len(outcomes)
    if prompts < FEWEST_PROMPTS or not _identified(features):
        return None
    found, curvature = fit(outcomes, features)
    raw = win_rate(outcomes)
    if raw is not None and np.ptp(outcomes) == 0:
        # No residual, so no variance: what is known is how many prompts were alike.
        rate = raw.rate
    else:
        rate = _interval(outcomes, features, found, curvature)
    answered = Share(
        np.repeat([1.0, 0.0], [prompts, missing_as_loss]),
        np.ones(prompts + missing_as_loss),
        float(prompts + missing_as_loss),
        simple=True,
    ).interval()
    if missing_as_loss and answered is not None:
        rate = product(rate, answered)
    return WinRate(rate, tuple(found[1:].tolist()))


def fit(outcomes: Floats, features: Floats) -> tuple[Floats, Floats]:
    """Fit the regression by Newton's method.

    Args:
        outcomes: (prompts,), 0 to 1.
        features: (prompts, features).

    Returns:
        The coefficients, theta before phi, shape (1 + features,); and the curvature there, prior included, shape
        (1 + features, 1 + features).
    """
    x = np.column_stack([np.ones(len(outcomes)), features])
    # No prior on theta: shrunk towards 0, every policy's win rate would be drawn towards a half.
    precision = np.full(x.shape[1], PRIOR_DEVIATION**-2)
    precision[0] = 0.0
    found = np.zeros(x.shape[1])
    curvature = np.diag(precision)
    for _ in range(_STEPS):
        expected = expit(x @ found)
        slope = (outcomes - expected) @ x - precision * found
        # The last term: where all are won, nothing bends, and a step of any size is right.
        curvature = (x.T * (expected * (1 - expected))) @ x + np.diag(precision + 1e-9)
        step = np.linalg.solve(curvature, slope)
        # Far from the optimum a whole Newton step may overshoot for good.
        step *= min(1.0, _LARGEST_STEP / max(float(np.abs(step).max()), 1e-12))
        moved = np.clip(found + step, -_LARGEST, _LARGEST)
        done = np.abs(moved - found).max() < 1e-8
        found = moved
        if done:
            break
    return found, curvature


def _interval(outcomes: Floats, features: Floats, found: Floats, curvature: Floats) -> Interval:
    """The win rate at theta, with theta's sandwich variance: each prompt's pull, as if it were left out."""
    x = np.column_stack([np.ones(len(outcomes)), features])
    expected = expit(x @ found)
    inverse = np.linalg.inv(curvature)
    # How far a prompt pulls the fit to itself: 1 where it alone says what a coefficient is.
    leverage = expected * (1 - expected) * np.einsum("ij,jk,ik->i", x, inverse, x)
    pull = x * ((outcomes - expected) / np.maximum(1 - leverage, 1e-6))[:, None]
    variance = float((inverse @ (pull.T @ pull) @ inverse)[0, 0])
    half = float(stats.t.ppf(0.975, len(outcomes) - x.shape[1])) * variance**0.5
    value, low, high = expit([found[0], found[0] - half, found[0] + half]).tolist()
    return Interval(value, min(low, value), max(high, value))


def _identified(features: Floats) -> bool:
    """Whether every feature can be told from theta: one that is the same on all prompts, and not zero, cannot."""
    # Where all are alike there is nothing to tell apart, and the raw win rate is the controlled one.
    if not features.any():
        return True
    varying = features[:, features.any(axis=0)]
    centred = varying - varying.mean(axis=0)
    return bool((np.linalg.norm(centred, axis=0) > _COLLINEAR * np.linalg.norm(varying, axis=0)).all())
