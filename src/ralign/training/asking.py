"""Judgments -> meta-judgments, for a whole process: one cap, equal questions asked once, votes counted.

Judging is slow and paid for, so: at most `concurrency` calls are in flight, whoever asks; who asks what is being asked
already waits for the same answer; answers are remembered for a while, so that the same text gets the same reward. What
failed is forgotten, and asked again the next time.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from ralign.errors import EndpointDown, InputError
from ralign.metajudging import MetaJudge, majority, says_nothing
from ralign.records import Judgment, MetaJudgment, Order, PreferencePair
from ralign.training.outage import Guard, problem_of


class Question(NamedTuple):
    """What a meta-judge is asked about; equal ones have one answer."""

    benchmark: str
    pair_id: str
    order: Order
    rationale: str

    @classmethod
    def about(cls, judgment: Judgment) -> "Question":
        """The question that this judgment raises."""
        return cls(judgment.benchmark, judgment.pair_id, judgment.order, judgment.rationale)


@dataclass(slots=True)
class _Call:
    """A call in flight, and how many wait for it."""

    task: asyncio.Task[MetaJudgment]
    waiting: int = 0


class SharedMetaJudge:
    """One meta-judge as all of a process asks it. Belongs to one event loop.

    Args:
        meta_judge: who is asked.
        guard: told of every outcome; while it is open no call is made.
        concurrency: calls in flight at most.
        votes: answers per question; the majority counts.
        remembered: how many answered questions are kept.

    Raises:
        InputError: a count that cannot be.
    """

    def __init__(
        self, meta_judge: MetaJudge, guard: Guard, *, concurrency: int, votes: int = 1, remembered: int = 1024
    ) -> None:
        if concurrency < 1:
            raise InputError(f"concurrency is {concurrency}, expected at least 1")
        if votes < 1 or votes % 2 == 0:
            raise InputError(f"votes is {votes}, expected an odd number so that there is a majority")
        self._meta_judge = meta_judge
        self._guard = guard
        self._slots = asyncio.Semaphore(concurrency)
        self._votes = votes
        self._remembered = remembered
        self._answered: OrderedDict[Question, MetaJudgment] = OrderedDict()
        self._calls: dict[Question, _Call] = {}

    async def ask(self, pair: PreferencePair, judgment: Judgment) -> MetaJudgment:
        """The meta-judgment; a failure is in it. One who stops waiting ends the call, unless others wait for it.

        Raises:
            EndpointRefused: no call can succeed.
        """
        question = Question.about(judgment)
        if (known := self._answered.get(question)) is not None:
            self._answered.move_to_end(question)
            return known
        call = self._calls.get(question)
        if call is None:
            call = self._calls[question] = _Call(asyncio.create_task(self._call(pair, judgment)))
            call.task.add_done_callback(lambda _: self._forget(question, call))
        call.waiting += 1
        try:
            return await asyncio.shield(call.task)
        finally:
            call.waiting -= 1
            if not call.waiting and not call.task.done():
                call.task.cancel()
                self._forget(question, call)  # now: nobody may join a call that is about to end

    async def probe(self, pair: PreferencePair, judgment: Judgment) -> MetaJudgment:
        """Ask although the guard is open; the outcome is not noted there, but an answer is remembered.

        Raises:
            EndpointRefused: no call can succeed.
        """
        meta_judgment = await self._decide(pair, judgment, although_open=True)
        self._remember(Question.about(judgment), meta_judgment)
        return meta_judgment

    async def _call(self, pair: PreferencePair, judgment: Judgment) -> MetaJudgment:
        meta_judgment = await self._decide(pair, judgment)
        if not says_nothing(judgment.rationale):  # about those nobody is called, up or down
            self._guard.note(None if meta_judgment.aligned is not None else problem_of(meta_judgment))
        self._remember(Question.about(judgment), meta_judgment)
        return meta_judgment

    async def _decide(
        self, pair: PreferencePair, judgment: Judgment, *, although_open: bool = False
    ) -> MetaJudgment:
        """One answer, or the majority of several; its points are those of the majority's first vote."""
        if self._votes == 1:
            return await self._vote(pair, judgment, 0, although_open)
        votes = await asyncio.gather(
            *(self._vote(pair, judgment, vote, although_open) for vote in range(self._votes))
        )
        decision = majority(vote.aligned for vote in votes)
        if decision is not None:
            return next(vote for vote in votes if vote.aligned == decision)
        return next(vote for vote in votes if vote.failure is not None)  # of an odd number, one at least

    async def _vote(
        self, pair: PreferencePair, judgment: Judgment, vote: int, although_open: bool
    ) -> MetaJudgment:
        async with self._slots:
            if self._guard.is_open and not although_open:
                return failed(judgment, "not asked: too many calls before it failed", vote=vote)
            try:
                return await self._meta_judge.meta_judge(pair, judgment, vote)
            except EndpointDown as error:
                return failed(judgment, error.last, vote=vote)

    def _forget(self, question: Question, call: _Call) -> None:
        if self._calls.get(question) is call:
            del self._calls[question]

    def _remember(self, question: Question, meta_judgment: MetaJudgment) -> None:
        if meta_judgment.aligned is None:
            return
        self._answered[question] = meta_judgment
        if len(self._answered) > self._remembered:
            self._answered.popitem(last=False)


def failed(judgment: Judgment, detail: str, *, vote: int = 0) -> MetaJudgment:
    """The meta-judgment that a judgment has where no answer came."""
    return MetaJudgment(
        pair_id=judgment.pair_id,
        benchmark=judgment.benchmark,
        order=judgment.order,
        draw=judgment.draw,
        vote=vote,
        failure="call",
        detail=detail,
    )
