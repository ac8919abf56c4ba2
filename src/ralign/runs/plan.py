"""A command's plan: what it works on, what is still owed, what the answers come to."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeVar

from ralign.errors import CallFailed
from ralign.models.model import ChatModel, ModelSpec, Request, reply_or_failure
from ralign.records import Answered
from ralign.runs.log import Log
from ralign.runs.unreadable import Suggest, UnreadableCheck

Item = TypeVar("Item")

Ask = Callable[..., Awaitable[Any]]
"""Takes what a call is about, gives its record. A call that failed is a record with `failure="call"`."""


class ModelCalls(Protocol):
    """How a chat model is asked: pure, so that a dry run can count it and a provider's batch can carry it.

    What a call is about are the arguments of both methods, as in `Call.about`.
    """

    # `*about: Any, **unused: Any` is how the type system spells "any arguments": each role has its own.
    def request(self, *about: Any, **unused: Any) -> Request | Answered:
        """Request to send; or the record itself, where there is nothing to ask."""
        ...

    def read(self, answer: Any, *about: Any, **unused: Any) -> Answered:
        """The record of a `Reply`, or of a call that failed (`CallFailed`)."""
        ...


class Live(NamedTuple):
    """A chat model that is still to be opened, and how it is asked."""

    spec: ModelSpec
    calls: ModelCalls
    bind: Callable[[ChatModel], Ask] | None = None
    """Asks the opened model for something else than a reply, such as probabilities."""


class Role:
    """Who is asked, and where the answers go.

    Args:
        name: `judge`, `meta_judge`, ...: the key of usage, price and prompt digest everywhere.
        log: its records.
        asked: a chat model, or anything that gives records: a recorded file, a program, a test's table.
        recorded: whether its answers are read from a file: anew at every start, since the file may have been mended.
        suggest: names the flag that would read texts which could not be read.
    """

    def __init__(
        self,
        name: str,
        log: Log[Any],
        asked: Live | Ask,
        *,
        recorded: bool = False,
        suggest: Suggest | None = None,
    ) -> None:
        self.name = name
        self.recorded = recorded
        self.log = log
        self.check = UnreadableCheck(name, suggest)
        self.live = asked if isinstance(asked, Live) else None
        self.ask: Ask | None = None if isinstance(asked, Live) else asked

    def open(self, model: ChatModel) -> None:
        """Have this model answer from here on."""
        assert self.live is not None, "only a live role has a model"
        # Bound before the loop starts: what a role is asked through cannot change under calls in flight.
        calls = self.live.calls
        if self.live.bind is not None:
            self.ask = self.live.bind(model)
            return

        async def ask(*about: Any) -> Answered:
            request = calls.request(*about)
            if isinstance(request, Answered):
                return request
            answer = await reply_or_failure(model, request)
            record = calls.read(answer, *about)
            # A call that failed may have been paid for all the same.
            return replace(record, usage=answer.usage) if isinstance(answer, CallFailed) else record

        self.ask = ask


class Call(NamedTuple):
    """One call that is owed."""

    role: Role
    about: tuple[Any, ...]


class Plan(Protocol[Item]):
    """The part of a run that a command writes; see `ralign.runs`."""

    @property
    def roles(self) -> Sequence[Role]:
        """Everybody who is asked."""
        ...

    @property
    def size(self) -> int:
        """How many items there are, for the progress bar."""
        ...

    def waves(self) -> Iterable[Iterable[Item]]:
        """The items, wave after wave, each read as it goes; one begins when the one before is settled.

        Most plans have one. `probe` has two: every judgment is there before the first is put in another's place.
        """
        ...

    def owed(self, item: Item, /) -> Sequence[Call]:
        """The calls to make next about an item, together; empty: it is settled."""
        ...

    def forecast(self, item: Item, /) -> tuple[Sequence[Call], Sequence[Call]]:
        """The calls that an item still takes, at least and at most."""
        ...

    def results(self) -> dict[str, Any]:
        """The figures, and `owed`: by name, how many calls have no answer. Writes the run's other files."""
        ...
