"""Faults of a `ChatServer`, and schedules of them. See `ralign.models.testing.server`."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import orjson
from aiohttp import web

from ralign.errors import InputError
from ralign.models.model import Reply
from ralign.models.testing.answers import Answer, ChatRequest, completion

FaultKind = Literal[
    "status",
    "text",
    "html",
    "error_body",
    "truncated",
    "empty",
    "no_choices",
    "reset",
    "hang",
    "slow",
    "unclosed_think",
]
"""
status          an error status with a JSON error, as OpenAI states it
text            an error status (400) with a body of plain text
html            a page with status 200, as a proxy or a login form sends it
error_body      status 200 and a JSON error with the status in its `code`, as some gateways send it
truncated       status 200 and half of the JSON
empty           an answer without a word
no_choices      an answer with no choices
reset           the connection is cut after half of the answer
hang            nothing for `seconds`
slow            a good answer, `seconds` late
unclosed_think  a thought cut off by the token limit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to go wrong."""

    kind: FaultKind
    status: int = 500
    retry_after: str | None = None
    """The `Retry-After` header, as it is sent: seconds or an HTTP date."""
    seconds: float = 3600.0
    message: str = "a fault of the test server"

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """A fault as the command line names it: a status (`503`), a kind (`reset`), or a kind and its number.

        `429:2` asks to wait 2 seconds; `slow:0.5` and `hang:30` last so long; `error_body:429` states that status.

        Raises:
            InputError: it names no fault.
        """
        name, _, argument = text.partition(":")
        if name.isdecimal():
            return cls(kind="status", status=int(name), retry_after=argument or None)
        for kind in get_args(FaultKind):
            if kind == name and kind in ("text", "error_body"):
                return cls(kind=kind, status=int(argument or (400 if kind == "text" else 500)))
            if kind == name:
                return cls(kind=kind, seconds=float(argument or 3600))
        raise InputError(
            f"'{text}' is no fault, expected a status or one of {', '.join(get_args(FaultKind))}"
        )


FaultPlan = Callable[[int, bytes], Fault | None]
"""Which fault, if any, the request with this number (from 0) and this body meets."""


class FaultSchedule:
    """Faults at random, by rate: a `FaultPlan` that is the same for the same seed.

    Args:
        rates: how often each fault comes, as a share of all requests; together at most 1.
        seed: which requests meet them.
    """

    def __init__(self, rates: Mapping[Fault, float], *, seed: int = 0) -> None:
        if sum(rates.values()) > 1 or min(rates.values(), default=0) < 0:
            raise InputError(
                f"the rates of the faults are {list(rates.values())}, expected shares that sum to 1 at most"
            )
        self._rates = dict(rates)
        self._seed = seed

    def __call__(self, number: int, body: bytes) -> Fault | None:
        """The fault of the request with this number; its body does not matter."""
        # From the number alone, so that a request meets the same fault whichever other calls came between.
        rest = random.Random(self._seed * 1_000_003 + number).random()
        for fault, rate in self._rates.items():
            rest -= rate
            if rest < 0:
                return fault
        return None


def every_fault(
    rate: float, *, seed: int = 0, hang: float = 3600.0, retry_after: str = "0.05"
) -> FaultSchedule:
    """Every usual fault of endpoints, in equal parts that sum to `rate`: for whole-pipeline tests."""
    faults = [
        Fault(kind="status", status=500),
        Fault(kind="status", status=503),
        Fault(kind="status", status=429, retry_after=retry_after),
        Fault(kind="reset"),
        Fault(kind="hang", seconds=hang),
        Fault(kind="truncated"),
        Fault(kind="empty"),
        Fault(kind="html"),
        Fault(kind="text", status=400),
        Fault(kind="error_body", status=502),
    ]
    return FaultSchedule(dict.fromkeys(faults, rate / len(faults)), seed=seed)


async def inject_fault(
    fault: Fault, request: web.BaseRequest, call: ChatRequest, answer: Answer
) -> web.StreamResponse | None:
    """The fault's answer; None where a good answer follows after all."""
    error = {"message": fault.message, "type": "test_fault", "code": None}
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    good = completion(call, answer(call))
    match fault.kind:
        case "status":
            return json_response({"error": error}, fault.status, headers)
        case "text":
            return web.Response(text=fault.message, status=fault.status, headers=headers)
        case "html":
            return web.Response(text=f"<!doctype html><h1>{fault.message}</h1>", content_type="text/html")
        case "error_body":
            return json_response({"error": error | {"code": fault.status}})
        case "truncated":
            return web.Response(body=good[: len(good) // 2], content_type="application/json")
        case "empty":
            return web.Response(body=completion(call, ""), content_type="application/json")
        case "no_choices":
            return json_response({"object": "chat.completion", "choices": []})
        case "unclosed_think":
            cut = Reply(text="<think>Is it A, as in \\boxed{A}? Or", finish_reason="length")
            return web.Response(body=completion(call, cut), content_type="application/json")
        case "reset":
            response = web.StreamResponse(headers={"Content-Length": str(len(good))})
            await response.prepare(request)
            await response.write(good[: len(good) // 2])
            # Aborted, not closed: a close would flush and say goodbye as a sound server does.
            if request.transport is not None:
                request.transport.abort()
            return response
        case "hang" | "slow":
            await asyncio.sleep(fault.seconds)
            return None if fault.kind == "slow" else web.Response(status=504)


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer with this body."""
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json"
    )
