"""Outcomes -> every measure with its interval, counts and bounds: one benchmark of `results.json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from ralign.metrics.intervals import RESAMPLES, Interval, interval, resampled_sums
from ralign.metrics.measures import (
    Bounds,
    Counts,
    PairShares,
    Values,
    count,
    fidelity_bounds,
    label_accuracy_bounds,
    pair_shares,
    spurious_correctness_bounds,
    values,
    was_meta_judged,
)
from ralign.metrics.outcomes import Outcomes
from ralign.records import Order


class Measures(NamedTuple):
    """The measures with their 95 % intervals; None where undefined."""

    label_accuracy: Interval | None
    spurious_correctness: Interval | None
    fidelity_score: Interval | None
    order_consistency: Interval | None
    right_in_both_orders: Interval | None

    def as_dict(self) -> dict[str, dict[str, float] | None]:
        """Measure -> {value, low, high}, or None."""
        return {name: None if each is None else each._asdict() for name, each in self._asdict().items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Summary of one benchmark, or of one subset of it."""

    pairs: int
    """All pairs, those without an answer included."""
    measures: Measures
    counts: Counts
    label_accuracy_bounds: Bounds | None
    """Where judgments are unanswered."""
    spurious_correctness_bounds: Bounds | None
    """Where meta-judgments failed."""
    fidelity_bounds: Bounds | None
    """Where meta-judgments failed."""

    def as_dict(self) -> dict[str, object]:
        """The keys of `results.json`; ready for JSON (None, never NaN)."""
        bounds: dict[str, dict[str, float] | None] = {}
        for name in ("label_accuracy_bounds", "spurious_correctness_bounds", "fidelity_bounds"):
            each: Bounds | None = getattr(self, name)
            bounds[name] = None if each is None else each._asdict()
        return {"pairs": self.pairs, **self.measures.as_dict(), **bounds, "counts": asdict(self.counts)}


def summarise(
    outcomes: Outcomes,
    orders: Sequence[Order],
    *,
    rng: np.random.Generator,
    has_meta_judge: bool | None = None,
    resamples: int = RESAMPLES,
) -> Summary:
    """Measure everything there is to measure on these outcomes.

    Args:
        outcomes: one benchmark or subset.
        orders: what axis 1 of the outcomes is: ("ab",), ("ba",) or ("ab", "ba").
        rng: draws the resamples.
        has_meta_judge: whether the run has one. Where nothing is right nothing is meta-judged either, and
            only the caller can know whether F-Score is 0 or was not measured. None: there was one if it was
            ever asked.
        resamples: of the bootstrap over pairs.

    Raises:
        ValueError: outcomes and orders that do not fit together.
    """
    shares = pair_shares(outcomes, orders)
    sums = sum_over_pairs(shares)
    if has_meta_judge is None:
        has_meta_judge = was_meta_judged(outcomes)
    # A pair without an answer is no part of the sample, so it is no part of the resamples.
    answered = np.stack(shares, axis=1)[shares.answered > 0]
    resampled = PairShares(*resampled_sums(answered, resamples, rng).T)
    return Summary(
        pairs=len(outcomes.label),
        measures=with_intervals(
            values(sums, has_meta_judge=has_meta_judge), values(resampled, has_meta_judge=has_meta_judge)
        ),
        counts=count(outcomes, orders),
        label_accuracy_bounds=label_accuracy_bounds(outcomes),
        spurious_correctness_bounds=spurious_correctness_bounds(sums),
        fidelity_bounds=fidelity_bounds(sums),
    )


def sum_over_pairs(shares: PairShares) -> PairShares:
    """The sums that the measures are ratios of; scalar arrays."""
    return PairShares(*(np.asarray(each.sum()) for each in shares))


def with_intervals(estimates: Values, resampled: Values) -> Measures:
    """Each measure (scalar arrays) with the interval its resamples give (shape (resamples,))."""
    pairs_of_arrays = zip(estimates, resampled, strict=True)
    return Measures(*(interval(float(value), samples) for value, samples in pairs_of_arrays))
