"""What every request passes before it is answered: the token, a place in the queue, its body, its deadline.

| what is wrong                        | the answer                                            |
| ------------------------------------ | ----------------------------------------------------- |
| no token, or another                 | 401                                                   |
| every place is taken                 | 429 with `Retry-After`; `/get_reward` waits for one   |
| a body larger than allowed           | 413                                                   |
| the body is not there by the deadline | 408                                                  |
| no answer by the deadline            | 504; `/get_reward` answers with a stand-in itself     |

A place is taken before the body is read, so that memory is bounded by places times the largest body. Plain ASGI: the
usual middleware class costs a task a request.
"""

import asyncio
import base64
import binascii
import math
import secrets
from collections.abc import MutableMapping
from time import monotonic
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ralign.serving.metrics import Gauges
from ralign.serving.timing import RequestClock, current_clock

QUEUED_PATHS = frozenset({"/compare", "/reward", "/get_reward"})
"""What takes a place in the queue."""
PATIENT_PATHS = frozenset({"/get_reward"})
"""What waits for a place: OpenRLHF's client gives up after five refusals, a second apart."""
OPEN_PATHS = frozenset({"/health", "/docs", "/redoc", "/openapi.json"})
"""What needs no token: a load balancer has none, and the schema is in the source."""

_DRAIN_SECONDS = 5.0


class Refused(Exception):
    """A request that will not be answered: the status, the reason, more headers."""

    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class _Incoming:
    """A request's messages as they come, and whether the last of its body has."""

    def __init__(self, receive: Receive) -> None:
        self.ended = False
        self._receive = receive

    async def __call__(self) -> Message:
        message = await self._receive()
        self.ended = not message.get("more_body", False)  # a client that hung up has no more body either
        return message


class Gate:
    """ASGI middleware around the application.

    Args:
        app: the application.
        token: what clients must bring, as a bearer or as a password; None: nothing.
        places: requests taken and not yet answered, at most.
        deadline: seconds from a request's head to its answer.
        max_bytes: the largest body.
        gauges: told of every request.
    """

    def __init__(
        self, app: ASGIApp, *, token: str | None, places: int, deadline: float, max_bytes: int, gauges: Gauges
    ) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._places = asyncio.Semaphore(places)
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._gauges = gauges
        self._usual_seconds = 1.0
        gauges.places.set(places)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        now = monotonic()
        clock = RequestClock(arrived=now, deadline=now + self._deadline)
        current_clock.set(clock)
        path: str = scope["path"] if scope["path"] in QUEUED_PATHS | {"/metrics"} else "other"
        sent: list[int] = []

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent.append(message["status"])
            await send(message)

        incoming = _Incoming(receive)
        try:
            self._check_token(scope)
            if path in QUEUED_PATHS and scope["method"] == "POST":
                await self._queued(scope, incoming, noting, clock)
            else:
                await self._app(scope, incoming, noting)
        except Refused as refused:
            await _refuse(refused, incoming, noting)
        finally:
            status = sent[0] if sent else 500
            self._gauges.requests.labels(path, str(status)).inc()
            self._gauges.seconds.labels(path).observe(monotonic() - clock.arrived)
            if status == 200 and clock.waited and path not in PATIENT_PATHS:
                self._gauges.overhead.observe(clock.overhead)

    def _check_token(self, scope: Scope) -> None:
        if self._token is None:
            return
        for name, value in scope["headers"]:
            if name == b"authorization" and secrets.compare_digest(_brought(value), self._token):
                return
        raise Refused(401, "this service needs its token: Authorization: Bearer …", www_authenticate="Bearer")

    async def _queued(self, scope: Scope, incoming: _Incoming, send: Send, clock: RequestClock) -> None:
        await self._take_place(scope["path"], clock)
        self._gauges.in_flight.inc()
        try:
            body = await self._body(scope, incoming, clock)
            if scope["path"] in PATIENT_PATHS:
                await self._app(scope, _replay(body, incoming), send)
            else:
                await self._in_time(scope, _replay(body, incoming), send, clock)
            self._usual_seconds += 0.05 * (monotonic() - clock.arrived - self._usual_seconds)
        finally:
            self._places.release()
            self._gauges.in_flight.dec()

    async def _take_place(self, path: str, clock: RequestClock) -> None:
        if not self._places.locked():
            await self._places.acquire()  # at once
            return
        if path not in PATIENT_PATHS:
            raise self._full()
        try:
            async with asyncio.timeout(clock.deadline - monotonic()):
                await self._places.acquire()
        except TimeoutError:
            raise self._full() from None

    def _full(self) -> Refused:
        # In the time that one request usually takes, about as many end as there are places.
        seconds = min(max(math.ceil(self._usual_seconds), 1), 60)
        return Refused(429, f"the queue is full; come back in {seconds} s", retry_after=str(seconds))

    async def _body(self, scope: Scope, incoming: _Incoming, clock: RequestClock) -> bytes:
        too_large = Refused(413, f"the request is larger than {self._max_bytes:,} bytes")
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(clock.deadline - monotonic()):
                while not incoming.ended:
                    part: bytes = (await incoming()).get("body", b"")
                    size += len(part)
                    if size > self._max_bytes:
                        raise too_large
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, f"the request's body did not come within {self._deadline:g} s") from None
        return b"".join(parts)

    async def _in_time(self, scope: Scope, receive: Receive, send: Send, clock: RequestClock) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(clock.deadline - monotonic()):
                await self._app(scope, receive, sending)
        except TimeoutError:
            if started:
                raise
            raise Refused(504, f"no answer from the judge within {self._deadline:g} s") from None


def _brought(header: bytes) -> bytes:
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


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever comes."""
    given = False

    async def replayed() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(refused: Refused, incoming: _Incoming, send: Send) -> None:
    """Say why not. What the client still sends is read and dropped: many do not look for an answer before the end."""
    headers = dict(refused.headers)
    try:
        # A body that did not come in time is not waited for again.
        async with asyncio.timeout(0 if refused.status == 408 else _DRAIN_SECONDS):
            while not incoming.ended:
                await incoming()
    except TimeoutError:
        headers["connection"] = "close"
    body = orjson.dumps({"error": refused.error})
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    lines += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
