"""The loop under every command: what is owed is asked for, once, and a run that ends early leaves what it has."""

import asyncio
import json
import tomllib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.runs.seventh_command import BuoyCalls, BuoyConfig, BuoyPlan, Said

from ralign.errors import ConfigMismatch, EndpointRefused, InputError, RunLocked
from ralign.files import lock_directory
from ralign.models import ModelSpec, Reply, ScriptedModel
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.server import ChatServer
from ralign.records import Usage
from ralign.runs.execute import Results, execute, run, show_end
from ralign.runs.options import CallOptions
from ralign.runs.plan import Call, Live

SIZE = 12


class Table:
    """Answers with a number's name; `failing` numbers get no answer, after `refuses_after` nobody does."""

    def __init__(self, *, failing: tuple[int, ...] = (), refuses_after: int | None = None) -> None:
        self.failing, self.refuses_after = failing, refuses_after
        self.asked: Counter[int] = Counter()
        self.in_flight = self.most_in_flight = 0

    async def __call__(self, number: int, said: str = "") -> Said:
        if self.asked.total() == self.refuses_after:
            raise EndpointRefused("401: the key has expired")
        self.asked[number] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.001)
        self.in_flight -= 1
        if number in self.failing:
            return Said(number=number, failure="call", detail="no answer in time")
        return Said(number=number, text=f"{said}{number}", usage=Usage(prompt_tokens=3, completion_tokens=1))


def results_of(out: Path) -> dict:
    return json.loads((out / "results.json").read_text())


async def test_what_is_owed_is_asked_for_once_and_written_down(tmp_path: Path) -> None:
    writer, checker = Table(), Table()
    results = await run("buoys", BuoyPlan(tmp_path, SIZE, writer, checker), tmp_path)
    assert writer.asked == checker.asked == Counter(range(SIZE))
    assert results.complete
    document = results_of(tmp_path)
    assert document == results.document
    assert (document["command"], document["owed"]) == ("buoys", {"writer": 0, "checker": 0})
    assert document["said"] == [f"{number}{number}" for number in range(SIZE)]
    assert document["usage"]["writer"] == {
        "prompt_tokens": 3 * SIZE,
        "completion_tokens": SIZE,
        "cached_tokens": 0,
    }
    assert "money" not in document


async def test_a_finished_run_asks_for_nothing_and_gives_the_same(tmp_path: Path) -> None:
    first = await run("buoys", BuoyPlan(tmp_path, SIZE, Table(), Table()), tmp_path)
    writer, checker = Table(), Table()
    again = await run("buoys", BuoyPlan(tmp_path, SIZE, writer, checker), tmp_path)
    assert not writer.asked
    assert not checker.asked
    assert again.document == first.document


async def test_a_failed_call_is_not_repeated_in_its_session_and_asked_again_in_the_next(
    tmp_path: Path,
) -> None:
    writer, checker = Table(failing=(3,)), Table(failing=(5,))
    results = await run("buoys", BuoyPlan(tmp_path, SIZE, writer, checker), tmp_path)
    assert writer.asked[3] == checker.asked[5] == 1
    assert not checker.asked[3]
    assert not results.complete
    assert results.document["owed"] == {"writer": 1, "checker": 2}
    writer, checker = Table(), Table()
    assert (await run("buoys", BuoyPlan(tmp_path, SIZE, writer, checker), tmp_path)).complete
    assert (list(writer.asked), sorted(checker.asked)) == ([3], [3, 5])


async def test_a_refusing_endpoint_stops_the_run_and_leaves_what_was_answered(tmp_path: Path) -> None:
    refusing = Table(refuses_after=4)
    with pytest.raises(EndpointRefused, match="expired"):
        await run("buoys", BuoyPlan(tmp_path, SIZE, refusing, Table()), tmp_path, in_flight=1)
    assert not results_of(tmp_path)["complete"]
    assert results_of(tmp_path)["owed"]["writer"] == SIZE - 4
    writer = Table()
    assert (await run("buoys", BuoyPlan(tmp_path, SIZE, writer, Table()), tmp_path)).complete
    assert writer.asked.total() == SIZE - 4


async def test_an_interrupted_run_writes_what_it_has(tmp_path: Path) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def stuck_at_four(number: int) -> Said:
        if number == 4:
            reached.set()
            await never.wait()
        return Said(number=number, text="said")

    plan = BuoyPlan(tmp_path, SIZE, stuck_at_four, Table())
    task = asyncio.create_task(run("buoys", plan, tmp_path, in_flight=1))
    async with asyncio.timeout(20):
        await reached.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    document = results_of(tmp_path)
    assert not document["complete"]
    assert document["owed"] == {"writer": SIZE - 4, "checker": SIZE - 4}
    # The lock has gone with the run.
    assert (await run("buoys", BuoyPlan(tmp_path, SIZE, Table(), Table()), tmp_path)).complete


