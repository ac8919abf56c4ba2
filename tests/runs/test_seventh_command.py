"""A command that calls models costs its author a plan: resuming, prices, dry runs and survival are `ralign.runs`'."""

import asyncio
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.server import ChatServer

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).with_name("seventh_command.py")
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
SIZE = 60
CONCURRENCY = 4


def says(request: ChatRequest) -> str:
    return f"{request.fields['model']} says {request.digest}"


async def start(url: str, out: Path, *flags: object) -> asyncio.subprocess.Process:
    command = ["--url", url, "--out", out, "--concurrency", CONCURRENCY, *flags]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.runs.seventh_command", *map(str, command)),
        stdout=pipe,
        stderr=pipe,
        env=ENVIRONMENT,
    )


async def buoys(url: str, out: Path, *flags: object) -> str:
    process = await start(url, out, *flags)
    printed, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return printed.decode()


def test_it_takes_under_sixty_lines_and_the_public_names_alone() -> None:
    lines = [line for line in SOURCE.read_text().splitlines() if line.strip()]
    assert len(lines) < 60
    source = SOURCE.read_text()
    public = {"ralign.runs.execute", "ralign.runs.log", "ralign.runs.options", "ralign.runs.plan"}
    assert set(re.findall(r"ralign\.runs\.\w+", source)) == public
    assert not re.findall(r"import .*\b_\w", source)


async def test_a_dry_run_counts_both_roles_with_their_money_and_calls_nobody(tmp_path: Path) -> None:
    """60 answers of 100 tokens at 10,000 a million; the checker is asked where the writer answers."""
    async with ChatServer(answer=says) as server:
        flags = ("--dry-run", "--expected-completion-tokens", 100, "--price", "writer=0/10000")
        printed = await buoys(server.url, tmp_path / "run", *flags)
        assert server.arrived == 0
    assert re.search(r"writer: 60 calls, about \d+ tokens in and 6,000 out, 60\.00 in money", printed)
    assert re.search(r"checker: 0 to 60 calls, about 0 to \d+ tokens in and 0 to 6,000 out\n", printed)
    assert not (tmp_path / "run").exists()


async def test_it_counts_what_it_paid(tmp_path: Path) -> None:
    async with ChatServer(answer=says) as server:
        await buoys(server.url, tmp_path / "run", "--price", "writer=1000/2000", "--price", "checker=0/1000")
    results = json.loads((tmp_path / "run/results.json").read_text())
    writer, checker = results["usage"]["writer"], results["usage"]["checker"]
    paid = writer["prompt_tokens"] * 1000 + writer["completion_tokens"] * 2000
    assert results["money"] == round((paid + checker["completion_tokens"] * 1000) / 1_000_000, 6)
    assert results["money"] > 0


async def test_killed_it_goes_on_where_it_was_and_a_finished_run_asks_for_nothing(tmp_path: Path) -> None:
    async with ChatServer(answer=says) as server:
        await buoys(server.url, tmp_path / "calm")
        asked = set(server.answered)
    assert len(asked) == 2 * SIZE
    async with ChatServer(answer=says, latency=0.02) as server:
        for kill in (1, 2):
            process = await start(server.url, tmp_path / "run")
            while len(server.answered) < 30 * kill:
                assert process.returncode is None
                await asyncio.sleep(0.01)
            process.kill()
            await process.wait()
        await buoys(server.url, tmp_path / "run")
        calls = Counter(server.answered)
        assert set(calls) == asked
        assert calls.total() - len(calls) <= 2 * CONCURRENCY, "only what was in flight is asked for again"
        await buoys(server.url, tmp_path / "run")
        assert len(server.answered) == calls.total()
    ours, undisturbed = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("run", "calm")
    )
    assert ours == undisturbed
    assert ours["complete"]
