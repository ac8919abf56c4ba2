"""The protocol of a chat model: messages in, one reply out. Endpoint, local and scripted model all follow it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ralign.errors import CallFailed
from ralign.records import Message, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling parameters of a reply. None leaves the choice to the model."""

    temperature: float | None = None
    max_tokens: int | None = None
    """Maximum number of new tokens, thinking included."""


class Request(NamedTuple):
    """One call to a chat model, before it is made."""

    messages: Sequence[Message]
    sampling: Sampling
    seed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of a chat model."""

    text: str
    """The final answer only."""
    thinking: str | None = None
    """The reasoning before it: `reasoning_content`, or the text up to `</think>`."""
    finish_reason: str | None = None
    """`length` where the token limit cut the reply off."""
    model: str | None = None
    """The model's name as the answer states it."""
    usage: Usage = field(default_factory=Usage)


class ChatModel(Protocol):
    """Anything that answers a list of messages."""

    @property
    def name(self) -> str:
        """The model's name, as a recipe or a flag gives it."""
        ...

    async def reply(
        self, messages: Sequence[Message], sampling: Sampling, *, seed: int | None = None
    ) -> Reply:
        """Answer the messages once.

        Many calls may be in flight at once; the model bounds its own concurrency.

        Raises:
            CallFailed: this call failed for good; the caller records it and goes on.
            EndpointRefused: no call can succeed; the caller stops.
        """
        ...


async def reply_or_failure(model: ChatModel, request: Request) -> Reply | CallFailed:
    """A model's reply, or how the call failed: a failure is data.

    Raises:
        EndpointRefused: no call can succeed.
    """
    try:
        return await model.reply(request.messages, request.sampling, seed=request.seed)
    except CallFailed as error:
        return error


LoadLocalModel = Callable[[str], ChatModel]
"""Loads a model on this machine by path or hub name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model that a run asks."""

    name: str
    url: str | None
    """Its endpoint; None: a model on this machine."""
    key_variable: str
    body: str | None = None
    """More fields for its requests, as a JSON object."""
    body_flag: str = "--body"
    """The flag that errors about `body` name."""
