"""Batched calls: what holds for a judge and for a meta-judge alike, and what counts as a failure of each."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest
from tests.training.reward_pieces import until

from ralign.errors import EndpointDown, EndpointRefused, InputError, MetaJudgeDown
from ralign.records import Failure
from ralign.training.reward.batched_calls import BatchedCalls
from ralign.training.reward.circuit_breaker import Limits
from ralign.training.reward.outage import Guard, OutagePlan


class Said(NamedTuple):
    text: str
    failure: Failure | None = None
    detail: str | None = None


FINE = Said("fine")
MUTE = Said("", "parse", "no verdict")
NOT_ASKED = "not asked: too many calls before it failed"


def failed(about: str, why: str) -> Said:
    return Said("", "call", why)


DOWN = failed("", "down")


class Oracle:
    """Answers `fine`, or what the test says; counts, and holds calls back until they are let go."""

    def __init__(self, says: Callable[[str, int], Said | Exception] = lambda about, number: FINE):
        self.says = says
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.asked: list[str] = []
        self.in_flight = self.most_in_flight = self.ended = 0

    async def __call__(self, about: str) -> Said:
        self.asked.append(about)
        number = len(self.asked)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            await self.let_go.wait()
        finally:
            self.in_flight -= 1
        self.ended += 1
        said = self.says(about, number)
        if isinstance(said, Exception):
            raise said
        return said


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


def problem(answer: Said) -> str | None:
    """A judge's: an answer without a verdict is one."""
    return answer.detail if answer.failure == "call" else None


def calls_of(
    oracle: Callable[[str], object],
    *,
    minimum: int = 4,
    concurrency: int = 8,
    deadline: float = 5.0,
    remembered: int = 1024,
    problem: Callable[[Said], str | None] = problem,
    **plan,
) -> BatchedCalls[str, str, Said]:
    limits = Limits(threshold=0.5, window=max(8, minimum), minimum=minimum)
    guard = Guard(OutagePlan(limits=limits, **plan), name="the oracle", sleep=no_sleep, log=lambda line: None)
    return BatchedCalls(
        oracle, failed, problem, guard, concurrency=concurrency, deadline=deadline, remembered=remembered
    )


async def ask_all(calls: BatchedCalls[str, str, Said], names: list[str]) -> dict[str, Said]:
    async with calls.batch() as batch:
        for name in names:
            batch.ask(name, name)
        await batch.finish()
    return batch.answers


async def test_equal_calls_are_made_once_and_never_more_than_so_many_at_once() -> None:
    oracle = Oracle()
    calls = calls_of(oracle, concurrency=3)
    batches = await asyncio.gather(
        *(ask_all(calls, [f"q{number % 10}" for number in range(40)]) for _ in range(2))
    )
    assert sorted(oracle.asked) == [f"q{number}" for number in range(10)]
    assert oracle.most_in_flight == 3
    assert [set(answers.values()) for answers in batches] == [{FINE}, {FINE}]
    # Later too: the same text is to have the same answer.
    assert await ask_all(calls, ["q3"]) == {"q3": FINE}
    assert len(oracle.asked) == 10


async def test_what_failed_is_forgotten_and_what_is_long_ago_is_too() -> None:
    says = {"a": [DOWN, FINE, MUTE], "b": [FINE]}
    calls = calls_of(Oracle(lambda about, number: says[about].pop(0)), remembered=1)
    assert await calls.call("a", "a") == DOWN
    assert await calls.call("a", "a") == FINE
    assert await calls.call("b", "b") == FINE
    assert await calls.call("a", "a") == MUTE


