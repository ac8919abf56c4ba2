"""Several seeds -> what can be said: means, paired differences, and which measure of a judge predicts its policy.

Seeds are the unit here: each is a world, a base model and every judge trained from it, so judges are compared within
their seed, and so is what predicts their policies. Nothing is dropped.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, variance
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ralign.lab.measure import Split
from ralign.lab.policy_rl import PolicyWorth
from ralign.lab.results import ArmResult, SeedResult
from ralign.lab.vocabulary import DOMAINS, Domain
from ralign.metrics.correlation import FEWEST_MODELS, pearson
from ralign.metrics.paired_tests import swap_test

Floats = NDArray[np.float64]


class Spread(NamedTuple):
    """One figure over seeds."""

    mean: float
    deviation: float
    """Sample standard deviation; 0 for one seed."""
    values: tuple[float, ...]
    """By seed."""


class Estimate(NamedTuple):
    """A mean over seeds: of a difference between two judges, or of a correlation."""

    mean: float
    low: float | None
    """Of the 95 % interval, Student's t over seeds; None for one seed, and where all seeds are alike."""
    high: float | None
    p_value: float | None
    """Of the sign-flip test, which needs no normal distribution: 2^-(seeds - 1) at the least, .0625 for five."""
    values: tuple[float, ...]
    """By seed."""


FIGURES: Final = {
    "label_accuracy": "L-Acc",
    "spurious_correctness": "S-Corr",
    "fidelity_score": "F-Score",
    "hard_label_accuracy": "L-Acc, hard split",
    "adversarial_label_accuracy": "L-Acc, adversarial split",
    "quality": "policy quality",
}
"""Figure of an arm in each seed -> its title."""
# The hard split's L-Acc is F-Score's honest rival as a predictor of the policy: it needs no rationale.
MEASURES: Final[dict[str, tuple[Split, str]]] = {
    "label_accuracy": ("train", "label_accuracy"),
    "spurious_correctness": ("train", "spurious_correctness"),
    "fidelity_score": ("train", "fidelity_score"),
    "hard_label_accuracy": ("hard", "label_accuracy"),
    "adversarial_label_accuracy": ("adversarial", "label_accuracy"),
}
"""Figure of a judge -> the split it is of, and its name in a run directory's results."""


def figures(arm: ArmResult) -> dict[str, float]:
    """The figures of one arm of one seed. S-Corr is NaN where no verdict was right."""
    values = {name: getattr(arm.splits[split], measure) for name, (split, measure) in MEASURES.items()}
    values["quality"] = arm.policy.quality
    return {name: math.nan if value is None else value for name, value in values.items()}


def arms_of(results: Sequence[SeedResult]) -> dict[str, list[ArmResult]]:
    """Arm -> its results, by seed."""
    return {arm.name: [result.arms[index] for result in results] for index, arm in enumerate(results[0].arms)}


def known_mean(values: Iterable[float | None]) -> float | None:
    """Mean over the seeds that have the figure; None where none has."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return fmean(known) if known else None


def spurious_by_domain(arms: Sequence[ArmResult]) -> dict[Domain, float | None]:
    """S-Corr of one arm by what is asked for; the mean over seeds."""
    # A benchmark of a few pairs may have none of a domain.
    return {
        domain: known_mean(
            arm.by_domain[domain].spurious_correctness for arm in arms if domain in arm.by_domain
        )
        for domain in DOMAINS
    }


def quality_by_domain(worths: Sequence[PolicyWorth]) -> dict[Domain, float | None]:
    """True quality of policies by what is asked for; the mean over seeds, NaN left out."""
    return {domain: known_mean(worth.quality_by_domain[domain] for worth in worths) for domain in DOMAINS}


def by_arm(results: Sequence[SeedResult]) -> dict[str, dict[str, Spread]]:
    """Arm -> figure -> its spread over the seeds."""
    table = _table(results)
    return {arm: {name: _spread([seed[arm][name] for seed in table]) for name in FIGURES} for arm in table[0]}


def within_judge(results: Sequence[SeedResult], arm: str) -> float | None:
    """Standard deviation of policy quality over one judge's policies, pooled over seeds; None with one policy each."""
    qualities = [[each.worth.quality for each in result.policies] for result in arms_of(results)[arm]]
    if min(map(len, qualities)) < 2:
        return None
    return math.sqrt(fmean(map(variance, qualities)))


def differences(results: Sequence[SeedResult], arm: str, other: str) -> dict[str, Estimate]:
    """Figure -> `arm` minus `other`, paired by seed.

    Raises:
        KeyError: no such arm.
    """
    table = _table(results)
    return {name: over_seeds([seed[arm][name] - seed[other][name] for seed in table]) for name in FIGURES}


