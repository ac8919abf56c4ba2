"""A batch of questions to a judge: all at once under one cap, equal ones once, one deadline, and an outage waited out.

The policy's counterpart of `ralign.training.asking`, on the same breaker. What fails, or is late, has its failure in
its answer; nothing is raised but what ends training. Only calls that failed count as an outage: a judge whose answer
holds no verdict has answered, and waiting would not change what it says.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

from ralign.errors import EndpointDown, InputError
from ralign.records import Failure
from ralign.training.outage import Guard, Outcome, problem_of

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer", bound=Outcome)


class _Heard(NamedTuple):
    """What a probe found out: whether the judge answers at all."""

    failure: Failure | None = None
    detail: str | None = None


class Asker(Generic[Question, Answer]):
    """Who asks a judge for a whole process. Belongs to one event loop.

    Args:
        ask: asks one question; a failure is in its answer.
        failed: the answer that a question has where none came, with why.
        guard: told of every outcome; while it is open no call but probes is made.
        concurrency: questions out at once.
        deadline: seconds a batch may take; after a pause it starts anew.
    """

    def __init__(
        self,
        ask: Callable[[Question], Awaitable[Answer]],
        failed: Callable[[Question, str], Answer],
        guard: Guard,
        *,
        concurrency: int,
        deadline: float,
    ) -> None:
        if concurrency < 1 or not deadline > 0:
            raise InputError(
                f"concurrency is {concurrency} and the deadline {deadline}, expected more than 0"
            )
        self._ask = ask
        self._failed = failed
        self._guard = guard
        self._slots = asyncio.Semaphore(concurrency)
        self._deadline = deadline

    @property
    def paused_seconds(self) -> float:
        """All pauses together."""
        return self._guard.paused_seconds

    async def ask_all(self, questions: Collection[Question]) -> Mapping[Question, Answer]:
        """The answer to every question.

        Raises:
            EndpointRefused: no call can succeed.
            MetaJudgeDown: the judge is down, and training is not to wait any longer.
        """
        answers = await self._round(questions)
        while self._guard.is_open and (
            missing := [question for question, answer in answers.items() if answer.failure == "call"]
        ):
            # A single question may be one that it can never answer: each probe takes another.
            await self._guard.wait_until_answered(map(self._probe, itertools.cycle(missing)))
            answers |= await self._round(missing)
        return answers

    async def _round(self, questions: Collection[Question]) -> dict[Question, Answer]:
        if not questions:
            return {}
        tasks = {question: asyncio.create_task(self._one(question)) for question in dict.fromkeys(questions)}
        try:
            done, _ = await asyncio.wait(
                tasks.values(), timeout=self._deadline, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()  # raises what ends training
            late = [question for question, task in tasks.items() if task not in done]
            for _ in late:
                self._guard.note(self._lateness)
            return {
                question: task.result() if task in done else self._failed(question, self._lateness)
                for question, task in tasks.items()
            }
        finally:
            for task in tasks.values():
                if task.done() and not task.cancelled():
                    task.exception()  # looked at: asyncio warns of those beside the one that was raised
                task.cancel()

    async def _one(self, question: Question) -> Answer:
        async with self._slots:
            if self._guard.is_open:
                return self._failed(question, "not asked: too many calls before it failed")
            answer = await self._answered(question)
        self._guard.note(problem_of(answer) if answer.failure == "call" else None)
        return answer

    async def _probe(self, question: Question) -> _Heard:
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._answered(question)
        except TimeoutError:
            return _Heard("call", self._lateness)
        return _Heard("call", problem_of(answer)) if answer.failure == "call" else _Heard()

    async def _answered(self, question: Question) -> Answer:
        try:
            return await self._ask(question)
        except EndpointDown as error:
            return self._failed(question, error.last)

    @property
    def _lateness(self) -> str:
        return f"no answer within {self._deadline:g} s"
