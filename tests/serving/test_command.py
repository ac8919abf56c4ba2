"""`ralign serve` as a process: with a real endpoint behind it, ended by a signal."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from tests.serving.judges import TURN, reward_request

from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.server import ChatServer

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
ENVIRONMENT.pop("RALIGN_SERVE_TOKEN", None)


def judged(request: ChatRequest) -> str:
    """The judge prefers what is good, wherever it stands; the meta-judge finds the hour."""
    if request.fields["model"] == "meta":
        return "POINT: the hour | STATED: yes\nVERDICT: Correct"
    better = "A" if request.prompt.find("good") < request.prompt.find("fair") else "B"
    return f"The hour decides.\n\n\\boxed{{{better}}}"


@asynccontextmanager
async def served(*flags: str) -> AsyncGenerator[tuple[str, asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ralign", "serve", "--judge", "judge", "--port", "0", *flags,
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        address = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
        yield address[-1] if address else "", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_serves_a_judge_and_a_meta_judge_behind_endpoints(http: aiohttp.ClientSession) -> None:
    async with (
        ChatServer(answer=judged) as server,
        served("--judge-url", server.url, "--meta-judge", "meta") as (url, process),
    ):
        async with http.post(f"{url}/reward", json=reward_request(id="p")) as response:
            assert (await response.json())["reward"] == 1.0
        request = {"conversation": [TURN], "response_a": "good", "response_b": "fair"}
        request |= {"label": "A", "gold_rationale": "A names the hour."}
        async with http.post(f"{url}/compare", json=request) as response:
            body = await response.json()
        assert (body["verdict"], body["aligned"]) == ("A", True)
        assert [point["text"] for point in body["meta_judgments"][0]["points"]] == ["the hour"]
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""


async def test_terminated_it_answers_what_it_took(http: aiohttp.ClientSession) -> None:
    async with (
        ChatServer(answer=judged, latency=1.0) as server,
        served("--judge-url", server.url) as (url, process),
    ):

        async def ask(number: int) -> float | None:
            fields = reward_request(f"good {number}", id=str(number))
            async with http.post(f"{url}/reward", json=fields) as response:
                return (await response.json())["reward"]

        asked = [asyncio.create_task(ask(number)) for number in range(20)]
        while server.in_flight < 40:  # noqa: ASYNC110 - the server tells a number, no event
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.gather(*asked) == [1.0] * 20
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert len(server.answered) == 40


async def test_a_judge_that_is_killed_is_said_and_one_that_comes_back_is_used(
    http: aiohttp.ClientSession,
) -> None:
    """No request outlives its deadline."""
    async with ChatServer(answer=judged) as server:
        port = int(server.url.rpartition(":")[2].removesuffix("/v1"))
        async with served("--judge-url", server.url, "--deadline", "1.5") as (url, process):
            async with http.post(f"{url}/reward", json=reward_request()) as response:
                assert (await response.json())["reward"] == 1.0
            await server.__aexit__(None, None, None)
            async with http.post(f"{url}/reward", json=reward_request()) as response:
                body = await response.json()
            # Whichever deadline comes first, the service's or the call's own: an error or no reward, never a 0.
            assert response.status == 504 or (response.status == 200 and body["reward"] is None)
            assert "judge" in str(body) or "call" in str(body)
            async with (
                ChatServer(answer=judged, port=port),
                http.post(f"{url}/reward", json=reward_request()) as response,
            ):
                assert (await response.json())["reward"] == 1.0
            assert process.returncode is None


async def test_what_cannot_be_served_is_one_line(tmp_path: Path) -> None:
    flags = ("--judge-url", "http://127.0.0.1:1")
    async with served(*flags, "--host", "0.0.0.0") as (url, process):
        assert url == ""
        assert await process.wait() == 2
        assert process.stderr is not None
        error = (await process.stderr.read()).decode()
    assert error.startswith("ralign: --host 0.0.0.0 lets others call the judge: set RALIGN_SERVE_TOKEN")
    assert error.count("\n") == 1
