"""Every command that calls models, killed again and again: nothing is lost and nothing paid twice.

The models fail in eleven ways meanwhile: what failed is not counted, an error text is no answer. All have the same
loop under them; the short runs show that their plans resume. With `-m slow` there is a long one, of `bench`.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ralign.files import read_log, write_pairs
from ralign.records import Message, PreferencePair

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


class Command(NamedTuple):
    """A command as it is run, and what it leaves."""

    name: str
    inputs: Callable[[Path], list[Path]]
    """Writes the files into a folder; gives what stands behind the command's name."""
    flags: str
    """URL stands for the server's address."""
    logs: tuple[str, ...]
    files: tuple[str, ...] = ()
    """What else it writes, which must be the same to the byte."""
    kills: int = 2
    concurrency: int = 16
    between: tuple[int, int] = (15, 40)
    """Answers between two kills."""


def pairs(count: int) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        write_pairs(
            folder / "ports.jsonl",
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
                for number in range(count)
            ),
        )
        return [folder / "ports.jsonl"]

    return write


def rows(count: int, *columns: Mapping[str, object]) -> Callable[[Path], list[Path]]:
    """A file of prompts for each of the mappings, whose columns every row has."""

    def write(folder: Path) -> list[Path]:
        paths = [folder / f"prompts-{number}.jsonl" for number in range(len(columns))]
        for path, row in zip(paths, columns, strict=True):
            lines = [
                json.dumps(
                    {"id": f"port-{number}", "prompt": f"How deep is the water in port {number}?", **row}
                )
                for number in range(count)
            ]
            path.write_text("".join(f"{line}\n" for line in lines))
        return paths

    return write


BENCH = Command(
    "bench",
    pairs(500),
    "--judge judge --judge-url URL --meta-judge meta-judge",
    ("judgments.jsonl", "meta_judgments.jsonl"),
    ("scores.jsonl",),
    kills=3,
    concurrency=64,
    between=(20, 200),
)
LONG = BENCH._replace(inputs=pairs(2000), kills=10, between=(20, 300))
COMMANDS = [
    BENCH,
    pytest.param(LONG, id="long", marks=pytest.mark.slow),
    Command(
        "gold",
        pairs(120),
        "--rewrite --writer writer --writer-url URL --judge judge",
        ("drafts.jsonl", "checks.jsonl"),
        ("pairs.jsonl", "left_out.jsonl"),
    ),
    Command(
        "answers",
        rows(160, {}),
        "--model model --model-url URL",
        ("answers.jsonl",),
        ("prompts.jsonl", "left_out.jsonl"),
    ),
    Command(
        "winrate",
        rows(120, {"answer": "Four fathoms."}, {"reference_answer": "Deep enough, I should think."}),
        "--judge judge --judge-url URL",
        ("judgments.jsonl",),
        ("comparisons.jsonl",),
    ),
    Command(
        "rubric",
        rows(
            100,
            {"question": ["Does it give the depth?", "Does it name the tide?"], "answer": "Four fathoms."},
        ),
        "--judge grader --judge-url URL",
        ("grades.jsonl",),
    ),
    Command(
        "probe",
        pairs(50),
        "--judge judge --batch 16",
        ("judgments.jsonl", "readings.jsonl"),
    ),
]


