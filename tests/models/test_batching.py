import asyncio
import threading
import time

import pytest

from ralign.errors import InputError
from ralign.models import Batcher


class Doubler:
    """Doubles numbers, and notes the batches it got."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.seconds = seconds

    def __call__(self, numbers: list[int]) -> list[int]:
        self.batches.append(numbers)
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        return [2 * number for number in numbers]


async def test_every_caller_gets_its_own_result():
    double = Doubler()
    async with Batcher(double, max_size=4) as batcher:
        assert await asyncio.gather(*(batcher.submit(number) for number in range(10))) == list(
            range(0, 20, 2)
        )
    assert [len(batch) for batch in double.batches] == [4, 4, 2]


async def test_what_comes_while_a_batch_runs_joins_the_next():
    double = Doubler(seconds=0.03)
    async with Batcher(double, max_size=8, max_wait=0.001) as batcher:
        first = asyncio.create_task(batcher.submit(0))
        await asyncio.sleep(0.015)
        others = [asyncio.create_task(batcher.submit(number)) for number in (1, 2, 3)]
        await asyncio.gather(first, *others)
    assert double.batches == [[0], [1, 2, 3]]


async def test_one_worker_thread_runs_and_the_loop_stays_alive():
    double = Doubler(seconds=0.05)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.002)
            ticks += 1

    async with Batcher(double, max_size=1) as batcher:
        ticking = asyncio.create_task(tick())
        await asyncio.gather(*(batcher.submit(number) for number in range(3)))
        ticking.cancel()
    assert len(double.threads) == 1
    assert threading.get_ident() not in double.threads
    assert ticks > 10


async def test_an_exception_reaches_every_caller_of_its_batch_and_no_other():
    def fail_on_zero(numbers: list[int]) -> list[int]:
        if 0 in numbers:
            raise ArithmeticError("zero")
        return numbers

    async with Batcher(fail_on_zero, max_size=2) as batcher:
        outcomes = await asyncio.gather(
            *(batcher.submit(number) for number in range(4)), return_exceptions=True
        )
    assert [type(outcome) for outcome in outcomes] == [ArithmeticError, ArithmeticError, int, int]


async def test_too_few_results_are_an_error_and_not_a_mix_up():
    async with Batcher(lambda numbers: numbers[1:], max_size=2) as batcher:
        outcomes = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["the batch function gave 1 results for 2 requests"] * 2


async def test_a_caller_that_leaves_is_not_run():
    double = Doubler(seconds=0.02)
    async with Batcher(double, max_size=1) as batcher:
        tasks = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
        await asyncio.sleep(0.005)
        tasks[1].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[0] == 0
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert outcomes[2] == 4
    assert double.batches == [[0], [2]]


async def test_a_caller_that_leaves_while_its_batch_runs_harms_no_other():
    async with Batcher(Doubler(seconds=0.03), max_size=2) as batcher:
        tasks = [asyncio.create_task(batcher.submit(number)) for number in (1, 2)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        assert await tasks[1] == 4


async def test_closing_lets_the_running_batch_end_and_cancels_who_waits():
    batcher = Batcher(Doubler(seconds=0.03), max_size=1)
    tasks = [asyncio.create_task(batcher.submit(number)) for number in (1, 2)]
    await asyncio.sleep(0.01)
    await batcher.close()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[0] == 2
    assert isinstance(outcomes[1], asyncio.CancelledError)
    with pytest.raises(RuntimeError, match="closed"):
        await batcher.submit(3)


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(InputError, match="batch size is 0"):
        Batcher(Doubler(), max_size=0)
