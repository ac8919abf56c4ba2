"""The records that the stages pass on: PreferencePair -> Judgment -> MetaJudgment -> Score.

Standard library only. How records look on disk is `ralign.files`' business; how they come about is the business
of the stage that makes them. The paper's notation (arXiv 2602.06763, section 2): x is `conversation`, y_A and
y_B are `response_a` and `response_b`, l is `label`, o* is `gold_rationale`; (o, l-hat) is a `Judgment` and m a
`MetaJudgment`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast, get_args

Verdict = Literal["A", "B", "tie"]
"""Which answer is better, in the letters of the pairs file; or that neither is. A label is one, too."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

Order = Literal["ab", "ba"]
"""How a judge was shown the two answers: `ab` as in the pairs file, `ba` swapped."""

Failure = Literal["call", "parse"]
"""What a model's failure asks for: no answer came back, so the call is owed again (`call`); or an answer came back and
no result could be read from it, so the same call would most likely be paid for in vain (`parse`)."""

FailureReason = Literal["no_reply", "wrong_field", "cut_off", "filtered", "two_verdicts", "no_verdict"]
"""Why there is no result, the one list of kinds that every count, table and comparison tells apart.

no_reply      `call`: the endpoint failed, refused this call, or sent nothing that is an answer
wrong_field   `call`: the answer came where none belongs (in the reasoning, beside null content): the server's fault
cut_off       `parse`: the answer is not finished: the token limit, an abort, a finish reason that nobody knows
filtered      `parse`: held back or broken off by a content filter
two_verdicts  `parse`: finished, and says two different things
no_verdict    `parse`: finished, and says nothing that could be read
"""
FAILURE_REASONS: tuple[FailureReason, ...] = get_args(FailureReason)


def opposite(verdict: Verdict) -> Verdict:
    """The other letter; a tie is its own opposite."""
    return verdict if verdict == "tie" else "B" if verdict == "A" else "A"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str
    unknown: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePair:
    """A conversation, two candidate answers, which one people prefer, and why."""

    id: str
    conversation: tuple[Message, ...]
    response_a: str
    response_b: str
    label: Verdict | None
    """None where nobody has said which is better: then no verdict can be right, only consistent."""
    gold_judgment: str | None = None
    """What the file has as `gt_judgment`, thinking part included; None where it has none."""
    benchmark: str = ""
    """What the pair counts under: `source.benchmark` where the file has it, otherwise the file's name."""
    source: object = None
    """The file's `source`, untouched: an object (with `subset`), a string, or None."""
    unknown: Mapping[str, object] = field(default_factory=dict[str, object])
    """Columns of the file that we do not know, kept for writing."""

    @property
    def gold_rationale(self) -> str | None:
        """The gold judgment without its thinking part (all up to the last `</think>`); None where there is none."""
        if self.gold_judgment is None:
            return None
        return self.gold_judgment.rpartition("</think>")[2].strip() or None

    @property
    def subset(self) -> str | None:
        """The part of the benchmark that the pair counts under: `source.subset`, or `source` where it is a string."""
        if isinstance(self.source, str):
            return self.source
        if isinstance(self.source, dict):
            subset = cast("dict[str, object]", self.source).get("subset")
            return None if subset is None else str(subset)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call, as the endpoint reports them."""

    prompt_tokens: int = 0
    """All of them, read from the provider's cache or not."""
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that the provider read from its cache, and bills for less."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The part that every record of a model's call has: what came back, or why nothing did.

    A subclass names the call by its fields without a default, and what was read from the text by `OUTCOME`.
    """

    OUTCOME: ClassVar[str] = "text"
    """The field that holds what the call was made for; null beside no failure means that nothing could be read."""

    text: str = ""
    """The answer as it came, without the thinking part."""
    thinking: str | None = None
    failure: Failure | None = None
    failure_reason: FailureReason | None = None
    """Where there is a failure: its kind. None in records of others, and in those of earlier versions."""
    detail: str | None = None
    """Where there is a failure: what happened, in one line."""
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    batch: str | None = None
    """The batch that carried the call, at a lower price; None: it was a call of its own."""

    @property
    def reason(self) -> FailureReason | None:
        """The kind of the failure, also where a record says no more than `call` or `parse`; None without one."""
        if self.failure is None or self.failure_reason is not None:
            return self.failure_reason
        return "no_reply" if self.failure == "call" else "no_verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment(Answered):
    """A judge's answer about one pair: first the rationale, then the verdict."""

    OUTCOME: ClassVar[str] = "verdict"

    pair_id: str
    benchmark: str = ""
    order: Order = "ab"
    draw: int = 0
    rationale: str = ""
    """The answer without its verdict: what a meta-judge reads. Its A and B are those of `order`."""
    verdict: Verdict | None = None
    """In the letters of the pairs file, whatever the order shown."""
    much: bool | None = None
    """True where the verdict says much better (`A>>B`): Arena-Hard weighs it threefold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldPoint:
    """One decisive point of a gold rationale, and whether the judge's rationale states it."""

    text: str
    stated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaJudgment(Answered):
    """A meta-judge's answer about one judgment: does it rest on the decisive reasons of the gold rationale?"""

    OUTCOME: ClassVar[str] = "aligned"

    pair_id: str
    benchmark: str = ""
    order: Order = "ab"
    draw: int = 0
    vote: int = 0
    """Which of several answers about the same judgment; the majority of those that answered counts."""
    aligned: bool | None = None
    points: tuple[GoldPoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score of one judgment: all that the measures, a comparison and a correction need, without texts."""

    pair_id: str
    benchmark: str
    subset: str | None
    prompt: int
    """The same number for pairs of one conversation: the unit of every interval."""
    order: Order
    draw: int
    label: Verdict | None
    answered: bool
    """False where the call never came back: nothing is known, nothing is counted."""
    verdict: Verdict | None
    failure_reason: FailureReason | None = None
    """Why there is no verdict."""
    aligned: bool | None
    """The majority of the meta-judge's votes; None where it was not asked, or gave no majority."""
    meta_failed: bool
    """Whether the meta-judge was asked and gave no majority."""
