"""Rewards of a judge, from its judgments: the paper's two, and two mixtures.

Pure: records in, a float out. None means not scored: the judge's or the meta-judge's call failed, so nothing is
known about the completion. It must leave the batch (no gradient, no part in its group's mean), because a 0 in its
place would teach that the completion was bad. A judge that answered without a verdict is no outage:
that is its own doing, and earns 0.

    outcome   [verdict = label]                                        RLVR, the paper's baseline
    ralign    [verdict = label] x [m = aligned]                        R-Align (arXiv 2602.06763, section 4)
    hybrid    (1 - w) [verdict = label] + w [m = aligned]              a sum instead of the gate
    points    [verdict = label] + w AP(decisive points stated)         after arXiv 2602.04649
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ralign.records import GoldPoint, Judgment, MetaJudgment, Verdict

JudgeReward = Callable[[Verdict | None, Judgment, MetaJudgment | None], float | None]
"""Takes the label, the judgment, and what the meta-judge says of it (None where it was not asked)."""


def outcome_reward(
    label: Verdict | None, judgment: Judgment, meta: MetaJudgment | None = None
) -> float | None:
    """1 for the right verdict, 0 for another or none; the meta-judge has no say."""
    del meta
    return None if judgment.failure == "call" else float(judgment.verdict == label)


def ralign_reward(label: Verdict | None, judgment: Judgment, meta: MetaJudgment | None) -> float | None:
    """1 for the right verdict for the right reason. A wrong verdict is 0 whatever the meta-judge says or fails to."""
    outcome = outcome_reward(label, judgment)
    # None and 0 stand whatever the meta-judge says: a wrong verdict costs no meta-judgment.
    if not outcome:
        return outcome
    return None if meta is None or meta.aligned is None else float(meta.aligned)


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridReward:
    """A weighted sum of outcome and alignment: a right reason earns something even with the wrong verdict."""

    weight: float = 0.5
    """The share of alignment, 0..1."""

    def __call__(self, label: Verdict | None, judgment: Judgment, meta: MetaJudgment | None) -> float | None:
        """0..1. Needs a meta-judgment of every judgment, wrong ones included."""
        outcome = outcome_reward(label, judgment)
        if outcome is None or meta is None or meta.aligned is None:
            return None
        return (1 - self.weight) * outcome + self.weight * meta.aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsReward:
    """Outcome plus the average precision with which the gold rationale's decisive points are stated."""

    weight: float = 1.0
    """What stating every point adds to the 1 of the right verdict."""

    def __call__(self, label: Verdict | None, judgment: Judgment, meta: MetaJudgment | None) -> float | None:
        """0..1 + weight. Not scored where the meta-judge failed or named no point."""
        outcome = outcome_reward(label, judgment)
        # A meta-judge that names no point says nothing of them: 0 would teach that all were left out.
        if outcome is None or meta is None or meta.failure is not None or not meta.points:
            return None
        return outcome + self.weight * average_precision(meta.points)


def average_precision(points: Sequence[GoldPoint]) -> float:
    """Average precision of a ranked list: over the points stated, the share stated so far, divided by all points.

    The usual formula of information retrieval, (1 / n) sum over stated k of (stated among the first k) / k, with n
    all points rather than the stated ones, so that leaving points out costs. The points come in the meta-judge's
    order, the most decisive first: missing the first costs most. Rationale consistency (arXiv 2602.04649) ranks
    the judge's own points instead; a meta-judgment holds gold's.
    """
    stated, total = 0, 0.0
    for rank, point in enumerate(points, start=1):
        if point.stated:
            stated += 1
            total += stated / rank
    return total / len(points) if points else 0.0
