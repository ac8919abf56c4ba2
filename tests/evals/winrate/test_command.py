"""`ralign winrate`, the whole of it, against a judge on loopback."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.flags import config_of

from ralign.errors import BadRow, ConfigMismatch, InputError
from ralign.evals.winrate.command import run_winrate, show_results
from ralign.models import ChatModel, Reply
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.runs.execute import Results


def judge(request: ChatRequest) -> str | Reply:
    """Prefers `good`; at `first`, whatever is shown first; at `mute`, says nothing."""
    shown = re.findall(r"\b(good|fair|bad|first|mute)\b", request.prompt.rpartition("What about")[2])
    first, second = [*shown, "", ""][:2]
    if "mute" in (first, second):
        return "They are much alike."
    better = "A" if first == "good" or second == "bad" or "first" in (first, second) else "B"
    return f"Answer {better} says what to do.\n\n\\boxed{{{better}}}"


def no_local_model(name: str) -> ChatModel:
    raise AssertionError(f"{name} has a URL")


def written(path: Path, column: str, texts: dict[str, str | None]) -> str:
    rows = [
        {"id": one, "prompt": f"What about {one}?", "kind": one[0]} | ({} if text is None else {column: text})
        for one, text in texts.items()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    said = {"fig": "good", "fennel": "bad", "pear": "first", "plum": "mute", "pea": "good"}
    return (
        written(tmp_path / "answers.jsonl", "answer", said),
        written(tmp_path / "references.jsonl", "reference_answer", dict.fromkeys([*said, "quince"], "fair")),
    )


async def run(url: str, files: tuple[str, str], out: Path, *flags: str, missing: str = "loss") -> Results:
    arguments = (
        "--judge",
        "j",
        "--judge-url",
        url,
        "--out",
        str(out),
        "--missing",
        missing,
    )
    config = config_of("winrate", *files, *arguments, *flags)
    results = await run_winrate(config, no_local_model, Console(file=StringIO()))
    assert results is not None
    return results


async def test_both_orders_make_won_tied_lost_and_what_has_no_verdict_counts_for_nothing(
    files, tmp_path: Path
) -> None:
    """Won fig and pea, tied pear, lost fennel and (for want of an answer) quince: 2.5 of 5; plum has no verdict."""
    async with ChatServer(answer=judge) as server:
        results = await run(server.url, files, tmp_path / "run", "--by", "kind")
    found = results.document
    assert results.complete
    assert found["counts"] == {
        "won": 2, "tied": 1, "lost": 1, "missing_as_loss": 1, "no_verdict": 1, "unanswered": 0
    }  # fmt: skip
    assert found["win_rate"]["value"] == pytest.approx(0.5)
    assert found["win_rate_bounds"] == {"low": pytest.approx(2.5 / 6), "high": pytest.approx(3.5 / 6)}
    assert found["groups"]["f"]["win_rate"]["value"] == pytest.approx(0.5)
    assert found["groups"]["p"]["counts"]["tied"] == 1
    lines = [json.loads(line) for line in (tmp_path / "run/comparisons.jsonl").read_text().splitlines()]
    assert {line["id"]: line["outcome"] for line in lines} == {
        "fig": 1.0, "fennel": 0.0, "pear": 0.5, "plum": None, "pea": 1.0, "quince": 0.0
    }  # fmt: skip
    assert lines[0]["answer"]["length"] == 4
    assert lines[-1]["answer"] is None
    assert found["usage"]["judge"]["completion_tokens"] > 0
    assert json.loads((tmp_path / "run/results.json").read_text()) == found


async def test_what_is_printed_says_how_it_was_counted(files, tmp_path: Path) -> None:
    async with ChatServer(answer=judge) as server:
        results = await run(server.url, files, tmp_path / "run")
    config = config_of("winrate", *files, "--judge", "j", "--out", str(tmp_path / "run"))
    printed = StringIO()
    show_results(results, config, Console(file=printed, width=200))
    text = printed.getvalue()
    assert "Win rate 50.0 %" in text
    assert "2 won, 1 tied (the orders disagree, or both say so), 1 lost" in text
    assert "Lost for want of an answer: 1 prompts." in text
    assert "Without a verdict in both orders: 1 prompts" in text
    assert "41.7 to 58.3 %" in text


async def test_it_goes_on_where_it_stopped_and_pays_for_nothing_twice(files, tmp_path: Path) -> None:
    def faults(number: int, body: bytes) -> Fault | None:
        return Fault(kind="status", status=400) if b"about fig" in body else None

    async with ChatServer(answer=judge, faults=faults) as server:
        results = await run(server.url, files, tmp_path / "run")
        assert not results.complete
        assert results.document["counts"]["unanswered"] == 1
    async with ChatServer(answer=judge) as server:
        results = await run(server.url, files, tmp_path / "run")
        assert server.arrived == 2
        assert all("about fig" in request.prompt for request in server.requests)
        # How it is counted may change without a call.
        again = await run(server.url, files, tmp_path / "run", missing="leave-out")
        assert server.arrived == 2
    assert results.complete
    assert again.document["counts"]["missing_as_loss"] == 0
    assert again.document["left_out"] == 1


async def test_other_answers_or_another_setting_in_the_same_directory_is_refused(
    files, tmp_path: Path
) -> None:
    async with ChatServer(answer=judge) as server:
        await run(server.url, files, tmp_path / "run")
        with pytest.raises(ConfigMismatch, match="judge_temperature"):
            await run(server.url, files, tmp_path / "run", "--judge-temperature", "0.9")
        other = written(tmp_path / "other.jsonl", "answer", {"fig": "bad"})
        with pytest.raises(ConfigMismatch, match="pairs_digest"):
            await run(server.url, (other, files[1]), tmp_path / "run")


async def test_a_missing_answer_stops_the_run_before_any_call(files, tmp_path: Path) -> None:
    async with ChatServer(answer=judge) as server:
        with pytest.raises(InputError, match="--missing loss counts them as lost"):
            await run(server.url, files, tmp_path / "run", missing="refuse")
        assert server.arrived == 0


async def test_a_dry_run_counts_both_orders_and_calls_nobody(files, tmp_path: Path) -> None:
    printed = StringIO()
    async with ChatServer(answer=judge) as server:
        config = config_of(
            "winrate", *files, "--judge", "j", "--judge-url", server.url, "--out", str(tmp_path / "run"),
            "--missing", "loss", "--dry-run", "--price", "j=0/10000", "--expected-completion-tokens", "100",
        )  # fmt: skip
        assert await run_winrate(config, no_local_model, Console(file=printed, width=200)) is None
        assert server.arrived == 0
    assert "judge: 10 calls" in printed.getvalue()
    assert "1,000 out, 10.00 in money" in printed.getvalue()
    assert not (tmp_path / "run").exists()


async def test_a_judgment_about_another_prompt_is_named_with_its_line(files, tmp_path: Path) -> None:
    async with ChatServer(answer=judge) as server:
        await run(server.url, files, tmp_path / "run")
        log = tmp_path / "run/judgments.jsonl"
        log.write_text('{"pair_id": "leek", "verdict": "A"}\n' + log.read_text())
        with pytest.raises(BadRow, match=r"judgments\.jsonl:1: prompt 'leek' is not in both files"):
            await run(server.url, files, tmp_path / "run")


async def test_flags_that_cannot_be_run_are_refused_before_a_file_is_read(tmp_path: Path) -> None:
    arguments = ("winrate", "nowhere.jsonl", "nowhere.jsonl", "--out", str(tmp_path / "run"))
    with pytest.raises(InputError, match="give --judge MODEL"):
        await run_winrate(config_of(*arguments), no_local_model, Console(file=StringIO()))
