"""Requests and responses over HTTP, as records: the OpenAPI page is made of these.

Pydantic checks them at the boundary; a name that is not known is refused, for a misspelt optional field would
otherwise be a reward without what was asked for. Rewards are `null` where there is none, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from ralign.records import Judgment, Message, MetaJudgment, Order, Verdict

_STRICT = ConfigDict(extra="forbid")


def _writable(text: str) -> str:
    """The text with `?` for half surrogate pairs, which JSON's escapes can spell and no UTF-8 request can hold."""
    return text.encode("utf-8", "replace").decode()


def _writable_turns(turns: tuple[Message, ...]) -> tuple[Message, ...]:
    # Most conversations are ASCII, and a check is cheaper than new records.
    if all(turn.role.isascii() and turn.content.isascii() for turn in turns):
        return turns
    return tuple(replace(turn, role=_writable(turn.role), content=_writable(turn.content)) for turn in turns)


Text = Annotated[str, AfterValidator(_writable)]

Conversation = Annotated[tuple[Message, ...], Field(min_length=1), AfterValidator(_writable_turns)]
"""The messages up to and including the last user turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """Two answers to one conversation."""

    __pydantic_config__ = _STRICT

    conversation: Conversation
    response_a: Text
    response_b: Text
    id: Text | None = None
    """Names the pair, and seeds its calls. Default: a hash of the conversation."""
    orders: Literal["ab", "ba", "both"] = "both"
    label: Verdict | None = None
    """With a gold rationale: the better answer, so that a right verdict is meta-judged."""
    gold_rationale: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareResponse:
    """Judgments in each order, and meta-judgments of the right verdicts."""

    id: str
    verdict: Verdict | None
    """The answer that is better in every order asked; null where the orders differ or one gave no verdict."""
    judgments: tuple[Judgment, ...]
    meta_judgments: tuple[MetaJudgment, ...] = ()
    aligned: bool | None = None
    """Whether every meta-judgment says so; null where there is none, or one failed."""
    reason: str | None = None
    """Why `verdict`, or an `aligned` that was asked for, is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRequest:
    """One answer of a policy, and the reference answer it is compared with."""

    __pydantic_config__ = _STRICT

    conversation: Conversation
    answer: Text
    """The policy's text as it came, thinking included."""
    reference_answer: Text
    id: Text | None = None
    """Names the prompt, and draws the side where one is drawn. Default: a hash of the conversation."""
    finish_reason: Text | None = None
    """As the engine gives it: `length` where the token limit cut the answer off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardResponse:
    """Reward of one answer, and its parts."""

    id: str
    reward: float | None
    """score - length_penalty - format_penalty; null where the judge gave no verdict."""
    reason: str | None = None
    """Why there is no reward, or why the answer was not judged."""
    score: float | None = None
    """The judge's part: 1 won, 0 the orders differ, -1 lost."""
    length_penalty: float = 0.0
    format_penalty: float = 0.0
    verdicts: Mapping[Order, Verdict | None] = field(default_factory=dict[Order, Verdict | None])
    """By order; A is the policy's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRlhfRequest:
    """Request of OpenRLHF's client: three lists of one length."""

    query: tuple[str, ...]
    """Prompt and answer as one text, special tokens included."""
    prompts: tuple[str, ...] = ()
    labels: tuple[str | Mapping[str, Any] | None, ...] = ()
    """Side data: a JSON object (or its text) with `reference_answer`, and optionally `id` and `conversation`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRlhfResponse:
    """Response to OpenRLHF's client. Always numbers: a fallback where there is no reward, and `judge_ok` below 1."""

    rewards: tuple[float, ...]
    scores: tuple[float, ...]
    """The judge's part on a scale from 0 to 1, which dynamic filtering reads."""
    extra_logs: Mapping[str, float]
    """Means over the request's answers, of which the client sends one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the service answers, and whether its models do."""

    status: Literal["ok", "failing"]
    """`failing`: the last call to a model was refused; the service itself still answers."""
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request has no answer, in one line."""

    error: str
