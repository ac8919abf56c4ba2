"""256 clients at once, a judge of 200 ms: every request gets its own reward, once. The benchmark's own code."""

import pytest
from benchmarks.serve_load import run_load


async def test_under_load_nothing_is_lost_and_nothing_answered_twice() -> None:
    found = await run_load(256, 3.0, pause=0.5)
    assert found["requests"] >= 256
    assert found["outcomes"] == {"right": found["requests"]}
    assert found["judged"] == {"answers": found["requests"], "not_once": 0}


@pytest.mark.slow
async def test_for_a_minute_memory_stays_flat_and_our_overhead_small() -> None:
    """Our overhead is what the service measures of its own: the clients' and the machine's lag are not in it."""
    found = await run_load(256, 60.0)
    assert found["outcomes"] == {"right": found["requests"]}
    assert found["judged"] == {"answers": found["requests"], "not_once": 0}
    assert found["overhead_in_service_ms"]["0.99"] <= 50
    warm, end = max(found["memory_mb"][5:15]), max(found["memory_mb"][-10:])
    assert end <= warm * 1.05