async def test_items_in_flight_are_bounded_and_used(tmp_path: Path) -> None:
    writer = Table()
    await run("buoys", BuoyPlan(tmp_path, 40, writer, Table()), tmp_path, in_flight=7)
    assert writer.most_in_flight == 7


async def test_calls_owed_together_are_made_together(tmp_path: Path) -> None:
    class BothAtOnce(BuoyPlan):
        def owed(self, number: int) -> list[Call]:
            return [Call(role, (number,)) for role in self.roles if number not in role.log]

    waits = {"writer": asyncio.Event(), "checker": asyncio.Event()}

    def waits_for_the_other(own: str, other: str) -> Callable:
        async def ask(number: int) -> Said:
            waits[own].set()
            await waits[other].wait()
            return Said(number=number, text=own)

        return ask

    plan = BothAtOnce(
        tmp_path, 1, waits_for_the_other("writer", "checker"), waits_for_the_other("checker", "writer")
    )
    async with asyncio.timeout(20):
        assert (await run("buoys", plan, tmp_path)).complete


async def test_a_wave_begins_when_the_one_before_is_settled(tmp_path: Path) -> None:
    class EvenFirst(BuoyPlan):
        def waves(self):
            yield range(0, self.size, 2)
            assert self.checker.log.answered == self.size // 2
            yield range(1, self.size, 2)

    assert (await run("buoys", EvenFirst(tmp_path, SIZE, Table(), Table()), tmp_path)).complete


async def test_another_fingerprint_is_refused_by_the_field_that_differs(tmp_path: Path) -> None:
    """A run is never written over."""
    plan = BuoyPlan(tmp_path, SIZE, Table(), Table())
    await run("buoys", plan, tmp_path, fingerprint={"judge": "m", "seed": 0})
    writer = Table()
    plan = BuoyPlan(tmp_path, SIZE, writer, Table())
    with pytest.raises(ConfigMismatch, match=r"config\.toml: seed is 0 in this run, and 1 was asked for"):
        await run("buoys", plan, tmp_path, fingerprint={"judge": "m", "seed": 1})
    assert not writer.asked


async def test_a_run_that_recorded_nothing_is_taken_over_by_the_corrected_command(tmp_path: Path) -> None:
    """Only failed calls in the logs: they go with the configuration. One answer, paid or not, and it stays."""

    def start(model: str, **table: object):
        plan = BuoyPlan(tmp_path, SIZE, Table(**table), Table(**table))
        config = {"buoys": {"model": model}}
        return run("buoys", plan, tmp_path, config=config, fingerprint={"model": model})

    await start("mispelt", failing=tuple(range(SIZE)))
    results = await start("misspelt", failing=tuple(range(1, SIZE)))
    assert (results.document["owed"]["writer"], results.document["usage"]["writer"]["prompt_tokens"]) == (
        11,
        3,
    )
    assert tomllib.loads((tmp_path / "config.toml").read_text())["buoys"] == {"model": "misspelt"}
    with pytest.raises(ConfigMismatch, match="model is misspelt in this run"):
        await start("another")


async def test_an_empty_run_of_another_command_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[gold]\n[fingerprint]\nmodel = "one"\n')
    plan = BuoyPlan(tmp_path, SIZE, Table(), Table())
    with pytest.raises(ConfigMismatch):
        await run("buoys", plan, tmp_path, config={"buoys": {}}, fingerprint={"model": "two"})
    assert (tmp_path / "config.toml").read_text().startswith("[gold]")


async def test_a_log_without_its_configuration_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "checker.jsonl").write_text('{"number": 0, "text": "of another run"}\n')
    with pytest.raises(InputError, match=r"holds checker\.jsonl but no config\.toml"):
        await run("buoys", BuoyPlan(tmp_path, SIZE, Table(), Table()), tmp_path)


async def test_a_second_process_on_the_directory_is_refused(tmp_path: Path) -> None:
    with lock_directory(tmp_path), pytest.raises(RunLocked):
        await run("buoys", BuoyPlan(tmp_path, SIZE, Table(), Table()), tmp_path)


def spec(name: str, url: str | None = None) -> ModelSpec:
    return ModelSpec(name=name, url=url, key_variable="OPENAI_API_KEY")


async def executed(
    out: Path, url: str | None, console: Console, **options: object
) -> tuple[BuoyPlan, Results | None]:
    plan = BuoyPlan(out, SIZE, *(Live(spec(name, url), BuoyCalls()) for name in ("writer", "checker")))
    calls = CallOptions(**options)

    def local_model(name: str) -> ScriptedModel:
        return ScriptedModel(lambda *call: f"{name} {call[2]}", name=name)

    results = await execute(
        "buoys",
        plan,
        BuoyConfig(out=out, url="", calls=calls),
        out,
        calls=calls,
        fingerprint={},
        local_model=local_model,
        console=console,
    )
    return plan, results


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=200)


async def test_models_are_opened_by_their_names_and_asked(tmp_path: Path, console: Console) -> None:
    _, results = await executed(tmp_path, None, console)
    assert results is not None
    assert results.document["said"] == [f"checker {number}" for number in range(SIZE)]
    config = tomllib.loads((tmp_path / "config.toml").read_text())
    assert config["buoys"]["concurrency"] == 64
    assert config["versions"].keys() == {"ralign", "python", "aiohttp"}


