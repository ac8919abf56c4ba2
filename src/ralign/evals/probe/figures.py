"""How much of a verdict hangs on its rationale: readings in, shares with intervals out. Pure.

A verdict here is the likelier one right after a rationale. A changed rationale changes it, or not; and it takes
something from that verdict's probability. Pairs are the unit: a pair judged in both orders
weighs as much as any other, and the intervals resample pairs (`ralign.metrics.intervals`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.evals.probe.interventions import AGAINST, Version
from ralign.metrics.intervals import Interval, interval, resampled_sums

Floats = NDArray[np.float64]


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


def measure(
    prob_a: Mapping[Version, Floats], wrote_a: Floats, *, resamples: int, rng: np.random.Generator
) -> Figures:
    """Compute every figure from the same resamples.

    Args:
        prob_a: P(A) for every version, each (pairs, orders); NaN where that version was not read.
        wrote_a: 1 where the verdict written was A, 0 where it was B, NaN where there is none; (pairs, orders).
        resamples: how often pairs are drawn again.
        rng: draws them.
    """
    own = prob_a["own"]
    columns: list[Floats] = [_where_known((own > 0.5) == (wrote_a == 1), own + wrote_a)]
    changed: dict[Version, Floats] = {}
    for version, against in AGAINST.items():
        after, before = prob_a[version], prob_a[against]
        # In the verdict's own direction: a fall of P(A) is a loss where the verdict was A, a gain where it was B.
        lost = np.where(before > 0.5, before - after, after - before)
        changed[version] = _where_known((after > 0.5) != (before > 0.5), after + before)
        columns += [changed[version], lost]
    columns.append(changed["swap"] - changed["other"])
    # Pairs are the unit: each column's mean within a pair first, then the mean over pairs, one draw for all columns.
    judged = np.stack([(~np.isnan(column)).sum(axis=1) for column in columns], axis=1)
    summed = np.stack([np.nansum(column, axis=1) for column in columns], axis=1)
    within = np.divide(summed, judged, out=np.zeros_like(summed), where=judged > 0)
    both = np.concatenate([within, (judged > 0).astype(np.float64)], axis=1)
    width = len(columns)
    with np.errstate(invalid="ignore"):  # 0 / 0: undefined, and left out
        total = both.sum(axis=0)
        drawn = resampled_sums(both, resamples, rng)
        values, samples = total[:width] / total[width:], drawn[:, :width] / drawn[:, width:]
    found = iter([interval(float(values[column]), samples[:, column]) for column in range(width)])
    as_written = next(found)
    moved: dict[Version, Moved] = {}
    for version, share in changed.items():
        moved[version] = Moved(int((~np.isnan(share)).sum()), next(found), next(found))
    return Figures(moved, next(found), as_written)


def _where_known(truth: NDArray[np.bool_], known: Floats) -> Floats:
    return np.where(np.isnan(known), np.nan, truth.astype(np.float64))
