"""What is owed to each prompt and what comes of it: by the plan alone, and as a run against a server on loopback."""

import json
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.flags import config_of

from ralign.data.answers.answer import Answer
from ralign.data.answers.command import run_answers
from ralign.data.answers.plan import AnswersPlan
from ralign.data.prompts import PolicyPrompt, read_prompts
from ralign.errors import ConfigMismatch, EndpointRefused, InputError, RunLocked
from ralign.files import lock_directory
from ralign.models import ChatModel, Reply
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.runs.execute import Results
from ralign.runs.execute import run as run_plan

HERBS = ("basil", "chive", "dill")


@pytest.fixture
def prompts(tmp_path: Path) -> str:
    path = tmp_path / "herbs.jsonl"
    rows = [
        {"id": herb, "prompt": f"When do I sow {herb}?", "bed": {"row": i}} for i, herb in enumerate(HERBS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def no_local_model(name: str) -> ChatModel:
    raise AssertionError(f"{name} has a URL")


async def run(url: str, prompts: str, out: Path, *flags: str) -> Results:
    config = config_of(
        "answers", prompts, "--model", "gardener", "--model-url", url, "--out", str(out), *flags
    )
    results = await run_answers(config, no_local_model, Console(file=StringIO()))
    assert results is not None
    return results


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class Gardener:
    """Says of each herb what its script says, in turn; the last one repeats."""

    def __init__(self, **script: list[Reply]) -> None:
        self.script = script
        self.asked: Counter[str] = Counter()

    def __call__(self, request: ChatRequest) -> Reply:
        herb = request.prompt.removeprefix("When do I sow ").rstrip("?")
        said = self.script.get(herb, [Reply(text=f"Sow {herb} in May.")])
        reply = said[min(self.asked[herb], len(said) - 1)]
        self.asked[herb] += 1
        return reply


CUT_OFF = Reply(text="In", finish_reason="length")
EMPTY = Reply(text="<think>May it is.")


async def test_answers_go_into_a_column_and_every_other_column_stays(prompts: str, tmp_path: Path) -> None:
    thoughtful = Reply(text="\n Sow it in May.\n", thinking="Frost ends in May.")
    async with ChatServer(answer=Gardener(basil=[thoughtful])) as server:
        results = await run(server.url, prompts, tmp_path / "run")
    assert results.complete
    assert results.document["answered"] == 3
    assert results.document["usage"]["model"]["completion_tokens"] > 0
    basil, chive, _ = rows_of(tmp_path / "run/prompts.jsonl")
    assert basil == {
        "id": "basil",
        "prompt": "When do I sow basil?",
        "bed": {"row": 0},
        "reference_answer": "Sow it in May.",
        "reference_answer_by": {"model": "test", "draw": 0},
    }
    assert chive["reference_answer"] == "Sow chive in May."
    # The thinking is recorded apart, and is no part of the answer.
    logged = {row["prompt_id"]: row for row in rows_of(tmp_path / "run/answers.jsonl")}
    assert logged["basil"]["thinking"] == "Frost ends in May."
    assert "thinking" not in logged["chive"]


async def test_an_answer_cut_off_or_empty_is_drawn_again_then_left_out_and_listed(
    prompts: str, tmp_path: Path
) -> None:
    gardener = Gardener(basil=[CUT_OFF, Reply(text="In May.")], chive=[EMPTY, CUT_OFF], dill=[EMPTY])
    async with ChatServer(answer=gardener) as server:
        results = await run(server.url, prompts, tmp_path / "run")
        seeds = [request.fields["seed"] for request in server.requests if "basil" in request.prompt]
    assert results.complete
    assert [row["id"] for row in rows_of(tmp_path / "run/prompts.jsonl")] == ["basil"]
    assert rows_of(tmp_path / "run/left_out.jsonl") == [
        {"id": "chive", "reason": "cut_off", "draws": 2},
        {"id": "dill", "reason": "empty", "draws": 2},
    ]
    assert results.document["left_out"] == {"cut_off": 1, "empty": 1}
    assert len(set(seeds)) == 2  # another draw is another answer


async def test_more_draws_may_be_allowed_later_and_only_those_are_asked(prompts: str, tmp_path: Path) -> None:
    gardener = Gardener(dill=[CUT_OFF, CUT_OFF, Reply(text="In April.")])
    async with ChatServer(answer=gardener) as server:
        await run(server.url, prompts, tmp_path / "run")
        before = server.arrived
        results = await run(server.url, prompts, tmp_path / "run", "--draws-limit", "3")
        assert server.arrived == before + 1
    assert results.document["answered"] == 3


async def test_a_failed_call_is_owed_again_and_nothing_answered_is_asked_twice(
    prompts: str, tmp_path: Path
) -> None:
    def faults(number: int, body: bytes) -> Fault | None:
        return Fault(kind="status", status=400) if b"dill" in body else None

    async with ChatServer(answer=Gardener(), faults=faults) as server:
        results = await run(server.url, prompts, tmp_path / "run")
    assert not results.complete
    assert results.document["owed"] == {"answers": 1}
    assert rows_of(tmp_path / "run/left_out.jsonl") == [{"id": "dill", "reason": "unanswered", "draws": 0}]
    async with ChatServer(answer=Gardener()) as server:
        results = await run(server.url, prompts, tmp_path / "run")
        assert [request.prompt for request in server.requests] == ["When do I sow dill?"]
    assert results.complete


async def test_a_partial_last_line_is_owed_again(prompts: str, tmp_path: Path) -> None:
    async with ChatServer(answer=Gardener()) as server:
        await run(server.url, prompts, tmp_path / "run")
        log = tmp_path / "run/answers.jsonl"
        complete = log.read_bytes()
        log.write_bytes(complete[:-9])
        before = server.arrived
        await run(server.url, prompts, tmp_path / "run")
        assert server.arrived == before + 1
    assert len(rows_of(log)) == 3


async def test_another_question_in_the_same_directory_is_refused(prompts: str, tmp_path: Path) -> None:
    async with ChatServer(answer=Gardener()) as server:
        await run(server.url, prompts, tmp_path / "run")
        with pytest.raises(ConfigMismatch, match="max_tokens is 16384 in this run, and 5 was asked for"):
            await run(server.url, prompts, tmp_path / "run", "--max-tokens", "5")
        (tmp_path / "thyme.jsonl").write_text('{"id": "basil", "prompt": "When do I sow thyme?"}\n')
        with pytest.raises(ConfigMismatch, match="prompts_digest"):
            await run(server.url, str(tmp_path / "thyme.jsonl"), tmp_path / "run")


async def test_two_processes_on_one_directory_are_refused(prompts: str, tmp_path: Path) -> None:
    async with ChatServer(answer=Gardener()) as server:
        with lock_directory(tmp_path / "run"), pytest.raises(RunLocked):
            await run(server.url, prompts, tmp_path / "run")


async def test_a_column_that_the_rows_have_already_is_not_overwritten(prompts: str, tmp_path: Path) -> None:
    async with ChatServer(answer=Gardener()) as server:
        with pytest.raises(
            InputError, match=r"herbs.jsonl:1: has a column bed already; choose another --column"
        ):
            await run(server.url, prompts, tmp_path / "run", "--column", "bed")
        assert server.arrived == 0


async def test_an_endpoint_that_refuses_everything_ends_the_run(prompts: str, tmp_path: Path) -> None:
    async with ChatServer(answer=Gardener(), key="another") as server:
        with pytest.raises(EndpointRefused):
            await run(server.url, prompts, tmp_path / "run")
    assert rows_of(tmp_path / "run/prompts.jsonl") == []


async def test_any_function_that_answers_is_a_model_and_what_is_left_is_counted_at_both_ends(
    prompts: str, tmp_path: Path
) -> None:
    """basil is answered; chive was cut off once and then had an outage; dill had nothing but an outage."""

    async def gardener(prompt: PolicyPrompt, draw: int) -> Answer:
        if prompt.id == "dill" or draw > 0:
            return Answer(prompt_id=prompt.id, draw=draw, failure="call", detail="no answer in time")
        cut_off = "length" if prompt.id == "chive" else None
        return Answer(prompt_id=prompt.id, draw=draw, text="In May.", finish_reason=cut_off)

    plan = AnswersPlan(read_prompts([prompts]), tmp_path / "run", gardener, draws_limit=3)
    results = await run_plan("answers", plan, tmp_path / "run")
    assert (results.complete, results.document["owed"]) == (False, {"answers": 2})
    again = AnswersPlan(read_prompts([prompts]), tmp_path / "run", gardener, draws_limit=3)
    again.answers.load()
    left = [
        [[call.about[1] for call in end] for end in again.forecast(row)]
        for items in again.waves()
        for row in items
    ]
    assert left == [[[], []], [[1], [1, 2]], [[0], [0, 1, 2]]]
    assert [len(again.owed(row)) for row in range(3)] == [0, 1, 1]


async def test_a_higher_limit_carries_a_run_on(prompts: str, tmp_path: Path) -> None:
    asked: list[str] = []

    async def gardener(prompt: PolicyPrompt, draw: int) -> Answer:
        asked.append(prompt.id)
        return Answer(prompt_id=prompt.id, draw=draw, text="In May.")

    for limit in (1, 2, None, 1):
        plan = AnswersPlan(read_prompts([prompts]), tmp_path / "run", gardener, limit=limit)
        results = await run_plan("answers", plan, tmp_path / "run", fingerprint={"digest": plan.digest})
        assert results.document["answered"] == (limit or 3)
    assert sorted(asked) == ["basil", "chive", "dill"]


async def test_a_lower_limit_than_an_earlier_session_had_leaves_later_draws_alone(
    prompts: str, tmp_path: Path
) -> None:
    gardener = Gardener(dill=[CUT_OFF, CUT_OFF, Reply(text="In April.")])
    async with ChatServer(answer=gardener) as server:
        await run(server.url, prompts, tmp_path / "run", "--draws-limit", "3")
        before = server.arrived
        results = await run(server.url, prompts, tmp_path / "run", "--draws-limit", "2")
        assert server.arrived == before
    assert rows_of(tmp_path / "run/left_out.jsonl") == [{"id": "dill", "reason": "cut_off", "draws": 2}]
    assert results.complete


async def test_a_run_without_a_model_is_refused_by_its_flag(prompts: str, tmp_path: Path) -> None:
    config = config_of(
        "answers", prompts, "--out", str(tmp_path / "run"), "--model-url", "http://localhost:1"
    )
    with pytest.raises(InputError, match="give --model MODEL"):
        await run_answers(config, no_local_model, Console(file=StringIO()))
