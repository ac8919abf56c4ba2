"""Files and batches of a `ChatServer`, with faults to order. See `ralign.models.testing.server`.

The protocol is OpenAI's: POST /files, GET /files/ID/content, POST /batches, GET /batches, GET /batches/ID. A batch
takes `seconds`; what its requests come to is settled when it ends.
"""

import hashlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import orjson
from aiohttp import BodyPartReader, web

from ralign.models.testing.answers import Answer, ChatRequest, completion
from ralign.models.testing.faults import json_response

BatchFaultKind = Literal[
    "expired", "half_failed", "missing_line", "duplicate", "broken_download", "lost_create", "not_begun"
]
"""
expired          the day is over after the first half of the requests
half_failed      every second request meets an error 500
missing_line     the first answer is not in the output
duplicate        the last answer is there twice
broken_download  the first download of each file is cut after half of it
lost_create      the batch is taken, and the answer to that is an error 503
not_begun        too many tokens wait already: the batch fails before its first request
"""

BatchFaultPlan = Callable[[int], Collection[BatchFaultKind]]
"""Which faults the batch with this number (from 0) meets."""

BatchEvent = Literal["handed_in", "answered", "unanswered"]


class Refusal(NamedTuple):
    """The error of a request that this server does not answer."""

    status: int
    error: dict[str, object]


@dataclass(kw_only=True, eq=False)
class _File:
    content: bytes
    cuts: int = 0
    """Downloads that are still to be cut off."""


@dataclass(kw_only=True, eq=False)
class _Batch:
    id: str
    number: int
    input_file: str
    metadata: object
    lines: list[dict[str, Any]]
    faults: Collection[BatchFaultKind]
    created: float
    status: str = "in_progress"
    counts: dict[str, int] = field(default_factory=lambda: {"completed": 0, "failed": 0})
    files: dict[str, str | None] = field(
        default_factory=lambda: dict.fromkeys(("output_file_id", "error_file_id"))
    )


