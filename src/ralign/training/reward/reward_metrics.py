"""Reward metrics: how a batch's rewards came about, as numbers to log, by the same names at every step. Pure.

A judge's (`JUDGE_METRICS`):

    parse_failure     share of completions without a verdict that could be read (cut off, none, two)
    label_right       share whose verdict is the label: L-Acc of the batch
    asked             share whose reward needs a meta-judgment
    aligned_of_asked  of those with a meta-judgment, the share that is aligned: 1 - S-Corr where only label-right ones
                      are asked for; NaN where there is none
    meta_failed       share whose meta-judgment was needed and did not come: failed, unreadable, or late
    late              the part of meta_failed that the batch's deadline cut off
    not_scored        share without a reward: None, left out of the group's statistics
    duplicate         share that was answered by another completion's call: same pair, order and rationale

A policy's (`POLICY_METRICS`):

    score               mean of the judge's part of the reward, over the scored
    unscored            share of completions without a reward
    order_disagreement  of the answers with verdicts in both orders, the share whose verdicts differ
    never_ended         share of completions that never end
    length_penalty      mean length penalty
    length_coefficient  the length penalty's coefficient, as it stood for this batch

Both: `seconds` from the batch's arrival to its rewards, and `paused_seconds`, the part of it that was spent waiting for
a model that was down. Of an empty batch all shares are NaN.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Final

from ralign.training.reward.scored import ScoredAnswer, ScoredJudgment

JUDGE_METRICS: Final = (
    "parse_failure", "label_right", "asked", "aligned_of_asked", "meta_failed", "late", "not_scored", "duplicate",
    "seconds", "paused_seconds",
)  # fmt: skip
POLICY_METRICS: Final = (
    "score", "unscored", "order_disagreement", "never_ended", "length_penalty", "length_coefficient", "seconds",
    "paused_seconds",
)  # fmt: skip


def judge_metrics(
    scored: Sequence[ScoredJudgment], *, seconds: float, paused_seconds: float = 0.0
) -> dict[str, float]:
    """Metrics of a batch of judgments."""
    metas = [each.meta_judgment for each in scored if each.meta_judgment is not None]
    answered = [meta.aligned for meta in metas if meta.aligned is not None]
    values = (
        mean([each.judgment.failure == "parse" for each in scored]),
        mean([each.right for each in scored]),
        mean([each.meta_judgment is not None for each in scored]),
        mean(answered),
        mean([each.meta_judgment is not None and each.meta_judgment.aligned is None for each in scored]),
        mean([each.late for each in scored]),
        mean([each.reward is None for each in scored]),
        mean([each.duplicate for each in scored]),
        seconds,
        paused_seconds,
    )
    return dict(zip(JUDGE_METRICS, values, strict=True))


def policy_metrics(
    scored: Sequence[ScoredAnswer],
    *,
    length_coefficient: float = 0.0,
    seconds: float,
    paused_seconds: float = 0.0,
) -> dict[str, float]:
    """Metrics of a batch of a policy's answers."""
    in_both = [set(each.grade.verdicts.values()) for each in scored if len(each.grade.verdicts) == 2]
    values = (
        mean([each.parts.score for each in scored if each.parts.score is not None]),
        mean([each.reward is None for each in scored]),
        mean([len(verdicts) == 2 for verdicts in in_both if None not in verdicts]),
        mean([not each.answer.ended for each in scored]),
        mean([each.parts.length_penalty for each in scored]),
        length_coefficient,
        seconds,
        paused_seconds,
    )
    return dict(zip(POLICY_METRICS, values, strict=True))


def mean(values: Sequence[float]) -> float:
    """Mean of numbers or truth values; NaN over nothing, which is unknown and not 0."""
    return fmean(values) if values else math.nan
