"""What an answer is compared with: completions in, one `Grade` each out (the paper's section 4, RLHF).

    AgainstReference   the prompt's reference answer: +1 won, 0 the orders differ, -1 lost
    AgainstGroup       the other answers of its group: twice its win rate, less 1
    Served             whatever a running `ralign serve` says

An answer that never ended is not shown to a judge. In a group it loses against every answer that did, without a call.
Two answers of the same words draw, without a call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import aiohttp

from ralign.errors import CallFailed
from ralign.judging import Judge
from ralign.models.retry import RetryPolicy
from ralign.policy.asking import Asker
from ralign.policy.grading import Grade, PolicyCompletion
from ralign.records import Failure, Judgment, Order, PreferencePair, Verdict
from ralign.rewards.policy import (
    Comparison,
    Side,
    mean_outcome,
    orders_shown,
    round_robin,
    win_rates,
)
from ralign.serving.reward_call import Reward, post_reward, request_body
from ralign.training.outage import Guard

BENCHMARK: Final = "policy"
"""What these judgments have as their benchmark; it enters the calls' seeds."""


class Contest(Protocol):
    """Anything that grades a batch of answers by a judge."""

    @property
    def paused_seconds(self) -> float:
        """Spent so far on waiting for a judge that was down."""
        ...

    async def grade(self, completions: Sequence[PolicyCompletion]) -> list[Grade]:
        """One grade a completion, in their order.

        Raises:
            EndpointRefused: no call can succeed.
            MetaJudgeDown: the judge is down, and training is not to wait any longer.
        """
        ...


class Question(NamedTuple):
    """One call of a judge; equal ones have one answer."""

    prompt_id: str
    response_a: str
    response_b: str
    order: Order


class _Judged:
    """Asks a judge about pairs, all of a batch at once."""

    def __init__(self, judge: Judge, guard: Guard, *, concurrency: int, deadline: float) -> None:
        self._judge = judge
        self._pairs: dict[str, PreferencePair] = {}
        self._asker = Asker[Question, Judgment](
            self._ask, _failed, guard, concurrency=concurrency, deadline=deadline
        )

    @property
    def paused_seconds(self) -> float:
        """Spent so far on waiting for a judge that was down."""
        return self._asker.paused_seconds

    async def verdicts(
        self, pairs: Sequence[PreferencePair], orders: Sequence[Sequence[Order]]
    ) -> list[dict[Order, Judgment]]:
        """For each pair, what the judge says in each of its orders."""
        self._pairs = {pair.id: pair for pair in pairs}
        asked = [_questions(pair, shown) for pair, shown in zip(pairs, orders, strict=True)]
        answers = await self._asker.ask_all([question for each in asked for question in each.values()])
        return [_answered(each, answers) for each in asked]

    async def _ask(self, question: Question) -> Judgment:
        pair = self._pairs[question.prompt_id]
        shown = replace(pair, response_a=question.response_a, response_b=question.response_b)
        return await self._judge.judge(shown, question.order, 0)


class AgainstReference:
    """Compares every answer with its prompt's reference answer."""

    def __init__(
        self,
        judge: Judge,
        guard: Guard,
        *,
        concurrency: int,
        deadline: float,
        side: Side = "both",
        seed: int = 0,
    ) -> None:
        self._judged = _Judged(judge, guard, concurrency=concurrency, deadline=deadline)
        self._side: Side = side
        self._seed = seed

    @property
    def paused_seconds(self) -> float:
        """Spent so far on waiting for a judge that was down."""
        return self._judged.paused_seconds

    async def grade(self, completions: Sequence[PolicyCompletion]) -> list[Grade]:
        """+1, 0 or -1 each; see `Contest`."""
        grades = [Grade()] * len(completions)
        ended = [place for place, completion in enumerate(completions) if completion.ended]
        pairs = [replace(completions[place].pair, response_a=completions[place].answer) for place in ended]
        orders = [orders_shown(self._side, pair.id, seed=self._seed) for pair in pairs]
        for place, judgments in zip(ended, await self._judged.verdicts(pairs, orders), strict=True):
            verdicts: dict[Order, Verdict | None] = {
                order: judgment.verdict for order, judgment in judgments.items()
            }
            grades[place] = Grade(
                mean_outcome(list(verdicts.values())), verdicts, _problem(list(judgments.values()))
            )
        return grades


