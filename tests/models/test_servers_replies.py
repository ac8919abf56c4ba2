"""What servers send back, as they send it: the cases of ../shared, and more of each kind, over a real connection."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.models.raw_server import Server, sent

from ralign.errors import CallFailed, EndpointRefused
from ralign.judging import read_judgment
from ralign.metajudging import parse_meta_judgment
from ralign.models import Reply, RetryPolicy, Sampling
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.records import Message, PreferencePair, Usage
from ralign.thinking import Syntax

SHARED = Path(__file__).parents[2].parent / "shared" / "cases" / "replies.jsonl"
ASKED = (Message(role="user", content="Which answer is better, A or B?"),)
SAMPLING = Sampling(temperature=0.4, max_tokens=100)
PAIR = PreferencePair(id="p", conversation=ASKED, response_a="a", response_b="b", label="A")
QUICK = RetryPolicy(deadline=5, max_tries=3, first_wait=0.001, longest_wait=0.001)


def chat(message: object, finish_reason: object = "stop", **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **more}


def good(text: str = "It names the tide.\n\n\\boxed{A}") -> dict[str, object]:
    return chat({"role": "assistant", "content": text}, usage={"prompt_tokens": 10, "completion_tokens": 5})


async def ask(server: Server, path: str = "", **options: Any) -> Reply | CallFailed:
    given = {name: options.pop(name) for name in ("headers", "retry") if name in options}
    async with Endpoint(server.url + path, **{"retry": QUICK, **given}) as endpoint:
        try:
            return await EndpointModel(endpoint, "m", **options).reply(ASKED, SAMPLING)
        except CallFailed as error:
            return error


async def verdict_of(*bodies: object, **options: Any) -> tuple[str | None, int]:
    """The verdict in what comes of these answers, one request after the other, the last for ever; and the requests."""
    async with Server(lambda number, *_: sent(bodies[min(number, len(bodies) - 1)])) as server:
        answer = await ask(server, **options)
    judgment = read_judgment(answer, pair=PAIR, order="ab")
    return judgment.verdict or judgment.failure, len(server.fields)


CASES = [json.loads(line) for line in SHARED.read_text().splitlines()] if SHARED.exists() else []
EXPECTED: dict[str, tuple[str, int]] = {
    # What the judgment is (a verdict, or a failure), and the requests it takes.
    "reasoning_only": ("call", 3),
    "null_content_now_and_then": ("A", 2),
    "good": ("A", 1),
    "think_brackets": ("A", 1),
    "harmony": ("A", 1),
    "thinking_tag": ("A", 1),
    "streams_unless_told": ("A", 1),
    "streams_always": ("A", 1),
    "aborted": ("A", 2),
    "model_length": ("parse", 1),
    "max_tokens": ("parse", 1),
    "key_in_api_key": ("A", 1),
    "temperature_refused": ("A", 2),
    "filtered_without_text": ("parse", 1),
    "nan_in_reply": ("A", 1),
    "meta_aborted": ("call", 3),
}


@pytest.mark.skipif(not CASES, reason="needs ../shared/cases")
def test_every_case_has_its_expectation():
    assert {case["name"] for case in CASES} == EXPECTED.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_a_public_case_comes_to_what_is_expected(case):
    """Conditions of the row's `when`, which is prose, are spelled out here."""
    met = {
        "key_in_api_key": lambda number, fields, request: request.headers.get("api-key") != "abc-def-123",
        "temperature_refused": lambda number, fields, request: fields.get("temperature", 1) != 1,
        "streams_unless_told": lambda number, fields, request: fields.get("stream") is not False,
        "null_content_now_and_then": lambda number, fields, request: number % 2 == 0,
        "aborted": lambda number, fields, request: number % 2 == 0,
    }.get(case["name"], lambda *_: True)

    def answer(number: int, fields: dict[str, Any], request: web.BaseRequest) -> web.Response:
        if met(number, fields, request):
            return sent(case["body"], case["status"], case["content_type"])
        return sent(next(each["body"] for each in CASES if each["name"] == "good"))

    async with Server(answer) as server:
        reply = await ask(server, headers={"api-key": "abc-def-123"})
    judgment = read_judgment(reply, pair=PAIR, order="ab")
    assert (judgment.verdict or judgment.failure, len(server.fields)) == EXPECTED[case["name"]]
    if judgment.verdict is not None:
        # The meta-judge gets the reasons, and nothing of the thought.
        assert judgment.rationale == "Answer A names the tide table and its time is right; answer B guesses."
    if isinstance(reply, Reply) and case["name"] == "filtered_without_text":
        assert reply.finish_reason == "content_filter"
    if isinstance(reply, CallFailed):
        assert (reply.reason == "wrong_field") == (case["name"] == "reasoning_only")


def test_an_aborted_meta_judgment_in_a_file_is_no_decision():
    """What a file holds is read with the same words as what a server sends."""
    assert parse_meta_judgment("The rationale would be\nVERDICT: Incorrect", "abort").aligned is None
    assert parse_meta_judgment("VERDICT: Correct", "end_turn").aligned is True


@pytest.mark.parametrize(
    ("finish_reason", "comes_to"),
    [
        ("end_turn", ("A", 1)),
        ("eos", ("A", 1)),
        (None, ("A", 1)),
        ("MAX_OUTPUT_TOKENS", ("parse", 1)),
        ("SAFETY", ("parse", 1)),
        ("cancelled", ("call", 3)),
        ("insufficient_system_resource", ("call", 3)),
        ("something new", ("call", 3)),
        (17, ("A", 1)),
    ],
)
async def test_a_verdict_counts_only_where_the_answer_is_known_to_be_finished(finish_reason, comes_to):
    assert await verdict_of(chat({"content": "So far \\boxed{A}"}, finish_reason)) == comes_to


@pytest.mark.parametrize("field_name", ["reasoning", "reasoning_content"])
async def test_an_answer_in_the_reasoning_field_is_a_failure_that_says_so(field_name):
    async with Server(lambda *_: sent(chat({"content": "", field_name: "\\boxed{A}"}))) as server:
        failed = await ask(server)
    assert isinstance(failed, CallFailed)
    assert failed.reason == "wrong_field"
    assert "reasoning field" in str(failed)


async def test_a_thought_cut_off_in_the_reasoning_field_is_what_the_model_came_to():
    assert await verdict_of(chat({"content": None, "reasoning": "Is it \\boxed{B}"}, "length")) == (
        "parse",
        1,
    )


@pytest.mark.parametrize(
    "body",
    [
        {"choices": []},
        {"choices": None, "usage": {}},
        chat(None),
        chat({"role": "assistant"}),
        {"choices": [{"index": 0, "finish_reason": "stop"}]},
        chat({"role": "assistant", "content": None, "tool_calls": []}),
        b'{"choices": [{"mess',
        b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n',
        b'data: {"choices": [{"del\n\n',
    ],
    ids=str,
)
async def test_what_is_no_answer_is_asked_again(body):
    assert await verdict_of(body, good()) == ("A", 2)
    assert await verdict_of(body) == ("call", 3)


@pytest.mark.parametrize(
    "body",
    [
        chat(None, "content_filter"),
        {"choices": [{"finish_reason": "PROHIBITED_CONTENT", "index": 0}]},
        chat({"role": "assistant", "content": "Answer A"}, "content_filter"),
    ],
    ids=["no message", "no message field", "half an answer"],
)
async def test_what_a_filter_held_back_is_recorded_and_not_asked_again(body):
    assert await verdict_of(body) == ("parse", 1)


async def test_a_filter_that_refuses_the_prompt_is_one_too():
    """Azure's way to say it."""
    error = {
        "code": "content_filter",
        "message": "filtered",
        "innererror": {"code": "ResponsibleAIPolicyViolation"},
    }
    async with Server(lambda *_: sent({"error": error}, 400)) as server:
        reply = await ask(server)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason, len(server.fields)) == ("", "content_filter", 1)


def stream(
    *deltas: dict[str, object], end: str = "stop", tail: str = "data: [DONE]\n\n", newline: str = "\n"
) -> str:
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": end}]})
    chunks.append({"choices": [], "model": "m-1", "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    lines = "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks)
    return (lines + tail).replace("\n", newline)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("head", ["", ": keep-alive\n\n", "event: message\nid: 1\n"])
@pytest.mark.parametrize("tail", ["data: [DONE]\n\n", ""])
async def test_a_stream_is_read_as_the_answer_that_it_is(newline, head, tail):
    said = (
        {"role": "assistant", "reasoning_content": "Hm\u2028m."},
        {"content": "It is "},
        {"content": "\\boxed{A}"},
    )
    body = head + stream(*said, tail=tail, newline=newline)
    async with Server(lambda *_: sent(body, content_type="text/plain")) as server:
        reply = await ask(server)
    assert reply == Reply(
        text="It is \\boxed{A}",
        thinking="Hm\u2028m.",
        finish_reason="stop",
        model="m-1",
        usage=Usage(prompt_tokens=7, completion_tokens=3),
    )


async def test_a_stream_that_is_cut_off_or_breaks_is_read_like_any_answer():
    assert await verdict_of(stream({"content": "\\boxed{A} but"}, end="length")) == ("parse", 1)
    assert await verdict_of(stream({"content": "\\boxed{A} but"}, end="abort"), good()) == ("A", 2)
    broken = 'data: {"choices": [{"delta": {"content": "A"}}]}\n\ndata: {"error": {"code": 503}}\n\n'
    assert await verdict_of(broken, good()) == ("A", 2)


async def test_a_stream_may_be_asked_for_where_a_server_gives_nothing_else():
    async with Server(lambda *_: sent(stream({"content": "\\boxed{A}"}))) as server:
        reply = await ask(server, extra_body={"stream": True})
    assert isinstance(reply, Reply)
    assert server.fields[0]["stream"] is True


@pytest.mark.parametrize("odd", ["NaN", "-Infinity", '"\\\\ud83d"'])
async def test_what_is_not_quite_json_is_read(odd):
    body = json.dumps(good())[:-1] + f', "logprobs": {{"x": {odd}}}}}'
    assert await verdict_of(body.replace("\\\\ud", "\\ud")) == ("A", 1)


async def test_half_a_character_in_the_text_is_marked():
    body = json.dumps(good("tide \\boxed{A}")).replace("tide", "tide \\ud83d")
    async with Server(lambda *_: sent(body)) as server:
        reply = await ask(server)
    assert isinstance(reply, Reply)
    assert reply.text == "tide ? \\boxed{A}"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("<seed:think>\\boxed{B}?</seed:think>It is \\boxed{A}", {}),
        ("<|channel>thought\n\\boxed{B}?<channel|>It is \\boxed{A}", {}),
        ("analysis\\boxed{B}?assistantfinalIt is \\boxed{A}", {}),
        ("<plan>\\boxed{B}?</plan>It is \\boxed{A}", {"thought_tags": [Syntax("<plan>", "</plan>")]}),
    ],
)
async def test_a_thought_is_no_answer_in_any_syntax(text, options):
    async with Server(lambda *_: sent(good(text))) as server:
        judgment = read_judgment(await ask(server, **options), pair=PAIR, order="ab")
    assert (judgment.verdict, judgment.rationale) == ("A", "It is")


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (
            {"prompt_tokens": 100, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 60}},
            (100, 9, 60),
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 9, "prompt_cache_hit_tokens": 60},
            (100, 9, 60),
        ),  # DeepSeek
        ({"prompt_tokens": 100, "completion_tokens": 9, "cached_tokens": 60}, (100, 9, 60)),  # Moonshot
        (
            {"prompt_tokens": 100, "completion_tokens": 9, "cache_read_input_tokens": 60},
            (100, 9, 60),
        ),  # LiteLLM
        ({"input_tokens": 40, "output_tokens": 9, "cache_read_input_tokens": 60}, (100, 9, 60)),  # Anthropic
        ({"prompt_tokens": 100, "completion_tokens": 9, "prompt_tokens_details": None}, (100, 9, 0)),
        ({"prompt_tokens": 100, "completion_tokens": 9, "cached_tokens": 700}, (100, 9, 100)),
    ],
)
async def test_cached_tokens_are_counted_whatever_they_are_called(usage, read):
    async with Server(lambda *_: sent({**good(), "usage": usage})) as server:
        reply = await ask(server)
    assert isinstance(reply, Reply)
    found = reply.usage
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens) == read


async def test_tries_that_gave_nothing_are_in_what_the_call_used():
    empty = {**chat({"content": ""}), "usage": {"prompt_tokens": 10, "completion_tokens": 1}}
    async with Server(lambda number, *_: sent(empty if number < 2 else good())) as server:
        reply = await ask(server)
    assert isinstance(reply, Reply)
    assert reply.usage == Usage(prompt_tokens=30, completion_tokens=7)
    async with Server(lambda *_: sent(empty)) as server:
        failed = await ask(server)
    assert isinstance(failed, CallFailed)
    assert failed.usage == Usage(prompt_tokens=30, completion_tokens=3)


async def test_a_deployment_gets_its_key_and_its_query(monkeypatch):
    """Azure: the address as its portal shows it, the key in a header of its own, and no other key."""
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-provider")
    async with Server(lambda *_: sent(good())) as server:
        await ask(server, "/openai/deployments/judge?api-version=2024-10-21", headers={"api-key": "abc"})
    assert server.paths == ["/openai/deployments/judge/chat/completions?api-version=2024-10-21"]
    assert server.headers[0]["api-key"] == "abc"
    assert "authorization" not in server.headers[0]


async def test_a_header_may_take_the_place_of_ours(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "ours")
    async with Server(lambda *_: sent(good())) as server:
        await ask(server, headers={"authorization": "Basic abc", "user-agent": "judge"})
    assert server.headers[0]["authorization"] == "Basic abc"
    assert server.headers[0]["user-agent"] == "judge"


async def test_a_key_in_a_header_is_repeated_by_no_error():
    async with Server(
        lambda n, f, request: sent({"error": f"got {request.headers['api-key']}"}, 401)
    ) as server:
        with pytest.raises(EndpointRefused, match=r"got \[key\]; check the key in the header api-key"):
            await ask(server, headers={"api-key": "abc"})


async def test_the_address_that_a_server_prints_needs_no_way_around_a_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with Server(lambda *_: sent(good())) as server:
        server.url = f"http://0.0.0.0:{server.port}"
        assert isinstance(await ask(server), Reply)


async def test_a_proxy_in_the_way_is_named(monkeypatch):
    async with Server(lambda *_: sent("<h1>Access denied</h1>", 403, "text/html")) as proxy:
        monkeypatch.setenv("http_proxy", f"user:geheim@127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        proxy.url = "http://judge.inside.example"
        with pytest.raises(EndpointRefused) as raised:
            await ask(proxy)
    assert f"through the proxy http://127.0.0.1:{proxy.port}" in str(raised.value)
    assert "NO_PROXY=judge.inside.example" in str(raised.value)
    assert "geheim" not in str(raised.value)
