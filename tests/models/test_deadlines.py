import asyncio
import contextlib
import time

import pytest

from ralign.models.retry import Deadlines


async def run(deadlines: Deadlines, seconds: float, work) -> str:
    """`work`, or `late` where it was not done in time: as `Endpoint.post` uses deadlines."""
    task = asyncio.current_task()
    assert task is not None
    deadlines.add(task, asyncio.get_running_loop().time() + seconds)
    try:
        return await work
    except asyncio.CancelledError:
        if not deadlines.has_expired(task):
            raise
        return "late"
    finally:
        deadlines.discard(task)


async def test_each_task_has_its_own_deadline():
    deadlines = Deadlines()
    works = [
        run(deadlines, limit, asyncio.sleep(need, "done"))
        for limit, need in [(0.3, 0.01), (0.02, 5), (0.1, 5), (5, 0.15)]
    ]
    assert await asyncio.gather(*works) == ["done", "late", "late", "done"]
    deadlines.close()


async def test_a_task_can_go_on_after_its_deadline():
    deadlines = Deadlines()
    for _ in range(3):
        assert await run(deadlines, 0.01, asyncio.sleep(5, "done")) == "late"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert await run(deadlines, 5, asyncio.sleep(0, "done")) == "done"
    deadlines.close()


async def test_a_deadline_in_the_past_expires_at_once():
    deadlines = Deadlines()
    async with asyncio.timeout(1):
        assert await run(deadlines, -1, asyncio.sleep(5, "done")) == "late"


async def test_what_is_cancelled_from_outside_stays_cancelled():
    deadlines = Deadlines()
    task = asyncio.create_task(run(deadlines, 5, asyncio.sleep(5, "done")))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadlines.close()


async def test_a_cancellation_together_with_a_deadline_wins():
    deadlines = Deadlines()
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(run(deadlines, 0.01, asyncio.sleep(5, "done")))
    await asyncio.sleep(0)
    # Both in one turn of the loop, whose timers run in the order of their times.
    loop.call_at(loop.time() + 0.01, task.cancel)
    time.sleep(0.03)  # noqa: ASYNC251  (the loop is to be late)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    deadlines.close()


async def test_a_swallowed_expiry_leaves_nothing_behind():
    async def swallow() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(5)
        return "swallowed"

    deadlines = Deadlines()
    assert await run(deadlines, 0.01, swallow()) == "swallowed"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    deadlines.close()
