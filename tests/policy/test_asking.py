import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ralign.errors import EndpointDown, EndpointRefused, InputError, MetaJudgeDown
from ralign.policy.asking import Asker
from ralign.records import Failure
from ralign.training.breaker import Limits
from ralign.training.outage import Guard, OutagePlan


class Said(NamedTuple):
    text: str
    failure: Failure | None = None
    detail: str | None = None


class Oracle:
    """Answers `fine`, or what the test says, and counts."""

    def __init__(
        self, says: Callable[[str, int], Said | Exception] = lambda q, n: Said("fine"), latency: float = 0
    ):
        self.says = says
        self.latency = latency
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, question: str) -> Said:
        self.asked.append(question)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.at_once -= 1
        said = self.says(question, len(self.asked))
        if isinstance(said, Exception):
            raise said
        return said


def failed(question: str, why: str) -> Said:
    return Said("", "call", why)


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


def asker(oracle: Oracle, *, concurrency: int = 8, deadline: float = 5.0, **plan) -> Asker[str, Said]:
    limits = Limits(threshold=0.5, window=8, minimum=4)
    guard = Guard(
        OutagePlan(limits=limits, **plan), name="the oracle", sleep=no_sleep, tell=lambda line: None
    )
    return Asker(oracle, failed, guard, concurrency=concurrency, deadline=deadline)


async def test_equal_questions_are_asked_once_and_never_more_than_so_many_at_once() -> None:
    oracle = Oracle(latency=0.01)
    answers = await asker(oracle, concurrency=3).ask_all([f"q{number % 10}" for number in range(40)])
    assert sorted(oracle.asked) == [f"q{number}" for number in range(10)]
    assert oracle.most_at_once == 3
    assert set(answers.values()) == {Said("fine")}


async def test_what_is_late_fails_and_the_rest_does_not_wait_for_it() -> None:
    """Pitfall 16."""

    async def oracle(question: str) -> Said:
        await asyncio.sleep(30 if question == "slow" else 0)
        return Said("fine")

    guard = Guard(OutagePlan(), name="the oracle")
    answers = await Asker(oracle, failed, guard, concurrency=8, deadline=0.05).ask_all(["slow", "quick"])
    assert answers == {"slow": Said("", "call", "no answer within 0.05 s"), "quick": Said("fine")}


async def test_an_endpoint_that_may_come_back_is_a_failure_and_one_that_refuses_ends_it() -> None:
    down = Oracle(lambda q, n: EndpointDown("down", last="503 again and again") if q == "a" else Said("fine"))
    assert (await asker(down).ask_all(["a", "b"]))["a"] == Said("", "call", "503 again and again")
    with pytest.raises(EndpointRefused, match="wrong key"):
        await asker(Oracle(lambda q, n: EndpointRefused("wrong key"))).ask_all(["a", "b", "c"])


async def test_an_outage_is_waited_out_and_what_failed_is_asked_again() -> None:
    oracle = Oracle(lambda q, n: failed(q, "down") if n <= 12 else Said("fine"))
    questions = [f"q{number}" for number in range(16)]
    answers = await asker(oracle).ask_all(questions)
    assert set(answers.values()) == {Said("fine")}


async def test_asked_to_stop_it_stops_with_the_reason() -> None:
    oracle = Oracle(lambda q, n: failed(q, "down"))
    with pytest.raises(MetaJudgeDown, match="the oracle failed 4 of the last 4 calls, last: down"):
        await asker(oracle, concurrency=1, policy="stop").ask_all([f"q{number}" for number in range(16)])
    # What was still to be asked when it was seen to be down is not asked.
    assert len(oracle.asked) == 4


async def test_a_single_question_that_is_never_answered_fails_alone() -> None:
    oracle = Oracle(lambda q, n: Said("", "parse", "no verdict") if q == "q0" else Said("fine"))
    answers = await asker(oracle).ask_all([f"q{number}" for number in range(10)])
    assert [q for q, answer in answers.items() if answer.failure] == ["q0"]


async def test_a_judge_who_finds_no_verdict_has_answered_and_nobody_waits_for_it() -> None:
    oracle = Oracle(lambda q, n: Said("", "parse", "no verdict"))
    answers = await asker(oracle, policy="stop").ask_all([f"q{number}" for number in range(16)])
    assert {answer.failure for answer in answers.values()} == {"parse"}
    assert len(oracle.asked) == 16


async def test_no_questions_need_no_answers() -> None:
    assert await asker(Oracle()).ask_all([]) == {}
    with pytest.raises(InputError, match="concurrency is 0"):
        asker(Oracle(), concurrency=0)