async def test_a_dry_run_loads_the_logs_makes_no_directory_and_asks_nobody(
    tmp_path: Path, console: Console
) -> None:
    out = tmp_path / "run"
    _, results = await executed(out, None, console, dry_run=True, expected_completion_tokens=10)
    assert results is None
    assert not out.exists()
    await executed(out, None, console)
    before = (out / "results.json").read_bytes()
    console.file.truncate(0)
    await executed(out, None, console, dry_run=True)
    assert "writer: 0 calls, about 0 tokens in and 0 out" in console.file.getvalue()
    assert (out / "results.json").read_bytes() == before


async def test_a_price_of_a_model_that_nobody_asks_is_refused_before_anything(
    tmp_path: Path, console: Console
) -> None:
    with pytest.raises(InputError, match=r"--price names 'judge', .*\(writer, checker\)"):
        await executed(tmp_path / "run", None, console, price=("judge=1/2",))
    assert not (tmp_path / "run").exists()


async def test_calls_to_one_endpoint_are_bounded_by_concurrency(tmp_path: Path, console: Console) -> None:
    async with ChatServer(latency=0.01) as server:
        await executed(tmp_path, server.url, console, concurrency=3)
        assert server.most_in_flight == 3


async def test_parameters_that_a_model_did_not_take_are_in_the_results(
    tmp_path: Path, console: Console
) -> None:
    async with ChatServer(refuse=["seed"]) as server:
        _, results = await executed(tmp_path, server.url, console)
    assert results is not None
    not_sent = {"seed": None}
    assert results.document["adapted_parameters"] == {"writer": not_sent, "checker": not_sent}


async def test_money_is_counted_over_all_sessions(tmp_path: Path, console: Console) -> None:
    async with ChatServer() as server:
        _, first = await executed(tmp_path, server.url, console, price=("writer=1000/0",))
        _, again = await executed(tmp_path, server.url, console, price=("writer=1000/0",))
    assert first is not None
    assert again is not None
    paid = first.document["usage"]["writer"]["prompt_tokens"] * 1000 / 1e6
    assert first.document["money"] == again.document["money"] == round(paid, 6) > 0


@pytest.mark.parametrize(
    ("owed", "code", "said"),
    [
        ({"drafts": 0, "checks": 0}, 0, "Every figure with its counts: run/results.json"),
        (
            {"drafts": 1200, "meta_judgments": 3},
            1,
            "Unfinished: 1,200 drafts and 3 meta-judgments had no answer",
        ),
        ({"drafts": 0, "meta_judgments": 3}, 1, "Unfinished: 3 meta-judgments had no answer"),
    ],
)
def test_the_end_says_what_is_missing_and_gives_the_exit_code(
    console: Console, owed: dict[str, int], code: int, said: str
) -> None:
    results = Results({"owed": owed}, complete=not any(owed.values()))
    assert show_end(results, Path("run"), console) == code
    assert console.file.getvalue().startswith(said)


@pytest.mark.parametrize("faulty", [False, True])
async def test_a_capped_run_spends_at_most_one_call_a_connection_above_it(
    tmp_path: Path, console: Console, faulty: bool
) -> None:
    """Counted by the server, over two sessions, the calls that gave nothing included; a higher cap goes on."""
    spent = 0

    def answer(request: ChatRequest) -> Reply:
        nonlocal spent
        spent += 10
        # An answer without a word is a failed try, and paid for.
        said = "" if faulty and request.number % 3 == 0 else "a buoy"
        return Reply(text=said, usage=Usage(prompt_tokens=6, completion_tokens=4))

    prices = ("writer=1e6/1e6", "checker=1e6/1e6")
    async with ChatServer(answer=answer, latency=0.005) as server:
        for cap in (105.0, 205.0):
            _, results = await executed(
                tmp_path, server.url, console, price=prices, max_cost=cap, concurrency=3
            )
            assert results is not None
            assert cap <= spent < cap + 3 * 10
            assert results.document["money"] == spent
            assert results.document["max_cost"] == cap
            assert show_end(results, tmp_path, console) == 1
        _, results = await executed(tmp_path, server.url, console, price=prices, concurrency=3)
    assert results is not None
    assert results.complete
    assert results.document["money"] == spent
    assert "max_cost" not in results.document
    assert "Stopped at --max-cost 105: " in console.file.getvalue()


async def test_a_cap_needs_every_price(tmp_path: Path, console: Console) -> None:
    with pytest.raises(InputError, match=r"--max-cost needs the price of every model: give --price checker="):
        await executed(tmp_path / "run", "http://127.0.0.1:9", console, price=("writer=1/1",), max_cost=1.0)
    with pytest.raises(InputError, match=r"--max-cost is 0.0, expected more than 0"):
        CallOptions(max_cost=0.0)
