"""One request's times, on the event loop's clock: set by the gate, read and added to by what answers it."""

from collections.abc import Awaitable
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class RequestClock:
    """When a request came, until when it must be answered, and how long it waited for models. Seconds."""

    arrived: float
    deadline: float
    waited: float = 0.0

    @property
    def overhead(self) -> float:
        """What the request took so far without the models."""
        return monotonic() - self.arrived - self.waited


current_clock: ContextVar[RequestClock] = ContextVar("current_clock")
"""The clock of the request that the running task answers."""


async def waiting(for_models: Awaitable[Result]) -> Result:
    """Await the models and note how long it took. Calls that overlap within a request are counted each."""
    clock = current_clock.get()
    before = monotonic()
    try:
        return await for_models
    finally:
        clock.waited += monotonic() - before
