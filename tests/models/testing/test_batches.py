"""The test server's batches, seen from outside: plain aiohttp, and every fault."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import orjson
import pytest

from ralign.models.testing.batches import BatchFaultKind
from ralign.models.testing.server import ChatServer

ROWS = 4


def requests() -> bytes:
    lines = [
        {
            "custom_id": f"r{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "m", "messages": [{"role": "user", "content": f"{number}?"}]},
        }
        for number in range(ROWS)
    ]
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


async def run(server: ChatServer) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The batch in its last state, and the lines of its files."""
    async with aiohttp.ClientSession() as session:
        form = aiohttp.FormData({"purpose": "batch"})
        form.add_field("file", requests(), filename="requests.jsonl")
        async with session.post(f"{server.url}/files", data=form) as response:
            file_id = (await response.json())["id"]
        order = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        async with session.post(f"{server.url}/batches", json=order) as response:
            assert response.status in (200, 503)
        while True:
            async with session.get(f"{server.url}/batches") as response:
                (batch,) = (await response.json())["data"]
            if batch["status"] != "in_progress":
                break
            await asyncio.sleep(0.01)
        lines: dict[str, list[dict[str, Any]]] = {}
        for key in ("output_file_id", "error_file_id"):
            lines[key] = []
            for _ in range(2):
                try:
                    async with session.get(f"{server.url}/files/{batch[key]}/content") as response:
                        body = await response.read() if response.status == 200 else b""
                        lines[key] = [orjson.loads(line) for line in body.splitlines()]
                        break
                except aiohttp.ClientPayloadError:
                    lines["cut"] = []
        return batch, lines


@pytest.mark.parametrize(
    ("fault", "status", "answered", "failed"),
    [
        (None, "completed", "3210", ""),
        ("expired", "expired", "10", "23"),
        ("half_failed", "completed", "20", "13"),
        ("missing_line", "completed", "321", ""),
        ("duplicate", "completed", "32103", ""),
        ("broken_download", "completed", "3210", ""),
        ("lost_create", "completed", "3210", ""),
        ("not_begun", "failed", "", ""),
    ],
)
async def test_a_batch_ends_as_its_fault_says(
    fault: BatchFaultKind | None, status: str, answered: str, failed: str
) -> None:
    async with ChatServer(batch_faults=lambda _: () if fault is None else (fault,)) as server:
        batch, lines = await run(server)
    assert batch["status"] == status
    assert [line["custom_id"] for line in lines["output_file_id"]] == [f"r{number}" for number in answered]
    assert [line["custom_id"] for line in lines["error_file_id"]] == [f"r{number}" for number in failed]
    assert ("cut" in lines) == (fault == "broken_download")
    assert (batch["errors"] is not None) == (fault == "not_begun")
    events = Counter(line.event for line in server.log)
    good = len(set(answered))
    assert events == Counter({"handed_in": ROWS, "answered": good, "unanswered": ROWS - good})


async def test_a_batch_takes_its_seconds_and_answers_as_a_call_would() -> None:
    async with ChatServer(batch_seconds=0.05, refuse=("seed",), key=None) as server:
        _, lines = await run(server)
        body = orjson.loads(requests().splitlines()[0])["body"]
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.url}/chat/completions", data=orjson.dumps(body)) as response,
        ):
            alone = await response.json()
    (line,) = [line for line in lines["output_file_id"] if line["custom_id"] == "r0"]
    assert line["response"]["body"] == alone
    digests = Counter(line.digest for line in server.log if line.event in ("handed_in", "arrived"))
    assert sorted(digests.values()) == [1, 1, 1, 2], "the same request has the same digest both ways"


async def test_what_is_no_batch_is_refused() -> None:
    async with ChatServer(key="sk-1") as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/batches") as response:
            assert response.status == 401
        session.headers["Authorization"] = "Bearer sk-1"
        for path, body, status in (
            ("batches", {"input_file_id": "f", "endpoint": "/v1/chat/completions"}, 400),
        ):
            async with session.post(
                f"{server.url}/{path}", json={"completion_window": "1h", **body}
            ) as response:
                assert response.status == status
        async with session.get(f"{server.url}/files/none/content") as response:
            assert response.status == 404
