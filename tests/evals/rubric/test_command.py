"""`ralign rubric` against a server, and its run as a row of `ralign downstream`."""

import asyncio
import json
from pathlib import Path

import pytest
from rich.console import Console
from tests.evals.rubric.lighthouse import written
from tests.flags import config_of

from ralign.cli import main
from ralign.errors import ConfigMismatch, InputError
from ralign.evals.rubric.command import run_rubric
from ralign.files import read_table
from ralign.models import ChatModel
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.server import ChatServer
from ralign.runs.execute import Results

KEY = "sk-never-to-be-seen-0123456789"


def says(request: ChatRequest) -> str:
    answer = request.prompt.partition("<answer ")[2].partition("</answer ")[0]
    if "<rubric " in request.prompt:
        return "SCORE: 10" if "dusk" in answer else "SCORE: 1"
    return f"VERDICT: {'yes' if 'dusk' in answer else 'no'}"


def no_local_model(name: str) -> ChatModel:
    raise AssertionError(name)


def items(folder: Path, *, question: str = "question") -> str:
    rows = [
        {"id": str(number), "prompt": "When is the lamp lit?", "answer": answer, "axis": axis, **decides}
        for number, (answer, axis, decides) in enumerate(
            [
                ("At dusk.", "time", {question: "Does it name dusk?"}),
                ("At six.", "time", {question: "Does it name dusk?"}),
                ("At six.", "time", {question: "Does it name dusk?", "expected": "no"}),
                ("At dusk.", "style", {"rubric": ["names dusk"]}),
            ]
        )
    ]
    return written(folder / "items.jsonl", rows)


async def test_grades_go_from_a_server_to_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    out, table = tmp_path / "multichallenge", tmp_path / "policies.csv"

    def ralign(*arguments: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return int(ended.value.code or 0)

    async with ChatServer(answer=says, key=KEY) as server:
        arguments = (
            "rubric",
            items(tmp_path),
            "--judge",
            "j",
            "--judge-url",
            server.url,
            "--out",
            out,
            "--by",
            "axis",
        )
        for dry in (("--dry-run", "--price", "j=1/1"), (), ()):
            # In a thread: the command has a loop of its own, and the server lives in this one.
            assert await asyncio.to_thread(ralign, *arguments, *dry) == 0
    assert len(server.answered) == 4
    said = capsys.readouterr().out
    assert "4 calls, about" in said
    assert "all: 75.0 % [" in said
    assert "mean grade 10.00 of 10; 4 items, 0 ungraded, 0 without an answer" in said
    assert "time: 66.7 % [" in said
    assert not any(KEY.encode() in path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert ralign("downstream", out, "--model", "a", "--out", table, "--average-over", "multichallenge") == 0
    assert read_table(table).numbers("multichallenge") == read_table(table).numbers("average") == (75.0,)


async def run(url: str, items: str, out: Path, *flags: str) -> Results:
    config = config_of("rubric", items, "--judge", "j", "--judge-url", url, "--out", str(out), *flags)
    results = await run_rubric(config, no_local_model, Console(quiet=True))
    assert results is not None
    return results


async def test_an_unfinished_run_says_so_and_the_same_command_goes_on(tmp_path: Path) -> None:
    async with ChatServer(answer=says, models=["j"]) as server:
        results = await run(server.url, items(tmp_path), tmp_path / "run")
    assert results.complete
    log = tmp_path / "run" / "grades.jsonl"
    first, *rest = log.read_text().splitlines()
    failed = {**json.loads(first), "value": None, "failure": "call", "text": ""}
    log.write_text("".join(f"{line}\n" for line in (json.dumps(failed), *rest)))
    async with ChatServer(answer=says) as server:
        again = await run(server.url, items(tmp_path), tmp_path / "run")
        assert len(server.answered) == 1
    assert again.document["score"] == results.document["score"]


async def test_how_missing_answers_are_counted_may_change_without_a_call(tmp_path: Path) -> None:
    """Passed, and one without an answer: a half as a failure, one where it is left out."""
    rows = [
        {
            "id": str(number),
            "prompt": "When is the lamp lit?",
            "answer": answer,
            "question": "Does it name dusk?",
        }
        for number, answer in enumerate(["At dusk.", ""])
    ]
    source = written(tmp_path / "items.jsonl", rows)
    async with ChatServer(answer=says) as server:
        with pytest.raises(InputError, match="--missing fail counts them as failed"):
            await run(server.url, source, tmp_path / "run")
        failed = await run(server.url, source, tmp_path / "run", "--missing", "fail")
        left_out = await run(server.url, source, tmp_path / "run", "--missing", "leave-out")
        assert server.arrived == 1
    assert (failed.document["score"]["value"], failed.document["left_out"]) == (0.5, 0)
    assert (left_out.document["score"]["value"], left_out.document["left_out"]) == (1.0, 1)


async def test_another_setting_in_the_same_directory_is_refused_and_a_column_s_name_is_none(
    tmp_path: Path,
) -> None:
    source = items(tmp_path)
    async with ChatServer(answer=says) as server:
        await run(server.url, source, tmp_path / "run")
        with pytest.raises(ConfigMismatch, match="judge_temperature"):
            await run(server.url, source, tmp_path / "run", "--judge-temperature", "0.9")
        renamed = items(tmp_path, question="TARGET")
        await run(server.url, renamed, tmp_path / "run", "--question-column", "TARGET")
        assert server.arrived == 4


async def test_flags_that_cannot_be_run_are_refused_before_a_file_is_read(tmp_path: Path) -> None:
    arguments = ("rubric", "nowhere.jsonl", "--out", str(tmp_path / "run"))
    with pytest.raises(InputError, match="give --judge MODEL"):
        await run_rubric(config_of(*arguments), no_local_model, Console(quiet=True))
