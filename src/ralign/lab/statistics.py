"""Several seeds -> what can be said: means, paired differences, and which measure of a judge predicts its policy.

Seeds are the unit here: each is a world, a base model and every judge trained from it, so judges are compared within
their seed. Nothing is dropped; what is also shown without collapsed judges is shown with them first.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ralign.lab.measure import Split
from ralign.lab.policy_rl import PolicyWorth
from ralign.lab.results import ArmResult, SeedResult
from ralign.lab.vocabulary import DOMAINS, Domain
from ralign.metrics.correlation import Correlation, correlate

Floats = NDArray[np.float64]

COLLAPSED: Final = 0.95
"""A judge counts as collapsed when at least this share of its right verdicts is spurious."""


class Spread(NamedTuple):
    """One figure over seeds."""

    mean: float
    deviation: float
    """Sample standard deviation; 0 for one seed."""
    values: tuple[float, ...]
    """By seed."""


class Difference(NamedTuple):
    """How two arms differ, paired by seed."""

    mean: float
    low: float | None
    """Of the 95 % interval, Student's t over seeds; None for one seed."""
    high: float | None
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


def differences(results: Sequence[SeedResult], arm: str, other: str) -> dict[str, Difference]:
    """Figure -> `arm` minus `other`, paired by seed.

    Raises:
        KeyError: no such arm.
    """
    table = _table(results)
    return {name: paired([seed[arm][name] - seed[other][name] for seed in table]) for name in FIGURES}


def paired(values: Sequence[float]) -> Difference:
    """The mean of the seeds' differences and its 95 % t interval; no interval for one seed."""
    # Student's t allows for having estimated the spread from so few.
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Difference(mean, None, None, tuple(values))
    half = float(stats.t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return Difference(mean, mean - half, mean + half, tuple(values))


class Prediction(NamedTuple):
    """How well one measure of a judge predicts the quality of its policy; None where it is constant."""

    pooled: Correlation | None
    """Over all judges of all seeds."""
    trained: Correlation | None
    """Without the base judges."""
    within: Correlation | None
    """Over all judges, each figure less its seed's mean: which of one seed's judges is better."""
    not_collapsed: Correlation | None
    """Over the judges that did not collapse."""


def predictions(results: Sequence[SeedResult]) -> dict[str, Prediction]:
    """Predictor -> how it correlates with policy quality; r alone, as judges of one seed are not independent."""
    table = _table(results)
    arms = list(table[0])
    columns = {name: np.array([[row[arm][name] for arm in arms] for row in table]) for name in FIGURES}
    quality = columns["quality"]
    all_judges = np.ones_like(quality, dtype=np.bool_)
    trained = all_judges.copy()
    trained[:, 0] = False
    # Collapsed judges are left out only here: where most of a run's judges collapse, they alone make the correlation.
    standing = columns["spurious_correctness"] < COLLAPSED

    def over(x: Floats, y: Floats, chosen: NDArray[np.bool_]) -> Correlation | None:
        chosen = chosen & np.isfinite(x)
        if chosen.sum() < 3 or np.ptp(x[chosen]) == 0 or np.ptp(y[chosen]) == 0:
            return None
        return correlate(x[chosen], y[chosen], independent=False)

    return {
        name: Prediction(
            pooled=over(columns[name], quality, all_judges),
            trained=over(columns[name], quality, trained),
            within=over(_centred(columns[name]), _centred(quality), all_judges),
            not_collapsed=over(columns[name], quality, standing),
        )
        for name in MEASURES
    }


def _centred(table: Floats) -> Floats:
    return table - table.mean(axis=1, keepdims=True)


def _spread(values: Sequence[float]) -> Spread:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Spread(float(np.mean(values)), deviation, tuple(values))


def _table(results: Sequence[SeedResult]) -> list[Mapping[str, Mapping[str, float]]]:
    return [{arm.name: figures(arm) for arm in result.arms} for result in results]
