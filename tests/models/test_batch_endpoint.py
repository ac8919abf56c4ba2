"""Batches of an endpoint: lines as providers write them, and hand-ins that are made once whatever comes back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from ralign.errors import EndpointDown, EndpointRefused
from ralign.files import read_log
from ralign.models import RetryPolicy
from ralign.models.batch_endpoint import Batch, BatchEndpoint, read_custom_id, read_line, request_line
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_error import EndpointError
from ralign.models.model import Reply
from ralign.models.testing.server import ChatServer
from ralign.records import Usage

BODY = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}


def request(name: str = "judge-1") -> bytes:
    return request_line(name, b'{"model":"m","messages":[{"role":"user","content":"A or B?"}]}')


@asynccontextmanager
async def batches(server: ChatServer, retry: RetryPolicy) -> AsyncIterator[BatchEndpoint]:
    async with server, Endpoint(server.url, retry=retry) as endpoint:
        yield BatchEndpoint(endpoint)


def test_a_request_is_a_line_with_the_same_bytes_as_a_call() -> None:
    assert request() == (
        b'{"custom_id":"judge-1","method":"POST","url":"/v1/chat/completions",'
        b'"body":{"model":"m","messages":[{"role":"user","content":"A or B?"}]}}\n'
    )


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        # OpenAI: an error in the body of the response; no response at all where the day was over.
        (
            {"response": {"status_code": 400, "body": {"error": {"message": "too long"}}}, "error": None},
            "request",
            "400 Bad Request: too long",
        ),
        (
            {"response": None, "error": {"code": "batch_expired", "message": "The window is over."}},
            "broken",
            "The window is over.",
        ),
        # vLLM: the error beside the response, as an object in an object, as an object, or as a text.
        (
            {"response": {"status_code": 404, "body": None}, "error": {"error": {"message": "no model"}}},
            "refused",
            "404 Not Found: no model",
        ),
        (
            {"response": {"status_code": 400}, "error": {"object": "error", "message": "bad"}},
            "request",
            "400 Bad Request: bad",
        ),
        (
            {"response": {"status_code": 400}, "error": "no such URL"},
            "request",
            "400 Bad Request: no such URL",
        ),
        # Whatever else may stand there.
        ({"response": {"status_code": 500, "body": {}}}, "broken", "500 Internal Server Error: {}"),
        ({"response": {"status_code": 200, "body": {"choices": []}}}, "broken", "the reply holds no message"),
        ({"response": None, "error": None}, "broken", "neither answer nor error"),
        ({"response": "soon"}, "broken", "neither answer nor error"),
    ],
)
def test_a_line_that_holds_an_error_is_read_in_every_dialect(line: dict, kind: str, message: str) -> None:
    outcome = read_line(orjson.dumps({"custom_id": "c", **line}))
    assert isinstance(outcome, EndpointError)
    assert outcome.kind == kind
    assert message in outcome.message


def test_a_line_with_an_answer_is_a_reply() -> None:
    line = orjson.dumps(
        {"custom_id": "c", "response": {"status_code": 200, "request_id": "r", "body": BODY}, "error": None}
    )
    assert read_custom_id(line) == "c"
    usage = Usage(prompt_tokens=3, completion_tokens=1)
    assert read_line(line) == Reply(text="A", finish_reason="stop", usage=usage)


@pytest.mark.parametrize("line", [b"", b"{", b"[1]", b"7", b"{}", b'{"custom_id": 3}'])
def test_a_line_without_a_custom_id_is_nobodys(line: bytes) -> None:
    assert read_custom_id(line) is None


@pytest.mark.parametrize(
    ("status", "kind"), [("failed", "request"), ("cancelled", "request"), ("expired", "broken")]
)
def test_a_call_without_a_line_failed_as_its_batch_did(status: str, kind: str) -> None:
    batch = Batch(id="b", status=status, input_file="f", problem="line 3 is no JSON")
    assert batch.ended
    assert batch.unanswered.kind == kind
    assert ("line 3 is no JSON" in batch.unanswered.message) == (status == "failed")


async def test_a_file_goes_up_and_its_answers_come_down(tmp_path: Path, quick: RetryPolicy) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(request("judge-1") + request("judge-2"))
    server = ChatServer(answer=lambda call: call.prompt.upper(), batch_faults=lambda _: ("broken_download",))
    async with batches(server, quick) as endpoint:
        batch = await endpoint.create(await endpoint.upload(path), "judge 1", interrupted=False)
        assert (batch.status, batch.total) == ("in_progress", 2)
        batch = await endpoint.get(batch.id)
        assert (batch.status, batch.completed, batch.failed, batch.files[1]) == ("completed", 2, 0, "")
        # The first download is cut in the middle; nothing of it is left.
        await endpoint.download(batch.files[0], tmp_path / "output.jsonl")
    lines = [line.data for line in read_log(tmp_path / "output.jsonl")]
    assert sorted(str(read_custom_id(line)) for line in lines) == ["judge-1", "judge-2"]
    assert {getattr(read_line(line), "text", None) for line in lines} == {"A OR B?"}


async def test_a_batch_whose_making_was_not_answered_is_not_made_twice(
    tmp_path: Path, quick: RetryPolicy
) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(request())
    server = ChatServer(batch_faults=lambda _: ("lost_create",))
    async with batches(server, quick) as endpoint:
        uploaded = [await endpoint.upload(path) for _ in range(150)]
        made = [await endpoint.create(file_id, "judge", interrupted=False) for file_id in uploaded]
        # The first is on the second page of the list by now.
        again = await endpoint.create(uploaded[0], "judge", interrupted=True)
    assert again.id == made[0].id
    assert [line.event for line in server.log].count("handed_in") == 150


async def test_a_batch_that_was_never_made_is_made_after_it_was_looked_for(
    tmp_path: Path, quick: RetryPolicy
) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(request())
    async with batches(ChatServer(), quick) as endpoint:
        batch = await endpoint.create(await endpoint.upload(path), "judge", interrupted=True)
        assert batch.id == "batch_0"


async def test_an_endpoint_that_has_gone_ends_the_session_after_its_tries(quick: RetryPolicy) -> None:
    async with batches(ChatServer(), quick) as endpoint:
        with pytest.raises(EndpointRefused, match="no such path: /v1/batches/batch_7"):
            await endpoint.get("batch_7")
    async with Endpoint("http://127.0.0.1:9", retry=RetryPolicy(deadline=0.05, first_wait=0.02)) as gone:
        with pytest.raises(
            EndpointDown, match=r"/v1/batches: .* tries\); stopping; the same command goes on"
        ):
            await BatchEndpoint(gone).get("batch_7")


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://h:1", "http://h:1/v1/batches"),
        ("https://h/openai/v1", "https://h/openai/v1/batches"),
        ("https://h/v1/chat/completions?api-version=2", "https://h/v1/batches?api-version=2"),
    ],
)
def test_the_batches_stand_beside_the_chat_completions(given: str, address: str) -> None:
    assert str(Endpoint(given).address("/batches")) == address


async def test_an_answer_of_another_shape_is_tried_again_and_then_named(
    tmp_path: Path, quick: RetryPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def odd(self: Endpoint, *_: object, **__: object) -> bytes:
        return b'{"object": "surprise"}'

    monkeypatch.setattr(Endpoint, "exchange", odd)
    async with Endpoint("http://h", retry=quick) as endpoint:
        with pytest.raises(EndpointDown, match=r"an answer that was not expected: .*surprise"):
            await BatchEndpoint(endpoint).get("batch_1")
