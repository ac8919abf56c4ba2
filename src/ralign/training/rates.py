"""How the rewards of one batch came about, as numbers to log: the same names every time, on every rank. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from ralign.training.completions import ScoredCompletion

RATE_NAMES: Final = (
    "parse_failure",
    "label_right",
    "asked",
    "aligned_of_asked",
    "meta_failed",
    "late",
    "not_scored",
    "duplicate",
    "seconds",
    "paused_seconds",
)
"""
parse_failure     share of completions without a verdict that could be read (cut off, none, two)
label_right       share whose verdict is the label: L-Acc of the batch
asked             share whose reward needs a meta-judgment
aligned_of_asked  of those with a meta-judgment, the share that is aligned: 1 - S-Corr where only label-right ones are
                  asked for; NaN where there is none
meta_failed       share whose meta-judgment was needed and did not come: failed, unreadable, or late
late              the part of meta_failed that the batch's deadline cut off
not_scored        share without a reward: None, left out of the group's statistics
duplicate         share that was answered by another completion's call: same pair, order and rationale
seconds           from the batch's arrival to its rewards
paused_seconds    the part of it that was spent waiting for a meta-judge that was down
"""


def rates_of(
    scored: Sequence[ScoredCompletion], *, seconds: float, paused_seconds: float = 0.0
) -> Mapping[str, float]:
    """The rates of one batch, by `RATE_NAMES`; of an empty batch all shares are NaN."""
    metas = [each.meta_judgment for each in scored if each.meta_judgment is not None]
    answered = [meta.aligned for meta in metas if meta.aligned is not None]
    count = len(scored)
    return {
        "parse_failure": _share(sum(each.judgment.failure == "parse" for each in scored), count),
        "label_right": _share(sum(each.right for each in scored), count),
        "asked": _share(len(metas), count),
        "aligned_of_asked": _share(sum(answered), len(answered)),
        "meta_failed": _share(len(metas) - len(answered), count),
        "late": _share(sum(each.late for each in scored), count),
        "not_scored": _share(sum(each.reward is None for each in scored), count),
        "duplicate": _share(sum(each.duplicate for each in scored), count),
        "seconds": seconds,
        "paused_seconds": paused_seconds,
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
