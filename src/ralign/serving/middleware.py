"""ASGI middleware before every answer: the token, a place in the queue, the request's body, its deadline.

| what is wrong                         | the answer                                           |
| ------------------------------------- | ---------------------------------------------------- |
| no token, or another                  | 401                                                  |
| the queue is full                     | 429 with `Retry-After`; `/get_reward` waits          |
| a body larger than allowed            | 413                                                  |
| the body is not there by the deadline | 408                                                  |
| no answer by the deadline             | 504; `/get_reward` answers with a fallback itself    |

A place in the queue is taken before the body is read, so that memory is bounded by the queue times the largest body.
Plain ASGI: the usual middleware class costs a task a request.
"""

import asyncio
import base64
import binascii
import math
import secrets
from time import monotonic

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ralign.serving.metrics import RequestTiming, ServingMetrics, current_timing

QUEUED_PATHS = frozenset({"/compare", "/reward", "/get_reward"})
"""Paths that take a place in the queue."""
WAITING_PATHS = frozenset({"/get_reward"})
"""Paths that wait for a place: OpenRLHF's client gives up after five refusals, a second apart."""
OPEN_PATHS = frozenset({"/health", "/docs", "/redoc", "/openapi.json"})
"""Paths that need no token: a load balancer has none, and the schema is in the source."""

_DRAIN_SECONDS = 5.0


class Refused(Exception):
    """A request that will not be answered: the status, the reason, more headers."""

    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class _Exchange:
    """One request's messages both ways, as the application sees them."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.read_ahead: bytes | None = None
        """A body that was read already: what the application receives first."""
        self.body_ended = False
        self.status: int | None = None
        """The status answered; None until then."""
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Take the client's next message."""
        if self.read_ahead is not None:
            body, self.read_ahead = self.read_ahead, None
            return {"type": "http.request", "body": body, "more_body": False}
        message = await self._receive()
        # A client that hung up has no more body either.
        self.body_ended = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Pass one message of the answer on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class RequestMiddleware:
    """ASGI middleware around the application.

    Args:
        app: the application.
        token: what clients must bring, as a bearer or as a password; None: nothing.
        queue: requests taken and not yet answered, at most.
        deadline: seconds from a request's head to its answer.
        max_bytes: the largest body.
        metrics: every request is counted there.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        queue: int,
        deadline: float,
        max_bytes: int,
        metrics: ServingMetrics,
    ) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._queue = asyncio.Semaphore(queue)
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._usual_seconds = 1.0
        metrics.queue_capacity.set(queue)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        now = monotonic()
        timing = RequestTiming(arrived=now, deadline=now + self._deadline)
        current_timing.set(timing)
        # A label for each path that a client makes up would be a series for each in Prometheus' memory.
        path: str = scope["path"] if scope["path"] in QUEUED_PATHS | {"/metrics"} else "other"
        exchange = _Exchange(receive, send)
        try:
            # compare_digest takes as long for any guess, so that the time says nothing of the token.
            if self._token is not None and not any(
                name == b"authorization" and secrets.compare_digest(_token_in(value), self._token)
                for name, value in scope["headers"]
            ):
                error = "this service needs its token: Authorization: Bearer …"
                raise Refused(401, error, www_authenticate="Bearer")
            if path in QUEUED_PATHS and scope["method"] == "POST":
                await self._queued(scope, exchange, timing)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except Refused as refused:
            await _refuse(refused, exchange)
        finally:
            self._metrics.requests.labels(path, str(exchange.status or 500)).inc()
            self._metrics.seconds.labels(path).observe(monotonic() - timing.arrived)
            # A request that waited in the queue says nothing of the overhead, so those paths are left out.
            if exchange.status == 200 and timing.waited and path not in WAITING_PATHS:
                self._metrics.overhead.observe(timing.overhead)

    async def _queued(self, scope: Scope, exchange: _Exchange, timing: RequestTiming) -> None:
        waits = scope["path"] in WAITING_PATHS
        try:
            async with asyncio.timeout(timing.deadline - monotonic()):
                if self._queue.locked() and not waits:
                    raise TimeoutError
                await self._queue.acquire()
        except TimeoutError:
            # In the time that one request usually takes, about as many end as there are places.
            seconds = min(max(math.ceil(self._usual_seconds), 1), 60)
            error = f"the queue is full; come back in {seconds} s"
            raise Refused(429, error, retry_after=str(seconds)) from None
        self._metrics.in_flight.inc()
        try:
            exchange.read_ahead = await self._body(scope, exchange, timing)
            # OpenRLHF needs numbers whatever happens, so its path keeps the deadline itself.
            async with asyncio.timeout(None if waits else timing.deadline - monotonic()):
                await self._app(scope, exchange.receive, exchange.send)
            self._usual_seconds += 0.05 * (monotonic() - timing.arrived - self._usual_seconds)
        except TimeoutError:
            if waits or exchange.status is not None:
                raise
            raise Refused(504, f"no answer from the judge within {self._deadline:g} s") from None
        finally:
            self._queue.release()
            self._metrics.in_flight.dec()

    async def _body(self, scope: Scope, exchange: _Exchange, timing: RequestTiming) -> bytes:
        """Read the request's body, bounded in size and time."""
        too_large = Refused(413, f"the request is larger than {self._max_bytes:,} bytes")
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(timing.deadline - monotonic()):
                # Counted as it comes: a chunked body declares no length, and a client may declare a false one.
                while not exchange.body_ended:
                    part: bytes = (await exchange.receive()).get("body", b"")
                    size += len(part)
                    if size > self._max_bytes:
                        raise too_large
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, f"the request's body did not come within {self._deadline:g} s") from None
        return b"".join(parts)


def _token_in(header: bytes) -> bytes:
    """The token in an `Authorization` header: a bearer, or the password of `http://anyone:TOKEN@host`.

    OpenRLHF's client sends no headers of its own, but takes a password from its address.
    """
    kind, _, value = header.partition(b" ")
    value = value.strip()
    if kind.lower() == b"basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return value if kind.lower() == b"bearer" else b""


async def _refuse(refused: Refused, exchange: _Exchange) -> None:
    """Say why not. What the client still sends is read and dropped: many do not look for an answer before the end."""
    headers = dict(refused.headers)
    try:
        # A body that did not come in time is not waited for again.
        async with asyncio.timeout(0 if refused.status == 408 else _DRAIN_SECONDS):
            while not exchange.body_ended:
                await exchange.receive()
    except TimeoutError:
        headers["connection"] = "close"
    body = orjson.dumps({"error": refused.error})
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    lines += [(name.encode(), value.encode()) for name, value in headers.items()]
    await exchange.send({"type": "http.response.start", "status": refused.status, "headers": lines})
    await exchange.send({"type": "http.response.body", "body": body})