@contextmanager
def models(
    command: Command, log: Path, *, faulty: bool
) -> Iterator[Callable[[list[Path], Path], subprocess.Popen]]:
    """Starts the models; gives how a session of the command is started. `log` names every answer they gave."""

    def start(program: list[str], url: str, inputs: list[Path], out: Path) -> subprocess.Popen:
        flags = [*command.flags.replace("URL", url).split(), "--out", str(out)]
        return subprocess.Popen(
            [sys.executable, "-m", *program, command.name, *map(str, inputs), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            cwd=ROOT,
        )

    if command.name == "probe":
        # Its model is in the process that is killed; there is no server to fail, and no call that hangs.
        yield lambda inputs, out: start(["tests.runs.killed_probe", str(log)], "", inputs, out)
        return
    server = [sys.executable, "-m", "ralign.models.testing.server", "--latency", "0.02", "--log", str(log)]
    server += ["--answer", "tests.runs.kill_server:answer"]
    server += ["--faults", "tests.runs.kill_server:faults"] if faulty else []
    # The server hangs for a minute; a try is given two seconds.
    bounds = f"--concurrency {command.concurrency} --try-timeout 2 --deadline 20"
    command = command._replace(flags=f"{command.flags} {bounds}")
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            yield lambda inputs, out: start(["ralign"], url, inputs, out)
        finally:
            process.terminate()


def recorded(out: Path, name: str, *, skip_partial: bool = True) -> list[dict[str, Any]]:
    """The answers in a log; a call that failed is none."""
    found = [json.loads(line.data) for line in read_log(out / name, skip_partial=skip_partial)]
    return [row for row in found if row["failure"] != "call"]


def count(command: Command, out: Path) -> int:
    return sum(len(recorded(out, name)) for name in command.logs)


def lines(command: Command, out: Path) -> int:
    """Without decoding them: asked for fifty times a second, beside the process on the same cores."""
    paths = [out / name for name in command.logs]
    return sum(path.read_bytes().count(b"\n") for path in paths if path.is_file())


def answered(log: Path) -> list[str]:
    found = [json.loads(line.data) for line in read_log(log, skip_partial=True)]
    return [row["digest"] for row in found if row["event"] == "answered"]


def tear(path: Path) -> bool:
    """Take the end of the last line away, as a machine that crashes may; whether an answer was lost with it."""
    if not path.is_file() or not (found := list(read_log(path, skip_partial=True))):
        return False
    last = found[-1]
    os.truncate(path, last.offset + len(last.data) // 2)
    return json.loads(last.data)["failure"] != "call"


@pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda command: command.name if isinstance(command, Command) else None
)
def test_killed_again_and_again_it_ends_as_if_undisturbed_and_pays_nothing_twice(
    command: Command, tmp_path: Path
) -> None:
    inputs = command.inputs(tmp_path)
    calm = tmp_path / "calm"
    with models(command, tmp_path / "calm.log", faulty=False) as start:
        process = start(inputs, calm)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    asked = set(answered(tmp_path / "calm.log"))
    kills = random.Random(7)
    out, log = tmp_path / "killed", tmp_path / "killed.log"
    lost = 0
    with models(command, log, faulty=True) as start:
        for number in range(command.kills):
            process = start(inputs, out)
            # Not before it is under way, and sooner or later after that.
            goal = lines(command, out) + kills.randrange(*command.between)
            while process.poll() is None and lines(command, out) < goal:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            _, errors = process.communicate()
            assert process.returncode == -signal.SIGKILL, f"it ended before it could be killed: {errors}"
            # For the server to notice that its callers have gone.
            time.sleep(0.2)
            torn = number % 2 == 1 and tear(out / command.logs[0])
            given = len([call for call in answered(log) if call in asked])
            in_flight = given - lost - count(command, out)
            assert 0 <= in_flight <= command.concurrency + torn
            lost += in_flight
        for _ in range(5):
            process = start(inputs, out)
            _, errors = process.communicate(timeout=120)
            if process.returncode == 0:
                break
    assert process.returncode == 0, errors

    ours, undisturbed = (json.loads((run / "results.json").read_text()) for run in (out, calm))
    assert undisturbed["complete"]
    # How requests had to be changed for an endpoint is of the session, and only the faulty server refuses any.
    del ours["adapted_parameters"], undisturbed["adapted_parameters"]
    # Tries that were paid for and gave nothing are in what a run has used.
    used, least = ours.pop("usage"), undisturbed.pop("usage")
    assert all(used[role][kind] >= count for role in least for kind, count in least[role].items())
    assert ours == undisturbed
    for name in command.logs:
        # Every line is whole, the torn ones have gone, and each answer stands once.
        assert (out / name).read_bytes().endswith(b"\n")
        found, expected = (
            sorted(json.dumps({**row, "usage": None}) for row in recorded(run, name, skip_partial=False))
            for run in (out, calm)
        )
        assert found == expected
    for name in command.files:
        assert (out / name).read_bytes() == (calm / name).read_bytes()

    calls = Counter(call for call in answered(log) if call in asked)
    assert len(calls) == len(asked)
    assert sum(calls.values()) - len(calls) == lost, "only what was in flight at a kill was answered again"
    assert count(command, out) == len(calls), "what is counted was answered, and once"
    # A session whose first call is refused asks one trivial question, to tell a wrong configuration from a bad prompt.
    trivial = len([call for call in answered(log) if call not in asked])
    assert trivial <= 2 * (command.kills + 5)
