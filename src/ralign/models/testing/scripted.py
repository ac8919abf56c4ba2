"""A chat model with scripted answers: for tests of whatever talks to a `ChatModel`, ours and users'."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple

from ralign.errors import InputError
from ralign.models.model import Reply, Sampling
from ralign.records import Message
from ralign.thinking import split_thinking

ScriptedAnswer = str | Reply | Exception
"""The text of a reply (thinking in `<think>` is parted from it), a reply, or an exception to raise."""

Script = Callable[[Sequence[Message], Sampling, int | None], ScriptedAnswer]
"""Messages, sampling and seed in; the answer out."""


class ScriptedCall(NamedTuple):
    """One call that was made."""

    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int | None


@dataclass(eq=False)
class ScriptedModel:
    """A `ChatModel` that answers from a function, or from a list in the order of the calls."""

    script: Script | Sequence[ScriptedAnswer]
    _: KW_ONLY
    name: str = "scripted"
    latency: float = 0.0
    """Seconds before each answer."""
    concurrency: int | None = None
    """Calls answered at once; None: all."""
    remember: bool = True
    """Keep every call in `calls`; switch it off where there are very many."""

    calls: list[ScriptedCall] = field(init=False, default_factory=list[ScriptedCall])
    call_count: int = field(init=False, default=0)
    in_flight: int = field(init=False, default=0)
    most_in_flight: int = field(init=False, default=0)
    """The most calls that were being answered at the same time."""

    def __post_init__(self) -> None:
        self._slots = None if self.concurrency is None else asyncio.Semaphore(self.concurrency)

    async def reply(
        self, messages: Sequence[Message], sampling: Sampling, *, seed: int | None = None
    ) -> Reply:
        """The script's answer to this call.

        Raises:
            InputError: the list holds no more answers.
            Exception: whatever the script gives or raises.
        """
        if self._slots is None:
            return await self._answer(messages, sampling, seed)
        async with self._slots:
            return await self._answer(messages, sampling, seed)

    async def _answer(self, messages: Sequence[Message], sampling: Sampling, seed: int | None) -> Reply:
        # Counted before the wait: the list answers in the order in which the calls came, not in which they end.
        number = self.call_count
        self.call_count += 1
        if self.remember:
            self.calls.append(ScriptedCall(tuple(messages), sampling, seed))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            # With no latency, too, the other calls get their turn: a model never answers in the same breath.
            await asyncio.sleep(self.latency)
            if callable(self.script):
                answer = self.script(messages, sampling, seed)
            elif number < len(self.script):
                answer = self.script[number]
            else:
                raise InputError(
                    f"the script of '{self.name}' has {len(self.script)} answers, call {number + 1} came"
                )
        finally:
            self.in_flight -= 1
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Reply):
            return answer
        thinking, text = split_thinking(answer)
        return Reply(text=text, thinking=thinking, finish_reason="stop", model=self.name)
