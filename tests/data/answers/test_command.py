"""`ralign answers` as a user runs it: a process, its exit code, what it prints and leaves."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from ralign.models.testing.server import ChatServer

ROOT = Path(__file__).parents[3]
KEY = "sk-never-to-be-seen-1357924680"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "OPENAI_API_KEY": KEY}


class Done(NamedTuple):
    code: int
    out: str
    err: str


async def start(*arguments: object) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ralign", *map(str, arguments), stdout=pipe, stderr=pipe, env=ENVIRONMENT
    )


async def ralign(*arguments: object) -> Done:
    process = await start(*arguments)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Done(process.returncode or 0, out.decode(), err.decode())


def written(tmp_path: Path, count: int) -> Path:
    path = tmp_path / "prompts.jsonl"
    rows = [
        {"id": f"row-{number}", "prompt": f"Which herb grows in row {number}?"} for number in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


async def test_a_dry_run_makes_no_call_and_no_directory_and_the_run_says_what_it_came_to(
    tmp_path: Path,
) -> None:
    """Four prompts of 26 characters, 500 tokens each: 2,000 tokens out, at 10,000 a million 20.00; twice, at most."""
    out = tmp_path / "run"
    async with ChatServer(key=KEY) as server:
        command = ("answers", written(tmp_path, 4), "--model", "m", "--model-url", server.url, "--out", out)
        done = await ralign(
            *command, "--dry-run", "--expected-completion-tokens", 500, "--price", "m=0/10000"
        )
        assert done.code == 0, done.err
        assert (
            "model: 4 to 8 calls, about 26 to 52 tokens in and 2,000 to 4,000 out, 20.00 to 40.00 in money"
            in (done.out)
        )
        assert server.arrived == 0
        assert not out.exists()
        done = await ralign(*command)
        assert done.code == 0, done.err
        assert "4 of 4 prompts have an answer" in done.out
        assert (
            f"{out}/prompts.jsonl has the prompts with their answers in the column reference_answer"
            in done.out
        )
        assert "0 calls, about 0 tokens" in (await ralign(*command, "--dry-run")).out
    # A run directory is shared: the key is in no file and no message.
    assert not any(KEY.encode() in path.read_bytes() for path in out.iterdir())
    assert KEY not in done.out + done.err


async def test_killed_and_started_again_it_pays_for_nothing_twice(tmp_path: Path) -> None:
    out, prompts = tmp_path / "run", written(tmp_path, 60)
    async with ChatServer(latency=0.02) as server:
        command = ("answers", prompts, "--model", "m", "--model-url", server.url, "--out", out)
        command += ("--concurrency", 6)
        process = await start(*command)
        while len(server.answered) < 20:
            assert process.returncode is None, "it ended before it could be killed"
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        recorded = (out / "answers.jsonl").read_bytes().count(b"\n")
        before = server.arrived
        done = await ralign(*command)
        assert done.code == 0, done.err
        assert server.arrived - before == 60 - recorded
    assert 10 < recorded < 60
    assert len((out / "prompts.jsonl").read_text().splitlines()) == 60


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--draws-limit", 0), "--draws-limit is 0, expected 1 or more"),
        (("--column", "prompt"), "--column is 'prompt', expected a name that no prompt column has"),
        (("--price", "x=1/1"), "--price names 'x', which is none of the models asked (m)"),
        (("--model-body", "[1]"), "--model-body is [1], expected a JSON object"),
    ],
)
async def test_a_mistake_is_one_line_and_exits_2(tmp_path: Path, arguments, problem: str) -> None:
    model = ("--model", "m", "--model-url", "http://localhost:1/v1", "--out", tmp_path / "run")
    done = await ralign("answers", written(tmp_path, 1), *model, *arguments)
    assert done.code == 2
    assert problem in done.err
    assert len(done.err.splitlines()) == 1
