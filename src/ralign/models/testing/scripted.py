"""A chat model with scripted answers: for tests of whatever talks to a `ChatModel`, ours and users'."""

import asyncio
from collections.abc import Callable, Sequence
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


class ScriptedModel:
    """A `ChatModel` that answers from a function, or from a list in the order of the calls.

    Args:
        script: the function, or the list.
        name: the model's name.
        latency: seconds before each answer.
        concurrency: calls answered at once; None: all.
        remember: keep every call in `calls`; switch it off where there are very many.
    """

    def __init__(
        self,
        script: Script | Sequence[ScriptedAnswer],
        *,
        name: str = "scripted",
        latency: float = 0.0,
        concurrency: int | None = None,
        remember: bool = True,
    ) -> None:
        self.calls: list[ScriptedCall] = []
        self.call_count = 0
        self.in_flight = 0
        self.most_in_flight = 0
        """The most calls that were being answered at the same time."""
        self._script = script
        self._name = name
        self._latency = latency
        self._slots = None if concurrency is None else asyncio.Semaphore(concurrency)
        self._remember = remember

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

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
        number = self.call_count
        self.call_count += 1
        if self._remember:
            self.calls.append(ScriptedCall(tuple(messages), sampling, seed))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            # With no latency, too, the other calls get their turn: a model never answers in the same breath.
            await asyncio.sleep(self._latency)
            if callable(self._script):
                answer = self._script(messages, sampling, seed)
            elif number < len(self._script):
                answer = self._script[number]
            else:
                raise InputError(
                    f"the script of '{self._name}' has {len(self._script)} answers, call {number + 1} came"
                )
        finally:
            self.in_flight -= 1
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Reply):
            return answer
        thinking, text = split_thinking(answer)
        return Reply(text=text, thinking=thinking, finish_reason="stop", model=self._name)
