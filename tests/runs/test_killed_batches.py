"""A run in batches, killed again and again while every fault comes: it ends as a live run does, at half the price.

The server's log tells what was handed in: no call that is out, or answered, is handed in once more.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.runs.test_kill_and_resume import ENVIRONMENT, ROOT, pairs

from ralign.files import read_log

FLAGS = "--meta-judge meta-judge --price judge=2/8 --price meta-judge=1/3"
LOGS = ("judgments.jsonl", "meta_judgments.jsonl")


@contextmanager
def server(log: Path, *flags: str) -> Iterator[str]:
    """The models in a process of their own; their address."""
    program = [sys.executable, "-m", "ralign.models.testing.server", "--log", str(log)]
    program += ["--answer", "tests.runs.kill_server:answer", *flags]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def start(files: list[Path], url: str, out: Path, *flags: str) -> subprocess.Popen[str]:
    program = [
        sys.executable,
        "-m",
        "ralign",
        "bench",
        *map(str, files),
        "--judge",
        "judge",
        "--judge-url",
        url,
    ]
    return subprocess.Popen(
        [*program, *FLAGS.split(), "--out", str(out), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=ROOT,
    )


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line.data) for line in read_log(log, skip_partial=True)]


def steps(out: Path) -> int:
    """Lines of batches.jsonl: what a session has written down of its batches."""
    path = out / "batches.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def records(out: Path, name: str) -> list[str]:
    """The answers of a log, without which batch brought them."""
    rows = [json.loads(line.data) for line in read_log(out / name)]
    return sorted(
        json.dumps({key: value for key, value in row.items() if key != "batch"})
        for row in rows
        if row["failure"] != "call"
    )


@pytest.mark.parametrize(
    ("count", "batch", "kills"), [(200, 20, 3), pytest.param(2000, 80, 10, marks=pytest.mark.slow)]
)
def test_a_killed_run_in_batches_ends_as_a_live_one_and_hands_nothing_in_twice(
    count: int, batch: int, kills: int, tmp_path: Path
) -> None:
    files = pairs(count)(tmp_path)
    live, out, log = tmp_path / "live", tmp_path / "batches", tmp_path / "server.log"
    with server(tmp_path / "live.log") as url:
        process = start(files, url, live)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    chance = random.Random(count)
    flags = ("--batch-api", "--batch-requests", str(batch))
    with server(
        log, "--batch-faults", "tests.runs.kill_server:batch_faults", "--batch-seconds", "0.2"
    ) as url:
        for _ in range(kills):
            process = start(files, url, out, *flags)
            # At a step more or less, and at any moment after it.
            goal = steps(out) + chance.randrange(1, 7)
            while process.poll() is None and steps(out) < goal:
                time.sleep(0.005)
            time.sleep(chance.random() / 25)
            process.send_signal(signal.SIGKILL)
            _, errors = process.communicate()
            assert process.returncode == -signal.SIGKILL, f"it ended before it could be killed: {errors}"
        for _ in range(5):
            process = start(files, url, out, *flags)
            output, errors = process.communicate(timeout=120)
            if process.returncode == 0:
                break
    assert process.returncode == 0, output + errors

    ours, undisturbed = (json.loads((run / "results.json").read_text()) for run in (out, live))
    assert undisturbed["complete"]
    # To the token: the same tokens, at half of their price.
    assert ours.pop("money") == pytest.approx(undisturbed.pop("money") / 2, abs=1e-6)
    assert ours == undisturbed
    for name in LOGS:
        assert records(out, name) == records(live, name)
    assert (out / "scores.jsonl").read_bytes() == (live / "scores.jsonl").read_bytes()

    happened = [(line["event"], line["digest"]) for line in events(log)]
    out_now: Counter[str] = Counter()
    answered: set[str] = set()
    for event, digest in happened:
        if event == "handed_in":
            assert not out_now[digest], "handed in while it is out"
            assert digest not in answered, "handed in after it was answered"
            out_now[digest] += 1
        else:
            out_now[digest] -= 1
            if event == "answered":
                answered.add(digest)
    assert answered == {line["digest"] for line in events(tmp_path / "live.log")}
    assert any(event == "unanswered" for event, _ in happened)
