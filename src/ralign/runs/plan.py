"""A command's plan: what it works on, what is still owed, what the answers come to."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol, TypeVar

from ralign.errors import CallFailed
from ralign.models.calls import ModelCalls, ask
from ralign.models.model import ChatModel, ModelSpec
from ralign.models.python import PythonFunction
from ralign.records import Answered
from ralign.runs.log import Log
from ralign.runs.unreadable import Suggest, UnreadableCheck

Item = TypeVar("Item")

Ask = Callable[..., Awaitable[Any]]
"""Takes what a call is about, gives its record. A call that failed is a record with `failure="call"`."""


class Live(NamedTuple):
    """A chat model that is still to be opened, and how it is asked."""

    spec: ModelSpec
    calls: ModelCalls[Answered]
    bind: Callable[[Any], Ask] | None = None
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

    def open(self, model: ChatModel | PythonFunction) -> None:
        """Have this model answer from here on."""
        assert self.live is not None, "only a live role has a model"
        # Bound before the loop starts: what a role is asked through cannot change under calls in flight.
        bind = self.live.bind
        self.ask = partial(ask, model, self.live.calls) if bind is None else bind(model)

    def call_id(self, about: tuple[Any, ...]) -> str:
        """The name of a call in every batch: the role's, and a digest of the fields that name its record.

        Not its slot, which another limit or number of draws would change while a batch is out.
        """
        assert self.live is not None, "only a model's calls are handed in"
        record = self.live.calls.read(CallFailed("not asked"), *about)
        shared = {field.name for field in fields(Answered)}
        names = sorted(field.name for field in fields(record) if field.name not in shared)
        named = repr([(name, value) for name in names if (value := getattr(record, name))])
        digest = blake2b(named.encode("utf-8", "backslashreplace"), digest_size=12)
        return f"{self.name}-{digest.hexdigest()}"


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
