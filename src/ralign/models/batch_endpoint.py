"""Batches of an OpenAI-compatible endpoint: calls handed in together, answered within a day, at half the price.

    POST /files             the requests as a JSONL file, a line a call (`request_line`)
    POST /batches           hands that file in
    GET  /batches/ID        how far it is; GET /batches lists the batches, newest first
    GET  /files/ID/content  the answers, in any order (`read_line`): those that came, and those that failed

Lines are read as OpenAI, Azure and `vllm run-batch` write them. Tries and waits are a call's own (`RetryPolicy`).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiohttp
import orjson

from ralign.errors import EndpointDown, EndpointRefused
from ralign.files import replacing
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_error import EndpointError, is_list, is_object, read_error
from ralign.models.model import Reply
from ralign.models.protocol import read_reply
from ralign.thinking import Syntax

T = TypeVar("T")

CALL = "/v1/chat/completions"
"""What each line asks for: a name of the protocol, and the same wherever the endpoint has its own path."""
MOST_REQUESTS = 50_000
"""Requests in one batch at most (OpenAI, Azure)."""
MOST_BYTES = 200_000_000
"""Bytes of one batch's file at most (OpenAI, Azure)."""

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """State of one batch, as the endpoint gives it."""

    id: str
    status: str
    input_file: str
    files: tuple[str, str] = ("", "")
    """The ids of the files with the answers that came, and with those that failed; empty where there is none."""
    completed: int = 0
    failed: int = 0
    total: int = 0
    problem: str = ""
    """Why the endpoint did not begin it, in one line."""
    queue_full: bool = False
    """Whether that is because too many tokens wait already."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.status in _ENDED

    @property
    def unanswered(self) -> EndpointError:
        """The error of a call that the ended batch has no line for."""
        if self.status == "failed":
            kind = "busy" if self.queue_full else "request"
            return EndpointError(kind=kind, message=f"batch {self.id} was not begun: {self.problem}")
        # Somebody wanted these calls no more, and is not to pay for them after all.
        kind = "request" if self.status == "cancelled" else "broken"
        return EndpointError(kind=kind, message=f"batch {self.id} ({self.status}) has no line for it")


def request_line(custom_id: str, body: bytes) -> bytes:
    """The line of a batch that asks for one call, with its newline; `body`: of the request, as it is sent alone."""
    # Put together by hand: the body is JSON already, and its bytes are what the endpoint would get from a call.
    return b'{"custom_id":"%b","method":"POST","url":"%b","body":%b}\n' % (
        custom_id.encode(),
        CALL.encode(),
        body,
    )


def read_custom_id(line: bytes) -> str | None:
    """Whose request or answer a line holds; None where it is not such a line."""
    try:
        custom_id: Any = orjson.loads(line)["custom_id"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return None
    return custom_id if isinstance(custom_id, str) else None


def read_line(line: bytes, thought_tags: Sequence[Syntax] = ()) -> Reply | EndpointError:
    """The reply in a line whose custom id could be read, or how the call failed."""
    row: Any = orjson.loads(line)
    response, error = row.get("response"), row.get("error")
    status: Any = response.get("status_code") if is_object(response) else None
    if is_object(response) and status == 200 and not error:
        return read_reply(orjson.dumps(response.get("body")), thought_tags)
    if isinstance(status, int) and status != 200:
        # OpenAI states the error in the body of the response, vLLM beside it.
        stated = error or response.get("body")
        outcome = read_error(status, stated.encode() if isinstance(stated, str) else orjson.dumps(stated))
        filtered = Reply(text="", finish_reason="content_filter")
        return filtered if outcome.kind == "filtered" else outcome
    message = error.get("message") or error.get("code") if is_object(error) else error
    return EndpointError(
        kind="broken", message=str(message or "the batch's line holds neither answer nor error")
    )


class BatchEndpoint:
    """The batches of an open endpoint. What cannot be had after all tries is raised.

    Raises, in every method:
        EndpointRefused: the endpoint refuses, or has no batches.
        EndpointDown: it fails try after try; it may come back.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._files, self._batches = endpoint.address("/files"), endpoint.address("/batches")
        self._jitter = random.Random()  # spreads retries; nothing that a result depends on

    async def upload(self, path: Path) -> str:
        """Upload a file of requests; its id there. A file that is uploaded twice costs nothing."""

        async def attempt(until: float) -> str | EndpointError:
            with path.open("rb") as file, aiohttp.MultipartWriter("form-data") as form:
                form.append("batch").set_content_disposition("form-data", name="purpose")
                part = form.append(file, {"Content-Type": "application/jsonl"})
                part.set_content_disposition("form-data", name="file", filename=path.name)
                answer = await self._endpoint.exchange("POST", self._files, until, data=form)
            return answer if isinstance(answer, EndpointError) else _read(answer, lambda row: str(row["id"]))

        return await self._tried(attempt)

    async def create(self, file_id: str, label: str, *, interrupted: bool) -> Batch:
        """Hand an uploaded file in, once: after a try whose end is unknown, it is looked for first.

        Args:
            file_id: of the upload.
            label: tells people whose batch it is, on the provider's own pages.
            interrupted: whether an earlier process may have handed it in.
        """
        body = {
            "input_file_id": file_id,
            "endpoint": CALL,
            "completion_window": "24h",
            "metadata": {"ralign": label[:512]},
        }

        async def attempt(until: float) -> Batch | EndpointError:
            nonlocal interrupted
            if interrupted:
                found = await self._find(file_id, until)
                if found is not None:
                    return found
            # From here on the endpoint may have taken it, whatever comes back: an error, a cut connection, silence.
            interrupted = True
            answer = await self._endpoint.exchange("POST", self._batches, until, data=orjson.dumps(body))
            return answer if isinstance(answer, EndpointError) else _read(answer, _batch)

        return await self._tried(attempt)

    async def get(self, batch_id: str) -> Batch:
        """The state of a batch."""
        url = self._endpoint.address(f"/batches/{batch_id}")

        async def attempt(until: float) -> Batch | EndpointError:
            answer = await self._endpoint.exchange("GET", url, until)
            return answer if isinstance(answer, EndpointError) else _read(answer, _batch)

        return await self._tried(attempt)

    async def download(self, file_id: str, path: Path) -> None:
        """Download a file; it is there complete or not at all.

        Raises:
            WriteFailed: the disk is full, or the folder cannot be written.
        """
        url = self._endpoint.address(f"/files/{file_id}/content")
        with replacing(path) as file:

            async def attempt(until: float) -> bytes | EndpointError:
                # From the start again: what a cut connection brought may end in the middle of a line.
                file.seek(0)
                file.truncate()
                return await self._endpoint.exchange("GET", url, until, save_to=file)

            await self._tried(attempt)

    async def _find(self, file_id: str, until: float) -> Batch | EndpointError | None:
        """The batch of an uploaded file, which no two batches of ours share; None where it was not taken."""
        url = self._batches.update_query(limit=_PAGE)
        while True:
            answer = await self._endpoint.exchange("GET", url, until)
            page = answer if isinstance(answer, EndpointError) else _read(answer, _Page.of)
            if isinstance(page, EndpointError):
                return page
            for batch in page.batches:
                if batch.input_file == file_id:
                    return batch
            if not page.more:
                return None
            url = url.update_query(after=page.batches[-1].id)

    async def _tried(self, attempt: Callable[[float], Awaitable[T | EndpointError]]) -> T:
        """Outcome of an attempt, made until the loop's clock shows its argument, and again as a call's tries are."""
        retry = self._endpoint.retry
        clock = asyncio.get_running_loop().time
        started = clock()
        deadline = started + retry.deadline
        tries = broken = 0
        while True:
            outcome = await attempt(min(clock() + retry.try_timeout, deadline))
            if not isinstance(outcome, EndpointError):
                return outcome
            where = f"{self._batches.with_query(None)}: {outcome.message}"
            if outcome.kind in ("request", "refused"):
                hint = (
                    self._endpoint.key_hint()
                    if outcome.status in (401, 403)
                    else ("where an endpoint has no batches, --batch-file writes the requests to a file")
                )
                raise EndpointRefused(f"{where}; {hint}")
            tries += 1
            broken += outcome.kind == "broken"
            wait = retry.wait(tries, outcome.retry_after, self._jitter)
            never_reached = outcome.kind == "unreachable" and not self._endpoint.reached
            hopeless_at = started + retry.unreachable_after if never_reached else deadline
            if broken >= retry.max_tries or clock() + wait >= hopeless_at:
                raise EndpointDown(
                    f"{where} ({tries} tries); stopping; the same command goes on", last=outcome.message
                )
            await asyncio.sleep(wait)


