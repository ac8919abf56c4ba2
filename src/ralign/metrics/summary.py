"""Outcomes -> every measure with its interval, counts and bounds: one benchmark of `results.json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from ralign.metrics.intervals import Interval, fidelity_interval
from ralign.metrics.measures import (
    Bounds,
    Counts,
    Shares,
    count,
    fidelity_bounds,
    label_accuracy_bounds,
    pair_sums,
    shares,
    spurious_correctness_bounds,
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
    prompts: int
    """Conversations that they are about: the units of the intervals."""
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
        bounds = {
            "label_accuracy_bounds": self.label_accuracy_bounds,
            "spurious_correctness_bounds": self.spurious_correctness_bounds,
            "fidelity_bounds": self.fidelity_bounds,
        }
        return {
            "pairs": self.pairs,
            "prompts": self.prompts,
            **self.measures.as_dict(),
            **{name: None if each is None else each._asdict() for name, each in bounds.items()},
            "counts": asdict(self.counts),
        }


def summarise(outcomes: Outcomes, orders: Sequence[Order], *, has_meta_judge: bool | None = None) -> Summary:
    """Measure everything there is to measure on these outcomes.

    Args:
        outcomes: one benchmark or subset.
        orders: what axis 1 of the outcomes is: ("ab",), ("ba",) or ("ab", "ba").
        has_meta_judge: whether the run has one. Where nothing is right nothing is meta-judged either, and
            only the caller can know whether F-Score is 0 or was not measured. None: there was one if it was
            ever asked.

    Raises:
        ValueError: outcomes and orders that do not fit together.
    """
    sums = pair_sums(outcomes, orders)
    if has_meta_judge is None:
        has_meta_judge = was_meta_judged(outcomes)
    return Summary(
        pairs=len(outcomes.label),
        prompts=len(np.unique(outcomes.prompt)),
        measures=measures_of(shares(outcomes, orders), has_meta_judge=has_meta_judge),
        counts=count(outcomes, orders),
        label_accuracy_bounds=label_accuracy_bounds(outcomes),
        spurious_correctness_bounds=spurious_correctness_bounds(sums),
        fidelity_bounds=fidelity_bounds(sums),
    )


def measures_of(found: Shares, *, has_meta_judge: bool) -> Measures:
    """Each measure with its interval; without a meta-judge no S-Corr and no F-Score, even where nothing is right."""
    label_accuracy = found.label_accuracy.interval()
    spurious = found.spurious_correctness.interval() if has_meta_judge else None
    return Measures(
        label_accuracy=label_accuracy,
        spurious_correctness=spurious,
        fidelity_score=fidelity_interval(label_accuracy, spurious)
        if label_accuracy is not None and has_meta_judge
        else None,
        order_consistency=found.order_consistency.interval(),
        right_in_both_orders=found.right_in_both_orders.interval(),
    )