async def test_the_last_to_stop_waiting_ends_the_call_and_nobody_joins_its_end() -> None:
    oracle = Oracle()
    oracle.let_go.clear()
    calls = calls_of(oracle)
    first, second = (asyncio.create_task(calls.call("a", "a")) for _ in range(2))
    await until(lambda: oracle.in_flight > 0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert oracle.in_flight == 1
    second.cancel()
    await asyncio.sleep(0)
    third = asyncio.create_task(calls.call("a", "a"))
    oracle.let_go.set()
    assert await third == FINE
    assert first.cancelled()
    assert second.cancelled()
    assert (len(oracle.asked), oracle.ended) == (2, 1)


async def test_what_is_late_fails_and_the_rest_does_not_wait_for_it() -> None:
    oracle = Oracle()

    async def slow(about: str) -> Said:
        if about == "slow":
            await asyncio.Event().wait()
        return await oracle(about)

    calls = calls_of(slow, deadline=0.05)
    async with calls.batch() as batch:
        batch.ask("slow", "slow")
        batch.ask("quick", "quick")
        await batch.finish()
    assert batch.answers == {"slow": failed("", "no answer within 0.05 s"), "quick": FINE}
    assert batch.late == {"slow"}


@pytest.mark.parametrize("judge", ["judge", "meta-judge"])
async def test_a_few_stragglers_are_no_outage_but_a_batch_of_them_is(judge: str) -> None:
    """One guard for both. Those that are late are late together: in a row they would trip any breaker."""

    async def stuck(about: str) -> Said:
        if "slow" in about:
            await asyncio.Event().wait()
        return FINE

    strict = {"problem": lambda answer: answer.detail} if judge == "meta-judge" else {}
    calls = calls_of(stuck, deadline=0.2, policy="stop", concurrency=64, **strict)
    few = [*(f"slow {number}" for number in range(10)), *(f"q{number}" for number in range(11))]
    answers = await ask_all(calls, few)
    assert sum(answer.failure == "call" for answer in answers.values()) == 10
    with pytest.raises(MetaJudgeDown, match=r"last: no answer within 0.2 s"):
        await ask_all(calls, few[:-2])


async def test_an_endpoint_that_may_come_back_is_a_failure_and_one_that_refuses_ends_it() -> None:
    down = EndpointDown("20 calls in a row failed, last: 503; stopping", last="503 again and again")
    one_down = Oracle(lambda about, number: down if about == "a" else FINE)
    assert (await ask_all(calls_of(one_down), ["a", "b"]))["a"] == failed("", "503 again and again")
    refused = Oracle(lambda about, number: EndpointRefused("wrong key"))
    with pytest.raises(EndpointRefused, match="wrong key"):
        await ask_all(calls_of(refused), ["a", "b", "c"])


async def test_an_outage_is_waited_out_and_what_failed_is_asked_again() -> None:
    oracle = Oracle(lambda about, number: DOWN if number <= 12 else FINE)
    answers = await ask_all(calls_of(oracle), [f"q{number}" for number in range(16)])
    assert set(answers.values()) == {FINE}


async def test_asked_to_stop_it_stops_with_the_reason_and_asks_nothing_more() -> None:
    oracle = Oracle(lambda about, number: DOWN)
    with pytest.raises(MetaJudgeDown, match="the oracle failed 4 of the last 4 calls, last: down"):
        await ask_all(calls_of(oracle, concurrency=1, policy="stop"), [f"q{n}" for n in range(16)])
    assert len(oracle.asked) == 4


async def test_no_call_is_made_while_the_breaker_is_open_but_a_probe_whose_answer_is_kept() -> None:
    up: list[bool] = []
    oracle = Oracle(lambda about, number: FINE if up else DOWN)
    calls = calls_of(oracle, concurrency=1, minimum=2)
    answers = await asyncio.gather(*(calls.call(f"q{number}", "q") for number in range(6)))
    assert [answer.detail for answer in answers] == ["down"] * 2 + [NOT_ASKED] * 4
    up.append(True)
    assert (await calls.probe("q3", "q")).problem is None
    assert await calls.call("q3", "q") == FINE
    assert len(oracle.asked) == 3


async def test_what_counts_as_a_failure_is_the_models_business() -> None:
    """A judge without a verdict has answered, and nobody waits for it; a meta-judgment that cannot be read is none."""
    names = [f"q{number}" for number in range(16)]
    judge = Oracle(lambda about, number: MUTE)
    answers = await ask_all(calls_of(judge, policy="stop"), names)
    assert {answer.failure for answer in answers.values()} == {"parse"}
    assert len(judge.asked) == 16
    strict = calls_of(Oracle(lambda about, number: MUTE), policy="stop", problem=lambda answer: answer.detail)
    with pytest.raises(MetaJudgeDown, match="last: no verdict"):
        await ask_all(strict, names)


async def test_a_batch_that_is_left_takes_its_calls_along() -> None:
    oracle = Oracle()
    oracle.let_go.clear()
    calls = calls_of(oracle)
    asking = asyncio.create_task(ask_all(calls, ["a", "b"]))
    await until(lambda: oracle.in_flight == 2)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: oracle.in_flight == 0)
    assert oracle.ended == 0


async def test_no_calls_need_no_answers_and_a_number_that_cannot_be_is_refused() -> None:
    assert await ask_all(calls_of(Oracle()), []) == {}
    with pytest.raises(InputError, match="concurrency is 0"):
        calls_of(Oracle(), concurrency=0)
    with pytest.raises(InputError, match="the deadline 0"):
        calls_of(Oracle(), deadline=0)
