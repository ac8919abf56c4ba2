"""The batch modes: the same answers in the same logs, however the calls went out, came back, or failed to."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.runs.seventh_command import BuoyCalls, BuoyConfig, BuoyPlan, Said

import ralign.runs.batch
from ralign.errors import BadRow, ConfigMismatch, EndpointRefused, InputError, UnreadableAnswers
from ralign.models import ModelSpec, Reply, Sampling, ScriptedModel
from ralign.models.batch_endpoint import BatchEndpoint
from ralign.models.model import Request
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.batches import BatchFaultKind
from ralign.models.testing.server import ChatServer
from ralign.records import Usage
from ralign.runs.batch import Ledger
from ralign.runs.execute import Results, execute, show_end
from ralign.runs.options import CallOptions
from ralign.runs.plan import Ask, Live

SIZE = 20
API = CallOptions(batch_api=True, price=("writer=2/4", "checker=1/3"))
FILE = CallOptions(batch_file=True)
LIVE = CallOptions(price=API.price)
FAULTS: dict[int, tuple[BatchFaultKind, ...]] = {
    0: ("half_failed", "broken_download", "lost_create"),
    1: ("expired", "duplicate"),
    2: ("missing_line",),
    3: ("not_begun",),
}


def answer(request: ChatRequest) -> str:
    return f"answer to {request.prompt}"


def live(url: str | None, name: str) -> Live:
    return Live(ModelSpec(name=name, url=url, key_variable="OPENAI_API_KEY"), BuoyCalls())


async def buoys(
    out: Path,
    url: str | None,
    calls: CallOptions,
    *,
    size: int = SIZE,
    writer: Live | Ask | None = None,
    checker: Live | None = None,
    seed: int = 0,
    console: Console | None = None,
) -> Results:
    plan = BuoyPlan(out, size, writer or live(url, "writer"), checker or live(url, "checker"))
    console = console or Console(file=StringIO())
    results = await execute(
        "buoys",
        plan,
        BuoyConfig(out=out, url=""),
        out,
        calls=calls,
        fingerprint={"seed": seed},
        local_model=ScriptedModel,
        console=console,
    )
    assert results is not None
    return results


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_batches(results: Results) -> dict[str, Any]:
    return {
        key: value for key, value in results.document.items() if key not in ("money", "adapted_parameters")
    }


def handed_in(server: ChatServer) -> Counter[str]:
    return Counter(line.digest for line in server.log if line.event == "handed_in")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ralign.runs.batch, "_FIRST_WAIT", 0.01)


@pytest.mark.parametrize("faults", [{}, FAULTS], ids=["calm", "every fault"])
async def test_a_run_in_batches_ends_as_a_live_one_at_half_its_price(
    faults: dict[int, tuple[BatchFaultKind, ...]], tmp_path: Path
) -> None:
    async with ChatServer(answer=answer, batch_faults=lambda number: faults.get(number, ())) as server:
        batched = await buoys(tmp_path / "batched", server.url, replace(API, batch_requests=8))
        assert not server.arrived, "no call of its own"
        alone = await buoys(tmp_path / "live", server.url, LIVE)
    assert batched.complete
    assert without_batches(batched) == without_batches(alone)
    assert batched.document["money"] == pytest.approx(alone.document["money"] / 2, abs=1e-6)
    found = rows(tmp_path / "batched" / "writer.jsonl")
    assert all(row.pop("batch").startswith("batch_") for row in found)
    assert sorted(map(str, found)) == sorted(map(str, rows(tmp_path / "live" / "writer.jsonl")))
    # Each call is answered, and handed in again only where it was not.
    answered = Counter(line.digest for line in server.log if line.event == "answered" and line.number < 0)
    failed = Counter(line.digest for line in server.log if line.event == "unanswered")
    assert set(answered.values()) == {1}
    assert handed_in(server) == answered + failed


async def test_a_run_begun_in_batches_is_finished_in_calls_and_each_costs_its_own_price(
    tmp_path: Path,
) -> None:
    # Of the writer's 20 calls 10, 5 and 2 fail in three batches: 2 are given up. So it goes on for the checker's 18.
    async with ChatServer(answer=answer, batch_faults=lambda _: ("half_failed",)) as server:
        first = await buoys(tmp_path, server.url, API)
        assert not first.complete
        assert first.document["owed"] == {"writer": 2, "checker": 4}
        assert show_end(first, tmp_path, Console(file=StringIO())) == 1
        second = await buoys(tmp_path, server.url, LIVE)
        alone = await buoys(tmp_path / "live", server.url, LIVE)
    assert second.complete
    assert second.document["said"] == alone.document["said"]
    money = 0.0
    for role, (input_price, output_price) in {"writer": (2, 4), "checker": (1, 3)}.items():
        for row in rows(tmp_path / f"{role}.jsonl"):
            usage = row.get("usage", {"prompt_tokens": 0, "completion_tokens": 0})
            cost = usage["prompt_tokens"] * input_price + usage["completion_tokens"] * output_price
            money += cost / (2 if "batch" in row else 1)
    assert second.document["money"] == pytest.approx(money / 1e6, abs=1e-6)
    assert alone.document["money"] / 2 < second.document["money"] < alone.document["money"]


async def interrupted(out: Path, server: ChatServer, *, until: Callable[[], bool]) -> None:
    """A session that ends, as by Ctrl-C, once something has happened."""
    session = asyncio.create_task(buoys(out, server.url, API))
    while not until():
        assert not session.done(), session.exception()
        await asyncio.sleep(0.005)
    session.cancel()
    await asyncio.wait([session])


def created(out: Path) -> bool:
    path = out / "batches.jsonl"
    return path.exists() and '"created"' in path.read_text()


async def test_a_batch_that_was_written_and_not_uploaded_is_handed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(endpoint: BatchEndpoint, path: Path) -> str:
        raise EndpointRefused(f"no upload of {path.name}")

    async with ChatServer(answer=answer) as server:
        with monkeypatch.context() as patch:
            patch.setattr(BatchEndpoint, "upload", never)
            with pytest.raises(EndpointRefused, match="no upload of 0001"):
                await buoys(tmp_path, server.url, API)
        assert [row["state"] for row in rows(tmp_path / "batches.jsonl")] == ["written"]
        assert (await buoys(tmp_path, server.url, API)).complete
    assert set(handed_in(server).values()) == {1}


@pytest.mark.parametrize("lines_left", [2, 3], ids=["uploaded", "created"])
async def test_a_batch_that_was_handed_in_is_found_again(lines_left: int, tmp_path: Path) -> None:
    async with ChatServer(answer=answer, batch_seconds=0.3) as server:
        await interrupted(tmp_path, server, until=lambda: created(tmp_path))
        ledger = tmp_path / "batches.jsonl"
        steps = ledger.read_text().splitlines(keepends=True)
        assert [json.loads(step)["state"] for step in steps] == ["written", "uploaded", "created"]
        # As a kill between the endpoint's answer and the line about it leaves it, or in the middle of that line.
        ledger.write_text("".join(steps[:lines_left]) + "".join(steps[lines_left:])[:30])
        assert (await buoys(tmp_path, server.url, API)).complete
    assert set(handed_in(server).values()) == {1}


async def test_a_file_of_requests_that_was_not_written_down_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "batches").mkdir()
    (tmp_path / "batches" / "0001.jsonl").write_text('{"custom_id":"writer-half')
    async with ChatServer(answer=answer) as server:
        assert (await buoys(tmp_path, server.url, API)).complete
    assert set(handed_in(server).values()) == {1}


async def test_what_is_out_is_not_asked_in_calls_until_its_file_is_removed(tmp_path: Path) -> None:
    async with ChatServer(answer=answer, batch_seconds=60) as server:
        await interrupted(tmp_path, server, until=lambda: created(tmp_path))
        left = json.loads((tmp_path / "results.json").read_text())
        assert left["in_batches"] == {"writer": SIZE}
        with pytest.raises(InputError, match=r"20 calls are out in batches: .*--batch-api, or remove .*0001"):
            await buoys(tmp_path, server.url, LIVE)
        with pytest.raises(InputError, match="--batch-api"):
            await buoys(tmp_path, server.url, FILE)
        # Nor is the directory taken over, although nothing is recorded yet.
        with pytest.raises(ConfigMismatch, match="choose another --out"):
            await buoys(tmp_path, server.url, LIVE, seed=1)
        assert not server.arrived
        (tmp_path / "batches" / "0001.jsonl").unlink()
        assert (await buoys(tmp_path, server.url, LIVE)).complete


async def test_a_parameter_that_the_model_does_not_take_is_left_out_of_the_next_batch(tmp_path: Path) -> None:
    async with ChatServer(answer=answer, refuse=("seed",)) as server:
        results = await buoys(tmp_path, server.url, API)
    assert results.complete
    assert results.document["adapted_parameters"] == {"writer": {"seed": None}, "checker": {"seed": None}}
    assert max(handed_in(server).values()) == 1, "the second time it is another request"
    assert '"seed"' not in (tmp_path / "batches" / "0002.jsonl").read_text()


async def test_a_call_that_is_refused_is_recorded_and_handed_in_by_the_next_session(tmp_path: Path) -> None:
    async with ChatServer(answer=answer, models=("writer",)) as server:
        results = await buoys(tmp_path, server.url, API)
        assert results.document["owed"] == {"writer": 0, "checker": SIZE}
        assert set(handed_in(server).values()) == {1}
        server.models = ("writer", "checker")
        assert (await buoys(tmp_path, server.url, API)).complete
    failed = [row for row in rows(tmp_path / "checker.jsonl") if row["failure"] == "call"]
    assert len(failed) == SIZE
    assert "the model 'checker' does not exist" in failed[0]["detail"]


async def test_where_the_queue_is_full_batches_go_in_one_at_a_time(tmp_path: Path) -> None:
    out_now, most = 0, 0

    def faults(number: int) -> tuple[BatchFaultKind, ...]:
        return ("not_begun",) if number in (1, 2) else ()

    async with ChatServer(answer=answer, batch_faults=faults, batch_seconds=0.02) as server:
        results = await buoys(tmp_path, server.url, replace(API, batch_requests=7))
    assert results.complete
    # From the fourth on: read and created in turn.
    for row in rows(tmp_path / "batches.jsonl"):
        if row["number"] > 3:
            out_now += {"created": 1, "read": -1}.get(row["state"], 0)
            most = max(most, out_now)
    assert most == 1


async def test_an_endpoint_without_batches_is_named_in_one_line(tmp_path: Path) -> None:
    async with ChatServer(answer=answer) as server:
        with pytest.raises(
            EndpointRefused, match=r"404 Not Found: .*--batch-file writes the requests to a file"
        ):
            await buoys(tmp_path, f"{server.url}/v1", API)


async def test_a_wrong_key_is_named_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    async with ChatServer(key="sk-right") as server:
        with pytest.raises(EndpointRefused, match="check the key in OPENAI_API_KEY") as refused:
            await buoys(tmp_path, server.url, API)
    assert "sk-wrong" not in str(refused.value)


async def test_a_role_that_is_no_model_answers_at_once_and_is_asked_once_a_session(tmp_path: Path) -> None:
    asked: Counter[int] = Counter()

    async def recorded(number: int) -> Said:
        asked[number] += 1
        if number == 3:
            return Said(number=number, failure="call", detail="not in the file")
        return Said(number=number, text=f"buoy {number}")

    async with ChatServer(
        answer=answer, batch_faults=lambda number: FAULTS[0] if number == 0 else ()
    ) as server:
        results = await buoys(tmp_path, server.url, replace(API, price=("checker=1/3",)), writer=recorded)
    assert results.document["owed"] == {"writer": 1, "checker": 1}
    assert asked == Counter(range(SIZE))


def name_buoy(number: int) -> str:
    """A writer that is no model."""
    return f"buoy {number}"


@pytest.mark.parametrize("mode", ["api", "file"])
async def test_a_python_function_is_called_at_once_and_only_models_have_batches(
    mode: str, tmp_path: Path
) -> None:
    async with ChatServer(answer=answer) as server:
        writer = live(None, "python:tests.runs.test_batch:name_buoy")
        calls = replace(API, price=("checker=1/3",)) if mode == "api" else FILE
        results = await buoys(tmp_path, server.url, calls, writer=writer)
    assert results.document["owed"] == {"writer": 0, "checker": 0 if mode == "api" else SIZE}
    assert {row["role"] for row in rows(tmp_path / "batches.jsonl")} == {"checker"}


async def test_files_are_split_by_their_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ralign.runs.batch, "MOST_BYTES", 1000)
    async with ChatServer(answer=answer) as server:
        assert (await buoys(tmp_path, server.url, API)).complete
    sizes = [path.stat().st_size for path in (tmp_path / "batches").glob("????.jsonl")]
    assert len(sizes) > 4
    assert max(sizes) <= 1000


async def test_progress_says_how_far_the_batches_are_and_how_to_leave(tmp_path: Path) -> None:
    printed = StringIO()
    async with ChatServer(answer=answer, batch_seconds=0.1) as server:
        await buoys(tmp_path, server.url, API, console=Console(file=printed, width=200))
    assert "batch 1 (writer): 0 of 20 done, 0 failed, in_progress. Ctrl-C leaves" in printed.getvalue()


class LimitedCalls(BuoyCalls):
    def request(self, number: int, *said: str) -> Request:
        return super().request(number, *said)._replace(sampling=Sampling(max_tokens=100))


async def test_no_more_is_handed_in_than_the_budget_covers_at_the_worst(tmp_path: Path) -> None:
    # At half of 4 a million, a writer's answer costs 0.0002 at its limit of 100 tokens, and 0.000066 at its 33. So 10
    # fit at first, then 7 into what is left of 0.0021, and so on; with 0.000186 left, none.
    calls = replace(API, price=("writer=0/4", "checker=0/0"), max_cost=0.0021)

    def long(request: ChatRequest) -> Reply:
        return Reply(text=request.prompt, usage=Usage(prompt_tokens=1, completion_tokens=33))

    async with ChatServer(answer=long) as server:
        writer, checker = (
            live(server.url, name)._replace(calls=LimitedCalls()) for name in ("writer", "checker")
        )
        results = await buoys(tmp_path, server.url, calls, size=60, writer=writer, checker=checker)
        wholly = await buoys(
            tmp_path, server.url, replace(calls, max_cost=1.0), size=60, writer=writer, checker=checker
        )
        with pytest.raises(InputError, match="by their answers' token limit, and the checker has none"):
            await buoys(tmp_path / "unlimited", server.url, calls, writer=writer)
    names = [path.name for path in (tmp_path / "unlimited" / "batches").iterdir()]
    assert sorted(names) == ["0001.jsonl", "0001.output.jsonl"]
    sizes = [
        row["requests"]
        for row in rows(tmp_path / "batches.jsonl")
        if (row["role"], row["state"]) == ("writer", "written")
    ]
    assert sizes == [10, 7, 4, 3, 2, 1, 1, 1, 31]
    assert results.document["max_cost"] == 0.0021
    assert results.document["money"] == pytest.approx(29 * 0.000066, abs=1e-6)
    assert wholly.complete
    assert "max_cost" not in wholly.document


class DeafCalls(BuoyCalls):
    def read(self, answer: Reply | Exception, number: int, *said: str) -> Said:
        record = super().read(answer, number, *said)
        return record if record.failure else replace(record, failure="parse", detail="not a word of it")


async def test_where_nothing_can_be_read_a_run_stops_and_the_rest_is_read_later(tmp_path: Path) -> None:
    async with ChatServer(answer=answer) as server:
        deaf = live(server.url, "writer")._replace(calls=DeafCalls())
        with pytest.raises(UnreadableAnswers, match="20 of the last 20 writer answers could not be read"):
            await buoys(tmp_path, server.url, API, size=30, writer=deaf)
        assert len(rows(tmp_path / "writer.jsonl")) == 20
        assert (
            await buoys(tmp_path, server.url, replace(API, keep_going=True), size=30, writer=deaf)
        ).complete
    assert set(handed_in(server).values()) == {1}


async def test_an_answer_that_was_paid_for_and_says_nothing_is_paid_for_on_record(tmp_path: Path) -> None:
    # An empty reply is tried again, as in a call; each time its tokens are billed.
    def sometimes(request: ChatRequest) -> Reply:
        text = "" if request.prompt == "Buoy 3: " else "buoy"
        return Reply(text=text, usage=Usage(prompt_tokens=7, completion_tokens=1))

    async with ChatServer(answer=sometimes) as server:
        results = await buoys(tmp_path, server.url, replace(API, price=("writer=1/0", "checker=0/0")))
    assert results.document["owed"] == {"writer": 1, "checker": 1}
    # 19 answers and three tries of one: 22 times 7 tokens at half of 1 a million.
    assert results.document["usage"]["writer"]["prompt_tokens"] == 22 * 7
    assert results.document["money"] == pytest.approx(22 * 7 * 0.5e-6, abs=1e-6)
    assert [row["failure"] for row in rows(tmp_path / "writer.jsonl")].count("call") == 3


def run_batch(path: Path, *, failing: str = "") -> None:
    """What `vllm run-batch` writes beside a file of requests; the requests for this prompt fail."""
    lines: list[dict[str, Any]] = []
    for request in rows(path):
        prompt = request["body"]["messages"][-1]["content"]
        line = {"id": "vllm-1", "custom_id": request["custom_id"], "error": None}
        if prompt == failing:
            line["response"] = {"status_code": 400, "request_id": "vllm-batch-1", "body": None}
            line["error"] = {"error": {"message": "too long", "type": "BadRequestError", "code": 400}}
        else:
            message = {"role": "assistant", "content": f"answer to {prompt}", "reasoning_content": None}
            body = {"model": request["body"]["model"], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
            body["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
            line["response"] = {"status_code": 200, "request_id": "vllm-batch-1", "body": body}
        lines.append(line)
    output = path.with_suffix(".output.jsonl")
    output.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


async def test_files_go_out_and_come_back_role_by_role(tmp_path: Path) -> None:
    printed = StringIO()
    console = Console(file=printed, width=300)
    first = await buoys(tmp_path, None, FILE, console=console)
    requests = tmp_path / "batches" / "0001.jsonl"
    assert (
        f"vllm run-batch -i {requests} -o {tmp_path}/batches/0001.output.jsonl --model writer"
        in printed.getvalue()
    )
    assert first.document["in_batches"] == {"writer": SIZE}
    assert show_end(first, tmp_path, console) == 1
    assert "the same command goes on when their answers are there" in printed.getvalue()
    assert not first.complete
    # Again before anything came back: nothing is written twice.
    await buoys(tmp_path, None, FILE)
    assert [path.name for path in (tmp_path / "batches").iterdir()] == ["0001.jsonl"]
    run_batch(requests, failing="Buoy 4: ")
    second = await buoys(tmp_path, None, FILE)
    assert second.document["owed"] == {"writer": 1, "checker": SIZE}
    assert second.document["in_batches"] == {"checker": SIZE - 1}
    assert [row["detail"] for row in rows(tmp_path / "writer.jsonl") if row["failure"]] == [
        "400 Bad Request: too long"
    ]
    # The next session asks once more for what failed, beside the checker's calls that are out.
    await buoys(tmp_path, None, FILE)
    for number in ("0002", "0003"):
        run_batch(tmp_path / "batches" / f"{number}.jsonl")
    await buoys(tmp_path, None, FILE)
    run_batch(tmp_path / "batches" / "0004.jsonl")
    last = await buoys(tmp_path, None, FILE)
    assert last.complete
    assert "in_batches" not in last.document
    assert last.document["said"] == [f"answer to Buoy {n}: answer to Buoy {n}: " for n in range(SIZE)]


async def test_a_line_of_the_ledger_that_is_no_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "batches.jsonl").write_text('{"number": 1}\n{"number": 2}\n')
    with pytest.raises(BadRow, match=r"batches.jsonl:1: not the state of a batch"):
        Ledger(tmp_path).load()


async def test_what_no_batch_can_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'writer' is a model on this machine"):
        await buoys(tmp_path, None, API)
    probed = live("http://localhost:1", "writer")._replace(bind=lambda model: pytest.fail(str(model)))
    for mode in (API, FILE):
        with pytest.raises(InputError, match="asked for probabilities, which no batch carries"):
            await buoys(tmp_path, "http://localhost:1", mode, writer=probed)
    with pytest.raises(InputError, match="either --batch-api or --batch-file"):
        CallOptions(batch_api=True, batch_file=True)


async def test_a_dry_run_says_what_batches_cost(tmp_path: Path) -> None:
    printed: dict[str, str] = {}
    for name, calls in {"live": LIVE, "batches": API}.items():
        file = StringIO()
        plan = BuoyPlan(
            tmp_path, 1000, live("http://localhost:1", "writer"), live("http://localhost:1", "checker")
        )
        await execute(
            "buoys",
            plan,
            BuoyConfig(out=tmp_path, url=""),
            tmp_path,
            calls=replace(calls, dry_run=True),
            fingerprint={},
            local_model=ScriptedModel,
            console=Console(file=file, width=300),
        )
        printed[name] = file.getvalue()
    # 1,000 answers of 600 tokens at 4 a million are 2.40, and the prompts of 9 characters next to nothing.
    assert "2.40 in money" in printed["live"]
    assert "1.20 in money" in printed["batches"]
    assert "At the price of batches: 50% less." in printed["batches"]
