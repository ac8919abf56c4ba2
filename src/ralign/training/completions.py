"""What goes into the reward loop and what comes out: Completion -> ScoredCompletion, and how a completion is read.

A completion is a judge's answer to a pair, as it was sampled. It is read exactly as `ralign bench` reads an endpoint's
reply, so that what training rewards is what the benchmark measures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ralign.judging import read_judgment
from ralign.models.model import Reply
from ralign.records import Judgment, MetaJudgment, Order, PreferencePair
from ralign.thinking import OPENER, split_thinking


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled text of the GenRM, and what it is about."""

    pair: PreferencePair
    order: Order = "ab"
    """The order that the prompt showed the two answers in."""
    text: str
    """As it was sampled, thinking included, special tokens left out."""
    finish_reason: str | None = None
    """`length` where the token limit cut it off: it then has no verdict."""
    thought_opened: bool = False
    """The prompt ends in `<think>`, so that a text without `</think>` is all thought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCompletion:
    """What one completion earned, and why."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredBatch:
    """A batch's rewards, in the order of its completions."""

    scored: tuple[ScoredCompletion, ...]
    rates: Mapping[str, float]
    """By `ralign.training.rates.RATE_NAMES`, always all of them."""

    @property
    def rewards(self) -> list[float | None]:
        """The rewards alone."""
        return [each.reward for each in self.scored]


def read_completion(completion: Completion) -> Judgment:
    """Read a sampled text as a judge's answer: thinking split off, verdict in the letters of the pairs file. Pure."""
    text = OPENER + completion.text if completion.thought_opened else completion.text
    thinking, answer = split_thinking(text)
    reply = Reply(text=answer, thinking=thinking, finish_reason=completion.finish_reason)
    return read_judgment(reply, pair=completion.pair, order=completion.order)
