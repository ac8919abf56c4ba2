"""`ralign gold` and `ralign convert` as a user runs them: a process, its exit code, what it prints and leaves."""

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.data.gold.gardens import OTHER, Models, make_pair

from ralign.files import find_pairs_files, read_log, read_pairs
from ralign.judging import call_seed
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer

ROOT = Path(__file__).parents[3]
KEY = "sk-never-to-be-seen-9876543210"
ENVIRONMENT = os.environ | {
    "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    "OMP_NUM_THREADS": "1",
    "OPENAI_API_KEY": KEY,
}
PAIRS = [make_pair("rose"), make_pair("quince", "B"), make_pair("fig")]


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


async def test_gold_writes_a_run_directory_and_says_what_came_of_it(written, tmp_path: Path) -> None:
    out = tmp_path / "run"
    models = Models({"quince": [OTHER]})
    async with ChatServer(answer=models, key=KEY) as server:
        arguments = ("gold", written(PAIRS), "--writer", "strong", "--writer-url", server.url, "--out", out)
        done = await ralign(*arguments, "--judge", "other", "--draws-limit", 2, "--price", "strong=1/2")
    assert done.code == 0, done.err
    assert "2 of 3 pairs got a gold rationale (4 drafts), 1 were left out" in done.out
    assert "Drafts not taken: other verdict 2." in done.out
    assert f"{out}/left_out.jsonl" in done.out
    assert {path.name for path in out.iterdir()} == {
        ".lock",
        "checks.jsonl",
        "config.toml",
        "drafts.jsonl",
        "left_out.jsonl",
        "pairs.jsonl",
        "results.json",
    }
    assert json.loads((out / "results.json").read_text())["money"] > 0
    # A run directory is shared: the key is in no file and no message.
    assert not any(KEY.encode() in path.read_bytes() for path in out.iterdir())
    assert KEY not in done.out + done.err


async def test_an_unfinished_run_says_so_and_exits_1(written, tmp_path: Path) -> None:
    def faults(number: int, body: bytes) -> Fault | None:
        return Fault(kind="status", status=400) if b"prune the fig" in body else None

    async with ChatServer(answer=Models(), faults=faults) as server:
        arguments = (
            "--writer",
            "strong",
            "--writer-url",
            server.url,
            "--out",
            tmp_path / "run",
            "--concurrency",
            1,
        )
        done = await ralign("gold", written(PAIRS), *arguments)
    assert done.code == 1
    assert "Unfinished: 1 drafts had no answer" in done.out


async def test_a_dry_run_makes_no_call_and_no_directory(written, tmp_path: Path) -> None:
    """Three pairs, three draws at most: 3 to 9 drafts of 100 tokens; at 10 a million out, 0.003 and 0.009."""
    out = tmp_path / "run"
    async with ChatServer(answer=Models()) as server:
        arguments = ("gold", written(PAIRS), "--writer", "strong", "--writer-url", server.url, "--out", out)
        arguments += ("--draws-limit", 3, "--judge", "other", "--expected-completion-tokens", 100)
        done = await ralign(*arguments, "--dry-run", "--price", "strong=0/10000")
        assert server.arrived == 0
        assert done.code == 0, done.err
        assert not out.exists()
        assert "writer: 3 to 9 calls" in done.out
        assert "300 to 900 out, 3.00 to 9.00 in money" in done.out
        assert "\njudge: 3 to 9 calls" in done.out
        assert (await ralign(*arguments)).code == 0
        done = await ralign(*arguments, "--dry-run")
    assert "writer: 0 calls" in done.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--judge-url", "http://localhost:1"), "--judge-url needs --judge MODEL"),
        (("--draws-limit", 0), "--draws-limit is 0, expected 1 or more"),
        (("--price", "x=1/1"), "--price names 'x', which is none of the models asked (strong)"),
        (("--writer-prompt", "missing.txt"), "cannot read the writer prompt"),
        (("--writer-body", "[1]"), "--writer-body is [1], expected a JSON object"),
    ],
)
async def test_a_mistake_is_one_line_and_exits_2(written, tmp_path: Path, arguments, problem: str) -> None:
    judge = ("--writer", "strong", "--writer-url", "http://localhost:1/v1", "--out", tmp_path / "run")
    done = await ralign("gold", written(PAIRS), *judge, *arguments)
    assert done.code == 2
    assert problem in done.err
    assert len(done.err.splitlines()) == 1


