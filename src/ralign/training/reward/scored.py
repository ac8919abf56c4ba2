"""Completions and what they earned: the interface between an engine and the reward in the loop. Records only.

    Completion  --BatchReward.score-->  ScoredBatch: rewards, metrics to log, columns to show

A reward of None is "not scored": it leaves the completion out of its group's statistics. It is never 0 instead, which
would teach that the completion was bad.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from ralign.records import Judgment, MetaJudgment, Order, PreferencePair, Verdict
from ralign.rewards.length_penalty import AnswerLength
from ralign.rewards.policy import PolicyReward, parse_answer
from ralign.rewards.reward_hacking import GradedAnswer
from ralign.thinking import OPENER, split_thinking
from ralign.training.reward.outage import problem_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled text, and what it is about."""

    pair: PreferencePair
    """In a policy's training the prompt: `response_b` is the reference answer, blank where there is none, and
    `response_a` nothing yet."""
    order: Order = "ab"
    """Order in which the prompt showed the two answers to a judge."""
    text: str
    """As it was sampled, thinking included, special tokens left out."""
    finish_reason: str | None = None
    """`length` where the token limit cut it off."""
    thought_opened: bool = False
    """The prompt ends in `<think>` or its like, so that a text without the closing tag is all thought."""
    decision: bool | None = None
    """In a meta-judge's training: the recorded decision; None where there is none."""

    @property
    def marked(self) -> str:
        """The text with its thinking marked, also where the prompt opened it and nothing closed it."""
        # A closer tells by itself, and of which syntax it is.
        unclosed = self.thought_opened and split_thinking(self.text) == (None, self.text)
        return OPENER + self.text if unclosed else self.text


class Scored(Protocol):
    """One completion's reward, and why."""

    @property
    def reward(self) -> float | None:
        """None: not scored."""
        ...

    def columns(self) -> Mapping[str, object]:
        """Columns that an engine shows beside the completion; the same names for every one."""
        ...


S_co = TypeVar("S_co", bound=Scored, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredBatch(Generic[S_co]):
    """Rewards of a batch, in the order of its completions."""

    scored: Sequence[S_co]
    metrics: Mapping[str, float]
    """By `ralign.training.reward.reward_metrics`: the same names at every step and on every rank."""

    @property
    def rewards(self) -> list[float | None]:
        """The rewards alone; None: not scored."""
        return [each.reward for each in self.scored]


class BatchReward(Protocol):
    """Reward function of a training task, open for as long as training lasts."""

    async def score(self, completions: Sequence[Completion], *, step: int = 0) -> ScoredBatch[Scored]:
        """Score a batch; many batches may be scored at once.

        Args:
            completions: those of one prompt stand together.
            step: training steps made so far.

        Raises:
            InputError: a pair that this reward cannot be computed for.
            EndpointRefused: no call can succeed.
            MetaJudgeDown: the judge or meta-judge is down, and training is not to wait any longer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredJudgment:
    """Reward of one completion of a judge, and why."""

    reward: float | None
    """None: not scored."""
    judgment: Judgment
    meta_judgment: MetaJudgment | None
    """None where the reward did not need one; a failure is one with `aligned` None."""
    right: bool
    """The verdict is the label."""
    duplicate: bool = False
    """Another completion of the batch asked the same."""
    late: bool = False
    """The meta-judge had not answered by the deadline."""

    def columns(self) -> Mapping[str, object]:
        """Verdict, decision, and why there is no reward."""
        meta = self.meta_judgment
        return {
            "verdict": self.judgment.verdict,
            "aligned": meta and meta.aligned,
            "why_not_scored": problem_of(meta) if self.reward is None and meta is not None else None,
        }


class PolicyAnswer(NamedTuple):
    """One completion of a policy, read once."""

    completion: Completion
    text: str
    """The visible answer, which is what is judged: without thinking and the blank space around it."""
    ended: bool
    """Whether it came to an end that could be judged."""

    @classmethod
    def read(cls, completion: Completion) -> "PolicyAnswer":
        """Split the thinking off, and see whether there is an answer."""
        parsed = parse_answer(completion.text, completion.finish_reason, thinks=completion.thought_opened)
        return cls(completion, parsed.text, parsed.ended)

    @property
    def length(self) -> AnswerLength:
        """Its length and its reference's."""
        return AnswerLength(len(self.text), len(self.completion.pair.response_b))


class Grade(NamedTuple):
    """A judge's grade of one answer."""

    score: float | None = None
    """From -1 to 1; None where a verdict it needs is missing, or where the answer never ended."""
    verdicts: Mapping[Order, Verdict | None] = {}
    """Against a reference, by order; A is the policy's answer."""
    problem: str | None = None
    """Why a verdict is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAnswer:
    """One answer of a policy with its reward."""

    answer: PolicyAnswer
    grade: Grade
    parts: PolicyReward
    second_score: float | None = None
    """The score by a judge that the policy does not train on, where it was asked."""

    @property
    def reward(self) -> float | None:
        """None: not scored."""
        return self.parts.reward

    def columns(self) -> Mapping[str, object]:
        """Verdicts by order, and why there is no reward."""
        verdicts = ", ".join(f"{order} {verdict or '-'}" for order, verdict in self.grade.verdicts.items())
        return {"verdicts": verdicts, "why_not_scored": self.grade.problem}

    def graded(self) -> GradedAnswer:
        """The record that signs of reward hacking are read from."""
        return GradedAnswer(
            answer=self.answer.text,
            reward=self.parts.reward,
            score=self.parts.score,
            reference_answer=self.answer.completion.pair.response_b or None,
            verdicts=self.grade.verdicts,
            second_score=self.second_score,
            ended=self.answer.ended,
        )
