"""One answer of a policy, and what it earned. Records, and how a step's grades look as numbers to log. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final, NamedTuple

from ralign.records import Order, PreferencePair, Verdict
from ralign.rewards.policy import PolicyReward, never_ended, visible_answer
from ralign.rewards.reward_hacking import GradedAnswer
from ralign.thinking import OPENER


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCompletion:
    """One sampled text of the policy, and the prompt it answers."""

    pair: PreferencePair
    """The prompt; `response_b` is the reference answer, blank where there is none, and `response_a` nothing yet."""
    text: str
    """As it was sampled, special tokens left out."""
    finish_reason: str | None = None
    """`length` where the token limit cut it off."""
    thought_opened: bool = False
    """The prompt ends in `<think>`, so that a text without `</think>` is all thought."""

    @property
    def ended(self) -> bool:
        """Whether there is an answer that could be judged."""
        return not never_ended(self.text, self.finish_reason, thinks=self.thought_opened)

    @property
    def answer(self) -> str:
        """What is judged."""
        return visible_answer(self.whole)

    @property
    def whole(self) -> str:
        """The text with its thinking marked, also where the prompt opened it."""
        return OPENER + self.text if self.thought_opened else self.text


class Grade(NamedTuple):
    """What the judge says of one answer."""

    score: float | None = None
    """From -1 to 1; None where a verdict it needs is missing, or where the answer never ended."""
    verdicts: Mapping[Order, Verdict | None] = {}
    """Against a reference, by order; A is the policy's answer."""
    problem: str | None = None
    """Why a verdict is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One answer with its reward."""

    completion: PolicyCompletion
    grade: Grade
    parts: PolicyReward
    second_score: float | None = None
    """The score by a judge that the policy does not train on, where it was asked."""

    def as_answer(self) -> GradedAnswer:
        """As the signs of a gamed judge are read from it."""
        return GradedAnswer(
            completion=self.completion.whole,
            reward=self.parts.reward,
            score=self.parts.score,
            reference_answer=self.completion.pair.response_b or None,
            verdicts=self.grade.verdicts,
            second_score=self.second_score,
            ended=self.completion.ended,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedBatch:
    """A batch's rewards, in the order of its completions."""

    graded: Sequence[Graded]
    seconds: float = 0.0
    """From the batch's arrival to its rewards."""
    paused_seconds: float = 0.0
    """The part of it that was spent waiting for a judge that was down."""
    length_coefficient: float = 0.0
    """The length penalty's, as it stood for this batch."""
    rates: Mapping[str, float] = field(init=False)
    """By `RATE_NAMES`, always all of them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", _rates(self))

    @property
    def rewards(self) -> list[float | None]:
        """The rewards alone; None: not scored."""
        return [each.parts.reward for each in self.graded]


RATE_NAMES: Final = (
    "score",
    "unscored",
    "order_disagreement",
    "never_ended",
    "length_penalty",
    "length_coefficient",
    "seconds",
    "paused_seconds",
)
"""
score               mean of the judge's part of the reward, over the scored
unscored            share of completions without a reward: None, left out of the group's statistics
order_disagreement  of the answers with verdicts in both orders, the share whose verdicts differ
never_ended         share of completions that never end
length_penalty      mean of what was taken off for length
length_coefficient  the penalty's coefficient
seconds             from the batch's arrival to its rewards
paused_seconds      the part of it that was spent waiting for a judge that was down
"""


def _rates(batch: GradedBatch) -> dict[str, float]:
    graded = batch.graded
    in_both = [set(g.grade.verdicts.values()) for g in graded if len(g.grade.verdicts) == 2]
    told = [verdicts for verdicts in in_both if None not in verdicts]
    values = (
        _mean([g.parts.score for g in graded if g.parts.score is not None]),
        _mean([float(g.parts.reward is None) for g in graded]),
        _mean([float(len(verdicts) == 2) for verdicts in told]),
        _mean([float(not g.completion.ended) for g in graded]),
        _mean([g.parts.length_penalty for g in graded]),
        batch.length_coefficient,
        batch.seconds,
        batch.paused_seconds,
    )
    return dict(zip(RATE_NAMES, values, strict=True))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan
