"""The test server, seen from outside: plain aiohttp, and its own process."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter

import aiohttp
import orjson
import pytest

from ralign.errors import InputError
from ralign.models import Reply
from ralign.models.testing.faults import Fault, FaultSchedule, every_fault
from ralign.models.testing.server import ChatServer

BODY = {"model": "m", "messages": [{"role": "user", "content": "A or B?"}]}


async def post(url: str, body: object = BODY, **headers: str) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", data=orjson.dumps(body), headers=headers) as response,
    ):
        return response.status, await response.read()


def content(body: bytes) -> str:
    return orjson.loads(body)["choices"][0]["message"]["content"]


async def test_the_default_answer_is_a_judgment_settled_by_the_request():
    async with ChatServer() as server:
        texts = [
            content((await post(server.url, BODY | {"seed": seed}))[1]) for seed in (1, 1, 2, 3, 4, 5, 6, 7)
        ]
    assert texts[0] == texts[1] != texts[2]
    assert {text[-9:] for text in texts} == {r"\boxed{A}", r"\boxed{B}"}


async def test_the_answer_function_sees_the_request_and_may_set_everything():
    def answer(request) -> Reply:
        return Reply(
            text=request.prompt.upper(), thinking=request.fields["model"], finish_reason="length", model="x"
        )

    async with ChatServer(answer=answer) as server:
        _, body = await post(server.url)
    choice = orjson.loads(body)["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "A OR B?", "reasoning_content": "m"}
    assert choice["finish_reason"] == "length"


async def test_the_log_holds_what_arrived_and_what_was_answered(tmp_path):
    path = tmp_path / "log.jsonl"
    faults = {1: Fault(kind="status", status=500)}
    async with ChatServer(log_path=path, faults=lambda number, _: faults.get(number)) as server:
        for _ in range(3):
            await post(server.url)
        lines = [json.loads(line) for line in path.read_text().splitlines()]  # flushed while it serves
    assert [(line["event"], line["number"], line["fault"]) for line in lines] == [
        ("arrived", 0, None),
        ("answered", 0, None),
        ("arrived", 1, "status"),
        ("arrived", 2, None),
        ("answered", 2, None),
    ]
    assert len({line["digest"] for line in lines}) == 1
    assert server.answered == [lines[0]["digest"]] * 2
    assert [list(line._asdict().values()) for line in server.log] == [list(line.values()) for line in lines]


async def test_a_client_that_hangs_up_is_not_answered():
    async with ChatServer(latency=0.1) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await post(server.url)
        await asyncio.sleep(0.15)
        assert (server.arrived, server.answered, server.in_flight) == (1, [], 0)


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Fault(kind="status", status=503), 503, b'"message":"a fault of the test server"'),
        (Fault(kind="text", status=400, message="too long"), 400, b"too long"),
        (Fault(kind="html"), 200, b"<h1>"),
        (Fault(kind="error_body", status=429), 200, b'"code":429'),
        (Fault(kind="truncated"), 200, b'{"id":'),
        (Fault(kind="empty"), 200, b'"content":""'),
        (Fault(kind="no_choices"), 200, b'"choices":[]'),
        (Fault(kind="unclosed_think"), 200, b"<think>"),
        (Fault(kind="slow", seconds=0.01), 200, b"boxed"),
        (Fault(kind="hang", seconds=0.01), 504, b""),
    ],
)
async def test_each_fault_answers_as_it_says(fault, status, body):
    async with ChatServer(faults=lambda *_: fault) as server:
        got_status, got_body = await post(server.url)
        assert got_status == status
        assert body in got_body
        assert len(server.answered) == (fault.kind == "slow")


async def test_a_reset_cuts_the_answer_in_two():
    async with ChatServer(faults=lambda *_: Fault(kind="reset")) as server:
        with pytest.raises(aiohttp.ClientError):
            await post(server.url)


async def test_keys_models_and_parameters_are_checked():
    async with ChatServer(key="right", models=["m"], refuse=["seed"]) as server:
        assert (await post(server.url, Authorization="Bearer wrong"))[0] == 401
        assert (await post(server.url, BODY | {"model": "n"}, Authorization="Bearer right"))[0] == 404
        assert (await post(server.url, BODY | {"seed": 1}, Authorization="Bearer right"))[0] == 400
        assert (await post(server.url, Authorization="Bearer right"))[0] == 200
        assert len(server.answered) == 1


async def test_other_paths_are_not_served():
    async with ChatServer() as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/models") as response:
            assert (await response.json())["data"][0]["id"] == "test"
        async with session.post(server.url) as response:
            assert response.status == 404


def test_a_schedule_keeps_its_rates_and_its_seed():
    rates = {Fault(kind="reset"): 0.1, Fault(kind="status", status=503): 0.3}
    plan = FaultSchedule(rates, seed=1)
    drawn = [plan(number, b"") for number in range(4000)]
    counts = Counter(drawn)
    assert counts[Fault(kind="reset")] == pytest.approx(400, abs=80)
    assert counts[Fault(kind="status", status=503)] == pytest.approx(1200, abs=120)
    assert drawn == [FaultSchedule(rates, seed=1)(number, b"") for number in range(4000)]
    assert drawn != [FaultSchedule(rates, seed=2)(number, b"") for number in range(4000)]


def test_the_mixed_schedule_holds_every_fault_of_an_endpoint():
    plan = every_fault(0.5)
    kinds = Counter(fault.kind if (fault := plan(number, b"")) else None for number in range(4000))
    assert kinds[None] == pytest.approx(2000, abs=150)
    assert kinds.keys() >= {"status", "reset", "hang", "truncated", "empty", "html", "text", "error_body"}


def test_rates_beyond_one_are_refused():
    with pytest.raises(InputError, match="sum to 1"):
        FaultSchedule({Fault(kind="reset"): 0.6, Fault(kind="empty"): 0.6})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("503", Fault(kind="status", status=503)),
        ("429:0.5", Fault(kind="status", status=429, retry_after="0.5")),
        ("reset", Fault(kind="reset")),
        ("slow:0.5", Fault(kind="slow", seconds=0.5)),
        ("text", Fault(kind="text", status=400)),
        ("error_body:429", Fault(kind="error_body", status=429)),
    ],
)
def test_the_command_lines_words_for_faults(text, fault):
    assert Fault.parse(text) == fault


def test_a_word_that_is_no_fault_is_named():
    with pytest.raises(InputError, match="'flood' is no fault"):
        Fault.parse("flood")


async def test_it_runs_in_a_process_of_its_own(tmp_path):
    (tmp_path / "mine.py").write_text("def answer(request):\n    return 'mine: ' + request.prompt\n")
    log = tmp_path / "log.jsonl"
    command = [sys.executable, "-W", "error", "-m", "ralign.models.testing.server", "--log", str(log)]
    command += ["--latency", "0.01", "--answer", "mine:answer", "--fault", "500=0", "--refuse", "seed"]
    process = subprocess.Popen(  # noqa: ASYNC220  (quick, and nothing else runs)
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert content((await post(url))[1]) == "mine: A or B?"
    assert (await post(url, BODY | {"seed": 1}))[0] == 400
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    assert len(log.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--answer", "nowhere:answer"], "'nowhere:answer' names nothing"),
        (["--fault", "flood=0.1"], "'flood' is no fault"),
        (["--fault", "503=often"], "expected FAULT=RATE"),
    ],
)
def test_a_wrong_argument_is_named(arguments, problem):
    command = [sys.executable, "-m", "ralign.models.testing.server", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert problem in done.stderr
