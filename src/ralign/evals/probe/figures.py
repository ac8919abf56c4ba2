"""How much of a verdict hangs on its rationale: readings in, shares with intervals out. Pure.

A verdict here is the likelier one right after a rationale. A changed rationale changes it, or not; and it takes
something from that verdict's probability. A pair judged in both orders weighs as much as any other; prompts are the
unit of the intervals (`ralign.metrics.intervals`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.evals.probe.interventions import AGAINST, Version
from ralign.metrics.intervals import Floats, Interval, Share, mean_interval


class Moved(NamedTuple):
    """Effect of one version of the rationale on the verdicts, held against another (`AGAINST`): mostly their own."""

    judgments: int
    """Read with both."""
    verdict_changed: Interval | None
    """Share whose verdict became the other one."""
    probability_lost: Interval | None
    """Mean of what the verdict after the one version loses in probability with the other, -1 to 1."""


class Figures(NamedTuple):
    """All figures of one set of pairs."""

    moved: dict[Version, Moved]
    swap_above_other: Interval | None
    """Verdicts changed by the swapped rationale minus those by another pair's, over judgments read with both."""
    as_written: Interval | None
    """Share whose likelier verdict after their own rationale is the one that was written there."""

    def as_dict(self) -> dict[str, Any]:
        """The figures as results.json has them."""
        return {
            "versions": {
                version: {
                    "judgments": moved.judgments,
                    "verdict_changed": moved.verdict_changed and moved.verdict_changed._asdict(),
                    "probability_lost": moved.probability_lost and moved.probability_lost._asdict(),
                }
                for version, moved in self.moved.items()
            },
            "swap_above_other": self.swap_above_other and self.swap_above_other._asdict(),
            "verdict_as_written": self.as_written and self.as_written._asdict(),
        }


def measure(prob_a: Mapping[Version, Floats], wrote_a: Floats, prompt: NDArray[np.intp]) -> Figures:
    """Compute every figure.

    Args:
        prob_a: P(A) for every version, each (pairs, orders); NaN where that version was not read.
        wrote_a: 1 where the verdict written was A, 0 where it was B, NaN where there is none; (pairs, orders).
        prompt: (pairs,), the same number for pairs of one prompt.
    """
    prompts, unit = np.unique(prompt, return_inverse=True)

    def sums(column: Floats) -> tuple[Floats, Floats, Floats]:
        """By prompt: the sum of its pairs' means, its pairs, and its judgments; a pair that was not read adds 0."""
        judged = (~np.isnan(column)).sum(axis=1)
        mean = np.divide(np.nansum(column, axis=1), judged, out=np.zeros(len(column)), where=judged > 0)
        of_pairs = (mean, (judged > 0).astype(np.float64), judged.astype(np.float64))
        total, pairs, judgments = (
            np.bincount(unit, each, minlength=len(prompts)).astype(np.float64) for each in of_pairs
        )
        return total, pairs, judgments

    def share(column: Floats) -> Interval | None:
        total, pairs, judgments = sums(column)
        return Share(total, pairs, float(judgments.sum()), simple=bool((judgments <= 1).all())).interval()

    def mean(column: Floats) -> Interval | None:
        total, pairs, judgments = sums(column)
        return mean_interval(total, pairs, float(judgments.sum()))

    own = prob_a["own"]
    changed: dict[Version, Floats] = {}
    moved: dict[Version, Moved] = {}
    for version, against in AGAINST.items():
        after, before = prob_a[version], prob_a[against]
        # In the verdict's own direction: a fall of P(A) is a loss where the verdict was A, a gain where it was B.
        lost = np.where(before > 0.5, before - after, after - before)
        changed[version] = _where_known((after > 0.5) != (before > 0.5), after + before)
        judgments = int((~np.isnan(changed[version])).sum())
        moved[version] = Moved(judgments, share(changed[version]), mean(lost))
    as_written = share(_where_known((own > 0.5) == (wrote_a == 1), own + wrote_a))
    return Figures(moved, mean(changed["swap"] - changed["other"]), as_written)


def _where_known(truth: NDArray[np.bool_], known: Floats) -> Floats:
    return np.where(np.isnan(known), np.nan, truth.astype(np.float64))
