"""2,000 pairs against a server that fails in eleven ways, killed ten times: nothing is lost and nothing paid twice.

Pitfalls 2, 12, 14 and 15: what failed is not counted, an error text is no answer, a crash loses nothing.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ralign.files import read_log, write_pairs
from ralign.records import Message, PreferencePair

ROOT = Path(__file__).parents[3]
PAIRS = 2000
CONCURRENCY = 64
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "ports.jsonl"
    write_pairs(
        path,
        (
            PreferencePair(
                id=f"port-{number}",
                conversation=(Message(role="user", content=f"How deep is the water in port {number}?"),),
                response_a=f"Port {number} has four fathoms at low water.",
                response_b="Deep enough.",
                label="A" if number % 2 else "B",
                gold_judgment="A gives the depth; B gives none.",
                source={"subset": "odd" if number % 2 else "even"},
            )
            for number in range(PAIRS)
        ),
    )
    return path


@contextmanager
def server(log: Path, *, faulty: bool) -> Iterator[str]:
    command = [sys.executable, "-m", "ralign.models.testing.server", "--latency", "0.02", "--log", str(log)]
    command += ["--answer", "tests.evals.bench.kill_server:answer"]
    command += ["--faults", "tests.evals.bench.kill_server:faults"] if faulty else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def bench(pairs: Path, url: str, out: Path) -> subprocess.Popen:
    flags = ["--judge", "judge", "--judge-url", url, "--meta-judge", "meta-judge", "--out", str(out)]
    # The server hangs for a minute; a try is given two seconds.
    flags += [
        "--concurrency",
        str(CONCURRENCY),
        "--try-timeout",
        "2",
        "--deadline",
        "20",
        "--resamples",
        "200",
    ]
    command = [sys.executable, "-m", "ralign", "bench", str(pairs), *flags]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def rows(out: Path, name: str) -> list[dict]:
    return [json.loads(line.data) for line in read_log(out / name, skip_torn=True)]


def recorded(out: Path) -> int:
    """How many answers the run directory holds."""
    return sum(
        row["failure"] != "call"
        for name in ("judgments.jsonl", "meta_judgments.jsonl")
        for row in rows(out, name)
    )


def what_counts(out: Path, name: str) -> dict:
    """The last row of each judgment, without what differs from run to run."""
    return {
        (row["pair_id"], row["order"], row["draw"]): (row.get("verdict"), row.get("aligned"), row["text"])
        for row in rows(out, name)
    }


def answered(log: Path) -> list[str]:
    return [
        row["digest"]
        for line in read_log(log, skip_torn=True)
        if (row := json.loads(line.data))["event"] == "answered"
    ]


def test_killed_ten_times_it_ends_as_if_undisturbed_and_pays_nothing_twice(
    pairs: Path, tmp_path: Path
) -> None:
    calm = tmp_path / "calm"
    with server(tmp_path / "calm.log", faulty=False) as url:
        process = bench(pairs, url, calm)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    asked = set(answered(tmp_path / "calm.log"))
    kills = random.Random(7)
    out, log = tmp_path / "killed", tmp_path / "killed.log"
    lost = 0
    with server(log, faulty=True) as url:
        for _ in range(10):
            process = bench(pairs, url, out)
            # Not before it is under way, and sooner or later after that.
            goal = (recorded(out) if out.exists() else 0) + kills.randrange(20, 300)
            while recorded(out) < goal and process.poll() is None:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert process.returncode == -signal.SIGKILL, "it finished before it could be killed"
            time.sleep(0.2)  # for the server to notice that its callers have gone
            in_flight = len([call for call in answered(log) if call in asked]) - lost - recorded(out)
            assert 0 <= in_flight <= CONCURRENCY
            lost += in_flight
        for _ in range(5):
            process = bench(pairs, url, out)
            process.communicate(timeout=120)
            if process.returncode == 0:
                break
    assert process.returncode == 0

    ours, undisturbed = (json.loads((run / "results.json").read_text()) for run in (out, calm))
    assert ours["benchmarks"] == undisturbed["benchmarks"]
    assert ours["usage"] == undisturbed["usage"]
    assert undisturbed["benchmarks"]["ports"]["counts"]["unanswered"] == 0
    for name in ("judgments.jsonl", "meta_judgments.jsonl"):
        assert what_counts(out, name) == what_counts(calm, name)

    calls = Counter(call for call in answered(log) if call in asked)
    assert len(calls) == len(asked)
    assert sum(calls.values()) - len(calls) == lost, "only what was in flight at a kill was answered again"
    assert recorded(out) == len(calls), "what is counted was answered, and once"
    # A session whose first call is refused asks one trivial question, to tell a wrong configuration from a bad prompt.
    trivial = len([call for call in answered(log) if call not in asked])
    assert trivial <= 2 * 15
