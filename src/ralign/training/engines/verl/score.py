"""Score of one sample as verl takes it, with flags, all numbers; and the fallback where there is none. Pure."""

from collections import deque
from typing import Final, TypedDict, cast

from ralign.errors import RalignError
from ralign.records import GoldPoint, Judgment, MetaJudgment
from ralign.rewards.judge import JudgeReward

_REMEMBERED: Final = 256
"""Rewards that the fallback is the mean of."""


class NotScored(RalignError):
    """Nothing is known of a completion's reward, and `unscored` is to leave it out."""


class VerlScore(TypedDict):
    """One sample's reward and flags, all of them numbers: verl takes the first sample's keys for all others."""

    score: float
    acc: float
    """1 where the verdict is the label."""
    aligned: float
    """1 where the meta-judge said that the reason is gold's; 0 where it said otherwise, or nothing."""
    asked: float
    """1 where the reward needs a meta-judgment. With `ralign`, the mean of `aligned` over those asked for with
    `judge_ok` 1 is 1 - S-Corr."""
    parsed: float
    """1 where a verdict could be read."""
    judge_ok: float
    """1, or 0 where `score` is a fallback."""


class FallbackScore:
    """Score of a completion that could not be scored: the mean of the last that were as right as it is.

    Before there are any it is the middle between the reward with an aligned rationale and with a misaligned one,
    which then counts as one observation.
    """

    def __init__(self, formula: JudgeReward) -> None:
        self._middle: dict[bool, float] = {}
        for right in (True, False):
            judgment = Judgment(pair_id="", verdict="A" if right else "B")
            rewards = [
                formula(
                    "A",
                    judgment,
                    MetaJudgment(pair_id="", aligned=aligned, points=(GoldPoint(text="", stated=aligned),)),
                )
                for aligned in (True, False)
            ]
            self._middle[right] = sum(cast("list[float]", rewards)) / len(rewards)
        self._last = {right: deque[float](maxlen=_REMEMBERED) for right in (True, False)}

    def observe(self, reward: float, *, right: bool) -> None:
        """Count a reward that the meta-judge had its say in."""
        self._last[right].append(reward)

    def of(self, *, right: bool) -> float:
        """Expected reward of a completion with a right verdict, or with a wrong one or none."""
        last = self._last[right]
        return (self._middle[right] + sum(last)) / (1 + len(last))