class _Page(NamedTuple):
    batches: list[Batch]
    more: bool

    @classmethod
    def of(cls, answer: Any) -> "_Page":
        batches = [_batch(row) for row in answer["data"]]
        return cls(batches, bool(answer.get("has_more")) and bool(batches))


def _read(body: bytes, read: Callable[[Any], T]) -> T | EndpointError:
    """Value that `read` finds in an answer, which may be no JSON, or JSON of another shape."""
    try:
        return read(orjson.loads(body))
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError, ValueError):
        return EndpointError(kind="broken", message=f"an answer that was not expected: {body[:200]!r}")


def _batch(row: Any) -> Batch:
    counts = row.get("request_counts") or {}
    errors: Any = (row.get("errors") or {}).get("data") or ()
    stated = [error for error in errors if is_object(error)] if is_list(errors) else []
    return Batch(
        id=str(row["id"]),
        status=str(row["status"]),
        input_file=str(row["input_file_id"]),
        files=(str(row.get("output_file_id") or ""), str(row.get("error_file_id") or "")),
        completed=int(counts.get("completed") or 0),
        failed=int(counts.get("failed") or 0),
        total=int(counts.get("total") or 0),
        problem=str(stated[0].get("message") or stated[0].get("code")) if stated else "it says no reason",
        queue_full=any(error.get("code") == "token_limit_exceeded" for error in stated),
    )