def answer_by_seed(request: ChatRequest) -> str:
    """One draft in three argues for B, which half the labels are; one check in five is led to B."""
    other = request.fields["seed"] % (5 if request.fields["model"] == "other" else 3) == 0
    letter = re.findall(r"(?:found better: |\nAnswer )([AB])", request.prompt)[-1]
    return f"Answer {'B' if other else letter} names it.\n\n\\boxed{{{'B' if other else letter}}}"


async def test_killed_and_started_again_it_pays_for_nothing_twice_and_ends_the_same(
    written, tmp_path: Path
) -> None:
    pairs = [make_pair(f"rose-{number}", "A" if number % 2 else "B") for number in range(60)]
    path = written(pairs)
    options = ("--writer", "strong", "--judge", "other", "--concurrency", 6)

    async with ChatServer(answer=answer_by_seed) as server:
        await ralign("gold", path, *options, "--writer-url", server.url, "--out", tmp_path / "undisturbed")
        undisturbed = server.arrived

    out = tmp_path / "run"
    async with ChatServer(answer=answer_by_seed, latency=0.02) as server:
        arguments = ("gold", path, *options, "--writer-url", server.url, "--out", out)
        process = await start(*arguments)
        while len(server.answered) < 40:
            assert process.returncode is None, "it ended before it could be killed"
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        recorded = {name: recorded_in(out / f"{name}.jsonl") for name in ("drafts", "checks")}
        before = server.arrived
        done = await ralign(*arguments)
        asked_again = Counter(request.fields["seed"] for request in server.requests[before:])
    assert done.code == 0, done.err
    lines = sum(len(keys) for keys in recorded.values())
    assert 20 < lines < undisturbed
    assert asked_again.total() == undisturbed - lines
    assert max(asked_again.values()) == 1
    for stage, name in (("gold", "drafts"), ("gold-check", "checks")):
        seeds = {call_seed(0, stage, "gardens", pair_id, draw) for pair_id, draw in recorded[name]}
        assert seeds.isdisjoint(asked_again)
    counts = json.loads((out / "results.json").read_text())
    assert counts["drafts"]["rejected"]["other_verdict"] > 5
    assert counts["drafts"]["rejected"]["not_confirmed"] > 2
    for name in ("pairs.jsonl", "left_out.jsonl"):
        assert (out / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def recorded_in(log: Path) -> set[tuple[str, int]]:
    rows = [json.loads(line.data) for line in read_log(log, skip_partial=True)]
    return {(row["pair_id"], row["draw"]) for row in rows}


async def test_convert_then_gold_makes_a_rationale_aware_benchmark(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    row = {
        "domain": "general",
        "context": [{"role": "user", "content": "When do I prune the rose?"}],
        "response1": "In late winter.",
        "response2": "Whenever you like.",
        "individual_preference": [{"score": -1, "reasoning": "Response 1 names a season."}],
    }
    source.write_text("".join(json.dumps(row | {"overall_preference": score}) + "\n" for score in (-1, 0)))
    pairs = tmp_path / "pairs.jsonl"
    done = await ralign("convert", "helpsteer3", source, "--out", pairs, "--seed", 3, "--ties", "leave-out")
    assert done.code == 0, done.err
    assert f"1 pairs of 2 rows in {pairs}" in done.out
    assert "Left out: 1 (tie)." in done.out
    async with ChatServer(answer=Models()) as server:
        arguments = ("--writer", "strong", "--writer-url", server.url, "--out", tmp_path / "run")
        done = await ralign("gold", pairs, *arguments)
    assert done.code == 0, done.err
    (pair,) = read_pairs(find_pairs_files([str(tmp_path / "run/pairs.jsonl")]))
    assert pair.gold_rationale is not None
    assert pair.benchmark == "HelpSteer3"
    assert f"answer {pair.label} names a season." in server.requests[0].prompt


async def test_convert_names_a_bad_row_and_exits_2(tmp_path: Path) -> None:
    source = tmp_path / "test.jsonl"
    source.write_text('{"prompt": "x", "response_1": "y", "response_2": "z", "winner": "?"}\n')
    done = await ralign("convert", "ppe", source, "--out", tmp_path / "out.jsonl")
    assert done.code == 2
    assert (
        done.err
        == f"ralign: {source}:1: winner is '?', expected 'A', 'B' or 'tie', or other words for them\n"
    )
    done = await ralign("convert", "ppe", source, "--out", tmp_path / "out.jsonl", "--skip-bad-rows")
    assert done.code == 0
    assert (
        f"{source}:1: winner is '?'" in done.out.replace("\n", " ").replace("  ", " ") or "winner" in done.out
    )
