"""Batched calls of one model during training: one cap, equal calls once, one deadline a batch, outages waited out.

Judging is slow and paid for, so: at most `concurrency` calls are in flight, whoever asks; who asks what is being asked
already waits for the same answer; answers are remembered for a while, so that the same text gets the same reward. What
failed is forgotten, and asked again the next time.

    batch = calls.batch()
    batch.ask(key, about)          # on its way at once; as often as you like
    await batch.finish()           # every answer in time, the rest failed; an outage is waited out in here
    batch.answers[key]

What fails, or is late, has its failure in its answer; nothing is raised but what ends training.
"""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from ralign.errors import EndpointDown, InputError
from ralign.training.reward.outage import Guard, Outcome, Probe

Key = TypeVar("Key", bound=Hashable)
About = TypeVar("About")
Answer = TypeVar("Answer", bound=Outcome)


@dataclass(slots=True)
class _Call(Generic[Answer]):
    """A call in flight, and how many wait for it."""

    task: asyncio.Task[Answer]
    waiting: int = 0


class BatchedCalls(Generic[Key, About, Answer]):
    """All calls of a process to one model. Belongs to one event loop.

    Args:
        ask: makes one call; a failure is in its answer.
        failed: the answer of a call that got none, with why.
        problem: why an answer counts as failed, in one line; None where it is an answer. What counts is the model's
            business: a meta-judgment that cannot be read leaves nothing to train on, a judge without a verdict has
            answered.
        guard: told of every outcome; while it is open no call but probes is made.
        concurrency: calls in flight at most.
        deadline: seconds a batch may take; after a pause it starts anew.
        remembered: how many answered calls are kept.

    Raises:
        InputError: a number that cannot be.
    """

    def __init__(
        self,
        ask: Callable[[About], Awaitable[Answer]],
        failed: Callable[[About, str], Answer],
        problem: Callable[[Answer], str | None],
        guard: Guard,
        *,
        concurrency: int,
        deadline: float,
        remembered: int = 1024,
    ) -> None:
        if concurrency < 1 or not deadline > 0:
            raise InputError(
                f"concurrency is {concurrency} and the deadline {deadline}, expected more than 0"
            )
        self.guard = guard
        self.deadline = deadline
        self.failed = failed
        self.problem = problem
        self._ask = ask
        self._slots = asyncio.Semaphore(concurrency)
        self._remembered = remembered
        self._answered: OrderedDict[Key, Answer] = OrderedDict()
        self._calls: dict[Key, _Call[Answer]] = {}

    def batch(self) -> "CallBatch[Key, About, Answer]":
        """A new batch, whose deadline starts now; an async context manager that ends what is still on its way."""
        return CallBatch(self)

    @property
    def lateness(self) -> str:
        """Reason of a call that the deadline cut off."""
        return f"no answer within {self.deadline:g} s"

    async def call(self, key: Key, about: About) -> Answer:
        """One answer; a failure is in it. One who stops waiting ends the call, unless others wait for it.

        Raises:
            EndpointRefused: no call can succeed.
        """
        if (known := self._answered.get(key)) is not None:
            self._answered.move_to_end(key)
            return known
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call(asyncio.create_task(self._guarded(key, about)))
            call.task.add_done_callback(lambda _: self._forget(key, call))
        call.waiting += 1
        try:
            return await asyncio.shield(call.task)
        finally:
            call.waiting -= 1
            if not call.waiting and not call.task.done():
                call.task.cancel()
                # Now: nobody may join a call that is about to end.
                self._forget(key, call)

    async def probe(self, key: Key, about: About) -> Probe:
        """Call although the guard is open; the outcome is not noted there, but an answer is remembered.

        Raises:
            EndpointRefused: no call can succeed.
        """
        try:
            async with asyncio.timeout(self.deadline):
                async with self._slots:
                    answer = await self._answer(about)
        except TimeoutError:
            return Probe(self.lateness)
        self._remember(key, answer)
        return Probe(self.problem(answer))

    async def _guarded(self, key: Key, about: About) -> Answer:
        async with self._slots:
            if self.guard.is_open:
                return self.failed(about, "not asked: too many calls before it failed")
            answer = await self._answer(about)
        self.guard.note(self.problem(answer))
        self._remember(key, answer)
        return answer

    async def _answer(self, about: About) -> Answer:
        try:
            return await self._ask(about)
        except EndpointDown as error:
            return self.failed(about, error.last)

    def _forget(self, key: Key, call: _Call[Answer]) -> None:
        if self._calls.get(key) is call:
            del self._calls[key]

    def _remember(self, key: Key, answer: Answer) -> None:
        # An answer without a failure: one that cannot be read may read better the next time.
        if answer.failure is None and self.problem(answer) is None:
            self._answered[key] = answer
            if len(self._answered) > self._remembered:
                self._answered.popitem(last=False)


class CallBatch(Generic[Key, About, Answer]):
    """Calls of one batch on their way."""

    def __init__(self, calls: BatchedCalls[Key, About, Answer]) -> None:
        self.answers: dict[Key, Answer] = {}
        self.late: set[Key] = set()
        """Keys without an answer by the deadline."""
        self._calls = calls
        self._until = asyncio.get_running_loop().time() + calls.deadline
        self._asked: dict[Key, About] = {}
        self._tasks: dict[Key, asyncio.Task[Answer]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks.values():
            if task.done() and not task.cancelled():
                # Looked at, so that asyncio does not warn of those beside the one that was raised.
                task.exception()
            task.cancel()

    def ask(self, key: Key, about: About) -> None:
        """Send a call off, unless the batch has it already."""
        if key not in self._asked:
            self._asked[key] = about
            self._send(key)

    async def finish(self) -> None:
        """Wait for the answers; where the model is down, until it is back, and ask again what failed.

        Raises:
            EndpointRefused: no call can succeed.
            MetaJudgeDown: the model is down, and training is not to wait any longer.
        """
        calls = self._calls
        await self._collect()
        while calls.guard.is_open and (
            missing := [key for key, answer in self.answers.items() if calls.problem(answer) is not None]
        ):
            # A single call may be one that it can never answer: each probe takes another.
            probes = (calls.probe(key, self._asked[key]) for key in itertools.cycle(missing))
            await calls.guard.wait_until_answered(probes)
            self.late.clear()
            self._until = asyncio.get_running_loop().time() + calls.deadline
            for key in missing:
                self._send(key)
            await self._collect()

    def _send(self, key: Key) -> None:
        self._tasks[key] = asyncio.create_task(self._calls.call(key, self._asked[key]))

    async def _collect(self) -> None:
        """Take in all answers that come in time; the rest is late."""
        if not self._tasks:
            return
        calls = self._calls
        left = self._until - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait(
            self._tasks.values(), timeout=max(left, 0.0), return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            # Raises what ends training.
            task.result()
        late = [key for key, task in self._tasks.items() if task not in done]
        for key in late:
            self._tasks.pop(key).cancel()
            self.answers[key] = calls.failed(self._asked[key], calls.lateness)
        # Stragglers are noted all at once, and a few of them are no outage, though they come in a row: only where their
        # share of the batch is one does the guard hear of them.
        if late and len(late) >= calls.guard.threshold * (len(late) + len(done)):
            for _ in late:
                calls.guard.note(calls.lateness)
        self.late.update(late)
        self.answers.update((key, task.result()) for key, task in self._tasks.items())
        self._tasks.clear()