def over_seeds(values: Sequence[float]) -> Estimate:
    """Mean of the seeds' values, its 95 % t interval and its sign-flip p."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2 or not np.isfinite(mean):
        return Estimate(mean, None, None, None, tuple(values))
    zeros = np.zeros((len(array), 1))
    p_value = swap_test(zeros, array[:, None], lambda sums: sums[:, 0] / len(array)).p_value
    # Seeds that agree to the last digit say nothing of how far others would be off: [mean, mean] is no interval.
    if np.ptp(array) == 0:
        return Estimate(mean, None, None, p_value, tuple(values))
    # Student's t allows for having estimated the spread from so few.
    half = float(stats.t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return Estimate(mean, mean - half, mean + half, p_value, tuple(values))


class Prediction(NamedTuple):
    """How well one measure of a judge goes with the quality of its policies, by Pearson's r.

    None where r is undefined: in one seed alone, with too few judges, or where a figure is constant.
    """

    within: Estimate | None
    """Over the judges of a seed; the mean over seeds is taken of Fisher's z."""
    by_reward: float | None
    """The same over the means of each reward's judges: those of one reward are near copies."""
    pooled: float | None
    """Over all judges of all seeds, which are not independent."""


def predictions(results: Sequence[SeedResult]) -> dict[str, Prediction]:
    """Measure of a judge -> how it goes with policy quality."""
    if len(results) < 2:
        return dict.fromkeys(MEASURES, Prediction(None, None, None))
    rewards = np.array([arm.reward for arm in results[0].arms])
    found: dict[str, Prediction] = {}
    for name in MEASURES:
        x, quality = _columns(results, name), _columns(results, "quality")
        z = over_seeds(_fisher_z(x, quality, fewest=FEWEST_MODELS))
        within = None
        if math.isfinite(z.mean):
            low, high = (None if end is None else math.tanh(end) for end in (z.low, z.high))
            within = Estimate(math.tanh(z.mean), low, high, z.p_value, tuple(map(math.tanh, z.values)))
        means = [
            np.stack([column[:, rewards == reward].mean(axis=1) for reward in np.unique(rewards)], axis=1)
            for column in (x, quality)
        ]
        by_reward = math.tanh(fmean(_fisher_z(means[0], means[1], fewest=3)))
        pooled = _r(x.ravel(), quality.ravel(), fewest=3)
        found[name] = Prediction(
            within,
            by_reward if math.isfinite(by_reward) else None,
            pooled if math.isfinite(pooled) else None,
        )
    return found


def advantage(results: Sequence[SeedResult], measure: str, other: str) -> Estimate | None:
    """How much better one measure predicts policy quality than another: the difference of Fisher's z, paired by seed.

    None where either has no correlation within the seeds.
    """
    if len(results) < 2:
        return None
    quality = _columns(results, "quality")
    one, two = (
        _fisher_z(_columns(results, name), quality, fewest=FEWEST_MODELS) for name in (measure, other)
    )
    found = over_seeds([a - b for a, b in zip(one, two, strict=True)])
    return found if math.isfinite(found.mean) else None


def _columns(results: Sequence[SeedResult], figure: str) -> Floats:
    """A figure by seed (rows) and judge (columns)."""
    return np.array([[figures(arm)[figure] for arm in result.arms] for result in results])


def _fisher_z(x: Floats, y: Floats, *, fewest: int) -> list[float]:
    """atanh of r, row by row; NaN where r is undefined or |r| is 1."""
    found = [_r(row, quality, fewest=fewest) for row, quality in zip(x, y, strict=True)]
    # On one line but for the rounding: atanh of it would be whatever the rounding left.
    return [math.atanh(r) if abs(r) < 1 - 1e-12 else math.nan for r in found]


def _r(x: Floats, y: Floats, *, fewest: int) -> float:
    """Pearson's r over the points where x is known; NaN for fewer than `fewest`, or where one is constant."""
    known = np.isfinite(x)
    if known.sum() < fewest or np.ptp(x[known]) == 0 or np.ptp(y[known]) == 0:
        return math.nan
    return float(pearson(x[known][None], y[known][None])[0])


def _spread(values: Sequence[float]) -> Spread:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Spread(float(np.mean(values)), deviation, tuple(values))


def _table(results: Sequence[SeedResult]) -> list[Mapping[str, Mapping[str, float]]]:
    return [{arm.name: figures(arm) for arm in result.arms} for result in results]
