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
theta are one. The controlled figure is then None rather than the prior's guess.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from ralign.metrics.intervals import Floats, Interval, interval

PRIOR_DEVIATION = 3.0
"""Of each feature's effect, in log-odds for a feature of 1 (a standard deviation)."""

_STEPS = 50
_LARGEST_STEP = 2.0
# Log-odds. All won is theta = infinity; at 30 it is 1 to thirteen decimals.
_LARGEST = 30.0
# Weights held at a time: 16 MB.
_CHUNK = 2_000_000
_COLLINEAR = 1e-6


class WinRate(NamedTuple):
    """A win rate, raw or controlled."""

    rate: Interval
    effects: tuple[float, ...] = ()
    """Of each feature, in log-odds for a standard deviation; none for the raw one."""


def win_rate(outcomes: Floats, *, resamples: int, rng: np.random.Generator) -> WinRate | None:
    """The mean outcome with its interval; None without prompts."""
    if not len(outcomes):
        return None
    samples = np.concatenate([weights @ outcomes for weights in _resampled(len(outcomes), resamples, rng)])
    rate = interval(float(outcomes.mean()), samples / len(outcomes))
    return None if rate is None else WinRate(rate)


def controlled_win_rate(
    outcomes: Floats, features: Floats, *, missing_as_loss: int = 0, resamples: int, rng: np.random.Generator
) -> WinRate | None:
    """The win rate where all features are zero, with its interval; None where the data cannot say.

    Args:
        outcomes: (prompts,), 0 to 1.
        features: (prompts, features), zero where two answers are alike.
        missing_as_loss: prompts lost without an answer: lost at any length, so they scale what the regression says.
        resamples: of the prompts; each is fitted anew.
        rng: draws them.
    """
    prompts = len(outcomes)
    if not prompts or not _identified(features):
        return None
    everyone = fit(outcomes, features, np.ones((1, prompts)))
    every_prompt = prompts + missing_as_loss
    answered = prompts / every_prompt
    # How many of a resample have an answer is drawn as well.
    answered_samples = rng.binomial(every_prompt, answered, size=resamples) / every_prompt
    # Each fit begins at that of all prompts, which is near: two or three steps rather than ten.
    samples = [
        expit(fit(outcomes, features, weights, start=everyone[0])[:, 0])
        for weights in _resampled(prompts, resamples, rng)
    ]
    rate = interval(float(expit(everyone[0, 0])) * answered, np.concatenate(samples) * answered_samples)
    return None if rate is None else WinRate(rate, tuple(everyone[0, 1:].tolist()))


def fit(outcomes: Floats, features: Floats, weights: Floats, *, start: Floats | None = None) -> Floats:
    """Fit the regression by Newton's method, once for each row of weights.

    Args:
        outcomes: (prompts,), 0 to 1.
        features: (prompts, features).
        weights: (fits, prompts): how often each prompt counts.
        start: (1 + features,): coefficients to begin with.

    Returns:
        (fits, 1 + features): theta, then phi.
    """
    x = np.column_stack([np.ones(len(outcomes)), features])
    count = x.shape[1]
    products = (x[:, :, None] * x[:, None, :]).reshape(len(x), count * count)
    # No prior on theta: shrunk towards 0, every policy's win rate would be drawn towards a half.
    precision = np.full(count, PRIOR_DEVIATION**-2)
    precision[0] = 0.0
    found = np.tile(np.zeros(count) if start is None else start, (len(weights), 1))
    for _ in range(_STEPS):
        expected = expit(found @ x.T)
        slope = (weights * (outcomes - expected)) @ x - precision * found
        curvature = ((weights * expected * (1 - expected)) @ products).reshape(-1, count, count)
        # The last term: where all are won, nothing bends, and a step of any size is right.
        step = np.linalg.solve(curvature + np.diag(precision + 1e-9), slope[..., None])[..., 0]
        # Far from the optimum a whole Newton step may overshoot for good.
        step *= np.minimum(1.0, _LARGEST_STEP / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-12))
        moved = np.clip(found + step, -_LARGEST, _LARGEST)
        done = np.abs(moved - found).max() < 1e-8
        found = moved
        if done:
            break
    return found


def _identified(features: Floats) -> bool:
    """Whether every feature can be told from theta: one that is the same on all prompts, and not zero, cannot."""
    # Where all are alike there is nothing to tell apart, and the raw win rate is the controlled one.
    if not features.any():
        return True
    varying = features[:, features.any(axis=0)]
    centred = varying - varying.mean(axis=0)
    return bool((np.linalg.norm(centred, axis=0) > _COLLINEAR * np.linalg.norm(varying, axis=0)).all())


def _resampled(prompts: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each prompt is drawn, in chunks of (some resamples, prompts)."""
    size = max(1, _CHUNK // prompts)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = rng.integers(prompts, size=(rows, prompts))
        # Each row counts in a range of its own, so that one bincount does for the chunk.
        drawn += np.arange(rows)[:, None] * prompts
        yield np.bincount(drawn.ravel(), minlength=rows * prompts).reshape(rows, prompts).astype(np.float64)