class BatchStore:
    """The files and batches of one server.

    Args:
        answer: the reply of the server's model.
        refuse: the error of a request that the server does not answer.
        faults: which batches go wrong, and how.
        seconds: from a batch's creation to its end.
        log: takes an event and the digest of a request's body.
    """

    def __init__(
        self,
        answer: Answer,
        refuse: Callable[[ChatRequest], Refusal | None],
        faults: BatchFaultPlan | None,
        seconds: float,
        log: Callable[[BatchEvent, str], None],
    ) -> None:
        self._answer = answer
        self._refuse = refuse
        self._faults = faults
        self._seconds = seconds
        self._log = log
        self._files: dict[str, _File] = {}
        self._batches: dict[str, _Batch] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request for files or batches."""
        for batch in self._batches.values():
            if batch.status == "in_progress" and time.monotonic() >= batch.created + self._seconds:
                self._end(batch)
        match request.method, request.path.split("/")[2:]:
            case "POST", ["files"]:
                parts: dict[str | None, bytes] = {}
                reader = await request.multipart()
                while isinstance(part := await reader.next(), BodyPartReader):
                    parts[part.name] = await part.read()
                if parts.get("purpose") != b"batch" or "file" not in parts:
                    return json_response({"error": {"message": "expected purpose=batch and a file"}}, 400)
                return json_response({"id": self._keep(parts["file"]), "object": "file", "purpose": "batch"})
            case "GET", ["files", file_id, "content"] if file_id in self._files:
                return await self._download(request, self._files[file_id])
            case "POST", ["batches"]:
                return self._create(await request.json())
            case "GET", ["batches"]:
                rows = [self._shown(batch) for batch in reversed(self._batches.values())]
                if after := request.query.get("after"):
                    rows = rows[[row["id"] for row in rows].index(after) + 1 :]
                limit = int(request.query.get("limit", 20))
                return json_response({"object": "list", "data": rows[:limit], "has_more": len(rows) > limit})
            case "GET", ["batches", batch_id] if batch_id in self._batches:
                return json_response(self._shown(self._batches[batch_id]))
            case _:
                return json_response({"error": {"message": f"no such path: {request.path}"}}, 404)

    async def _download(self, request: web.BaseRequest, file: _File) -> web.StreamResponse:
        if file.cuts == 0:
            return web.Response(body=file.content, content_type="application/jsonl")
        file.cuts -= 1
        response = web.StreamResponse(headers={"Content-Length": str(len(file.content))})
        await response.prepare(request)
        await response.write(file.content[: len(file.content) // 2])
        if request.transport is not None:
            request.transport.abort()
        return response

    def _create(self, body: dict[str, Any]) -> web.StreamResponse:
        file = self._files.get(body["input_file_id"])
        if file is None or body["endpoint"] != "/v1/chat/completions" or body["completion_window"] != "24h":
            return json_response({"error": {"message": "not a batch that can be made"}}, 400)
        number = len(self._batches)
        batch = _Batch(
            id=f"batch_{number}",
            number=number,
            input_file=body["input_file_id"],
            metadata=body.get("metadata"),
            lines=[orjson.loads(line) for line in file.content.splitlines()],
            faults=() if self._faults is None else self._faults(number),
            created=time.monotonic(),
        )
        self._batches[batch.id] = batch
        for line in batch.lines:
            self._log("handed_in", _call(line).digest)
        if "lost_create" in batch.faults:
            return json_response({"error": {"message": "a fault of the test server"}}, 503)
        return json_response(self._shown(batch))

    def _end(self, batch: _Batch) -> None:
        """Answer the requests of a batch, as far as its faults let it."""
        answered: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        half = (len(batch.lines) + 1) // 2
        batch.status = "expired" if "expired" in batch.faults else "completed"
        for at, line in enumerate(batch.lines):
            call = _call(line)
            if "not_begun" in batch.faults:
                batch.status = "failed"
                self._log("unanswered", call.digest)
                continue
            row = {"id": f"{batch.id}_{at}", "custom_id": line["custom_id"], "response": None, "error": None}
            refusal = self._refuse(call)
            if "expired" in batch.faults and at >= half:
                row["error"] = {"code": "batch_expired", "message": "The completion window is over."}
            elif refusal is not None:
                row["response"] = _response(refusal.status, {"error": refusal.error})
            elif "half_failed" in batch.faults and at % 2:
                row["response"] = _response(500, {"error": {"message": "a fault of the test server"}})
            else:
                body = orjson.loads(completion(call, self._answer(call)))
                row["response"] = _response(200, body)
                answered.append(row)
                lost = "missing_line" in batch.faults and len(answered) == 1
                self._log("unanswered" if lost else "answered", call.digest)
                continue
            failed.append(row)
            self._log("unanswered", call.digest)
        batch.counts = {"completed": len(answered), "failed": len(failed)}
        # Answers come in any order: here in the reverse of the requests'.
        output = answered[:0:-1] if "missing_line" in batch.faults else answered[::-1]
        output += output[:1] if "duplicate" in batch.faults else []
        for key, rows in (("output_file_id", output), ("error_file_id", failed)):
            if rows:
                content = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
                batch.files[key] = self._keep(content, cuts=int("broken_download" in batch.faults))

    def _shown(self, batch: _Batch) -> dict[str, object]:
        """A batch as the protocol has it."""
        errors: list[object] = []
        if batch.status == "failed":
            errors = [{"code": "token_limit_exceeded", "message": "Too many tokens wait already."}]
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": int(time.time()),
            "input_file_id": batch.input_file,
            "metadata": batch.metadata,
            "status": batch.status,
            "request_counts": {**batch.counts, "total": len(batch.lines)},
            "errors": {"object": "list", "data": errors} if errors else None,
            **batch.files,
        }

    def _keep(self, content: bytes, *, cuts: int = 0) -> str:
        file_id = f"file-{len(self._files)}"
        self._files[file_id] = _File(content=content, cuts=cuts)
        return file_id


def _call(line: dict[str, Any]) -> ChatRequest:
    """The request in a line, as it would arrive alone: the same bytes, and so the same digest and answer."""
    body = orjson.dumps(line["body"])
    return ChatRequest(number=0, body=body, digest=hashlib.blake2b(body, digest_size=8).hexdigest())


def _response(status: int, body: object) -> dict[str, object]:
    return {"status_code": status, "request_id": "req_test", "body": body}
