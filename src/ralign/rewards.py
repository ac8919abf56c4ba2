"""Judgments -> numbers to train on: the paper's two rewards for a judge, two mixtures, and the policy's reward.

Pure: records in, a float out. None means not scored: the judge's or the meta-judge's call failed, so nothing is
known about the completion. It must leave the batch (no gradient, no part in its group's mean), because a 0 in its
place would teach that the completion was bad (pitfall 2). A judge that answered without a verdict is no outage:
that is its own doing, and earns 0.

    outcome   [verdict = label]                                        RLVR, the paper's baseline
    ralign    [verdict = label] x [m = aligned]                        R-Align (arXiv 2602.06763, section 4)
    hybrid    (1 - w) [verdict = label] + w [m = aligned]              a sum instead of the gate
    points    [verdict = label] + w AP(decisive points stated)         after arXiv 2602.04649
    contest   +1 win, -1 loss against a reference answer, less a penalty for length    the policy's (section 5)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ralign.records import GoldPoint, Judgment, MetaJudgment, Verdict

JudgeReward = Callable[[Verdict, Judgment, MetaJudgment | None], float | None]
"""Takes the label, the judgment, and what the meta-judge says of it (None where it was not asked)."""


def outcome_reward(label: Verdict, judgment: Judgment, meta: MetaJudgment | None = None) -> float | None:
    """1 for the right verdict, 0 for another or none; the meta-judge has no say."""
    del meta
    return None if judgment.failure == "call" else float(judgment.verdict == label)


def ralign_reward(label: Verdict, judgment: Judgment, meta: MetaJudgment | None) -> float | None:
    """1 for the right verdict for the right reason. A wrong verdict is 0 whatever the meta-judge says or fails to."""
    outcome = outcome_reward(label, judgment)
    if not outcome:
        return outcome
    return None if meta is None or meta.aligned is None else float(meta.aligned)


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridReward:
    """A weighted sum of outcome and alignment: a right reason earns something even with the wrong verdict."""

    weight: float = 0.5
    """The share of alignment, 0..1."""

    def __call__(self, label: Verdict, judgment: Judgment, meta: MetaJudgment | None) -> float | None:
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

    def __call__(self, label: Verdict, judgment: Judgment, meta: MetaJudgment | None) -> float | None:
        """0..1 + weight. Not scored where the meta-judge failed or named no point."""
        outcome = outcome_reward(label, judgment)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthPenalty:
    """What an answer loses for being longer than the reference answer.

    The paper speaks of a dynamic length penalty and publishes no formula; this one is fixed, and linear so that
    there is no length at which growing becomes free.
    """

    weight: float = 0.5
    """What twice the allowed length costs, in units of the reward (a win is 1)."""
    allowance: float = 1.0
    """The length that is free, as a multiple of the reference's."""

    def cost(self, length: int, reference_length: int) -> float:
        """In units of the reward; 0 up to the allowance. Lengths in tokens, words or characters alike."""
        free = max(self.allowance * reference_length, 1.0)
        return self.weight * max(0.0, length / free - 1.0)


def contest_reward(
    judgments: Sequence[Judgment],
    answer: Verdict,
    *,
    length: int = 0,
    reference_length: int = 0,
    penalty: LengthPenalty | None = None,
) -> float | None:
    """Reward a policy's answer: +1 where the judge prefers it to the reference answer, -1 where not.

    Args:
        judgments: of one contest, in one order or both; the mean counts. Verdicts in the letters of the pair.
        answer: which letter the policy's answer has; the reference has the other.
        length: of the policy's answer.
        reference_length: of the reference answer.
        penalty: taken off for length; None for none.

    A judgment without a verdict scores nothing, whatever its failure: that is the judge's doing, not the policy's.
    Without any, the answer is not scored.
    """
    verdicts = [judgment.verdict for judgment in judgments if judgment.verdict is not None]
    if not verdicts:
        return None
    score = sum(1.0 if verdict == answer else -1.0 for verdict in verdicts) / len(verdicts)
    return score if penalty is None else score - penalty.cost(length, reference_length)