class AgainstGroup:
    """Compares the answers of each group with each other."""

    def __init__(
        self,
        judge: Judge,
        guard: Guard,
        *,
        group_size: int,
        neighbours: int | None = None,
        concurrency: int,
        deadline: float,
        side: Side = "both",
        seed: int = 0,
    ) -> None:
        self._judged = _Judged(judge, guard, concurrency=concurrency, deadline=deadline)
        self._group_size = group_size
        self._comparisons = round_robin(group_size, neighbours=neighbours)
        self._side: Side = side
        self._seed = seed

    @property
    def paused_seconds(self) -> float:
        """Spent so far on waiting for a judge that was down."""
        return self._judged.paused_seconds

    async def grade(self, completions: Sequence[PolicyCompletion]) -> list[Grade]:
        """From -1 (lost against all) to 1 (won against all) each; see `Contest`.

        The completions of a group stand together; their number is a multiple of the group's size.
        """
        size = self._group_size
        groups = [completions[start : start + size] for start in range(0, len(completions), size)]
        decided: list[dict[Comparison, float | None]] = [{} for _ in groups]
        owed: list[tuple[int, Comparison]] = []
        pairs: list[PreferencePair] = []
        for number, group in enumerate(groups):
            for comparison in self._comparisons:
                known = _without_a_call(group[comparison.a], group[comparison.b])
                if known is not None:
                    decided[number][comparison] = known
                elif group[comparison.a].ended:  # then both have: of two that never end, neither wins
                    owed.append((number, comparison))
                    pairs.append(_contest(group, comparison))
        orders = [orders_shown(self._side, pair.id, seed=self._seed) for pair in pairs]
        judged = await self._judged.verdicts(pairs, orders)
        problems: list[list[str]] = [[] for _ in groups]
        for (number, comparison), judgments in zip(owed, judged, strict=True):
            decided[number][comparison] = mean_outcome([each.verdict for each in judgments.values()])
            if (problem := _problem(list(judgments.values()))) is not None:
                problems[number].append(problem)
        grades: list[Grade] = []
        for number, group in enumerate(groups):
            rates = win_rates(size, decided[number])
            problem = problems[number][0] if problems[number] else None
            grades.extend(
                Grade(None if rate is None or not one.ended else 2 * rate - 1, {}, problem)
                for rate, one in zip(rates, group, strict=True)
            )
        return grades


class ServedAnswer(NamedTuple):
    """What a running service says of one answer."""

    reward: Reward | None
    failure: Failure | None = None
    detail: str | None = None


class _Request(NamedTuple):
    body: bytes


class Served:
    """Asks a running `ralign serve` for whole rewards."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        guard: Guard,
        *,
        concurrency: int,
        deadline: float,
    ) -> None:
        self._session = session
        self._url = url
        self._patience = RetryPolicy(deadline=deadline)
        self._asker = Asker[_Request, ServedAnswer](
            self._ask,
            lambda request, why: ServedAnswer(None, "call", why),
            guard,
            concurrency=concurrency,
            deadline=deadline,
        )

    @property
    def paused_seconds(self) -> float:
        """Spent so far on waiting for a service that was down."""
        return self._asker.paused_seconds

    async def rewards(self, completions: Sequence[PolicyCompletion]) -> list[ServedAnswer]:
        """What the service says of each completion, in their order.

        Raises:
            EndpointRefused: the service refuses our requests.
            MetaJudgeDown: it is down, and training is not to wait any longer.
        """
        requests = [_Request(_body(completion)) for completion in completions]
        answers = await self._asker.ask_all(requests)
        return [answers[request] for request in requests]

    async def _ask(self, request: _Request) -> ServedAnswer:
        try:
            reward = await post_reward(self._session, self._url, request.body, self._patience)
        except CallFailed as error:
            return ServedAnswer(None, "call", str(error))
        if reward.reward is None:
            # The service says of each order without a verdict whether its judge's call failed.
            failed = reward.reason is not None and "(call)" in reward.reason
            return ServedAnswer(reward, "call" if failed else "parse", reward.reason)
        return ServedAnswer(reward)


def _body(completion: PolicyCompletion) -> bytes:
    turns = [{"role": turn.role, "content": turn.content} for turn in completion.pair.conversation]
    pair = completion.pair
    # Marked as thinking where the prompt opened it: the service has not seen the chat template.
    return request_body(turns, completion.whole, pair.response_b, pair.id, completion.finish_reason)


def _contest(group: Sequence[PolicyCompletion], comparison: Comparison) -> PreferencePair:
    a, b = group[comparison.a], group[comparison.b]
    return replace(a.pair, response_a=a.answer, response_b=b.answer)


def _without_a_call(a: PolicyCompletion, b: PolicyCompletion) -> float | None:
    """The outcome of a comparison that no judge is needed for; None where one is, or where nothing can be said."""
    if a.ended != b.ended:
        return 1.0 if a.ended else -1.0
    return 0.0 if a.ended and a.answer == b.answer else None


def _questions(pair: PreferencePair, orders: Sequence[Order]) -> dict[Order, Question]:
    return {order: Question(pair.id, pair.response_a, pair.response_b, order) for order in orders}


def _answered(
    questions: Mapping[Order, Question], answers: Mapping[Question, Judgment]
) -> dict[Order, Judgment]:
    return {order: answers[question] for order, question in questions.items()}


def _problem(judgments: Sequence[Judgment]) -> str | None:
    missing = [each for each in judgments if each.verdict is None]
    return None if not missing else missing[0].detail or missing[0].failure


def _failed(question: Question, why: str) -> Judgment:
    return Judgment(
        pair_id=question.prompt_id, benchmark=BENCHMARK, order=question.order, failure="call", detail=why
    )
