"""A local OpenAI-compatible chat server with programmable faults, for tests of whole pipelines.

    async with ChatServer(answer=lambda request: "…", faults=every_fault(0.1)) as server:
        run_the_pipeline(server.url)
    server.log     every request that arrived, and every one that was answered

In a process of its own, for benchmarks and tests that kill things (it prints its address, then serves until it
is terminated):

    python -m ralign.models.testing.server --latency 0.05 --log calls.jsonl --answer mymodule:answer --fault 503=0.02

Each line of the log (`server.log`, and the file) has `event`: `arrived`, or `answered` once a good answer is
fully written; `number`, the request's; `digest`, equal for equal bodies, so that a test can tell whether a call
was paid for twice; `time`, seconds since the epoch; and on arrival `fault`, the kind that the request will meet.
A request in a batch (`ralign.models.testing.batches`) is `handed_in`, and at the batch's end `answered` or
`unanswered`; its number is -1.

The path without faults is kept short: in a benchmark this server shares the processors with what it measures.
"""

import argparse
import asyncio
import hashlib
import importlib
import signal
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, Self, cast

import orjson
from aiohttp import web

from ralign.errors import InputError, RalignError
from ralign.models.testing.answers import Answer, ChatRequest, answer_by_digest, completion
from ralign.models.testing.batches import BatchEvent, BatchFaultPlan, BatchStore, Refusal
from ralign.models.testing.faults import Fault, FaultPlan, FaultSchedule, inject_fault, json_response

_CHAT = "/v1/chat/completions"
_BATCHES = ("/v1/files", "/v1/batches")
_MODELS = "/v1/models"


class LogLine(NamedTuple):
    """One line of the server's log."""

    event: Literal["arrived", "answered", "handed_in", "unanswered"]
    number: int
    digest: str
    time: float
    fault: str | None = None


@dataclass(kw_only=True, eq=False)
class ChatServer:
    """The server; an async context manager."""

    answer: Answer = answer_by_digest
    """The reply of its model to a request."""
    faults: FaultPlan | None = None
    """Which requests go wrong, and how."""
    latency: float = 0.0
    """Seconds before each answer."""
    batch_faults: BatchFaultPlan | None = None
    """Which batches go wrong, and how."""
    batch_seconds: float = 0.0
    """Seconds until a batch has ended."""
    key: str | None = None
    """Requests that do not bring it get a 401, whose message repeats what they brought."""
    refuse: Collection[str] = ()
    """Sampling parameters that get a 400, in OpenAI's words for its reasoning models."""
    models: Collection[str] | None = None
    """The names it serves; another gets a 404. None: any."""
    log_path: Path | None = None
    """A file to append the log to, line by line."""
    remember: bool = True
    """Keep every request's body in `requests`."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""

    url: str = field(init=False, default="")
    """The base address, `http://host:port/v1`, while it serves."""
    log: list[LogLine] = field(init=False, default_factory=list[LogLine])
    requests: list[ChatRequest] = field(init=False, default_factory=list[ChatRequest])
    arrived: int = field(init=False, default=0)
    """How many requests have arrived."""
    in_flight: int = field(init=False, default=0)
    most_in_flight: int = field(init=False, default=0)
    _batches: BatchStore = field(init=False)
    _log_file: BinaryIO | None = field(init=False, default=None)
    _runner: web.ServerRunner | None = field(init=False, default=None)

    @property
    def answered(self) -> list[str]:
        """The digests of the requests that got a good answer, in that order."""
        return [line.digest for line in self.log if line.event == "answered"]

    def __post_init__(self) -> None:
        def log(event: BatchEvent, digest: str) -> None:
            self._write(LogLine(event, -1, digest, time.time()))

        self._batches = BatchStore(self.answer, self._refusal, self.batch_faults, self.batch_seconds, log)

    async def __aenter__(self) -> Self:
        if self.log_path is not None:
            # Unbuffered: a line is in the file before anything else happens.
            self._log_file = self.log_path.open("ab", buffering=0)
        # A client that hangs up ends its request, as real servers have it; nothing is answered then.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, backlog=1024)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._log_file is not None:
            self._log_file.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == _MODELS:
            names = self.models or ("test",)
            return json_response(
                {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
            )
        if request.path.startswith(_BATCHES):
            return self._wrong_key(request) or await self._batches.handle(request)
        if request.path != _CHAT or request.method != "POST":
            return json_response({"error": {"message": f"no such path: {request.path}"}}, 404)
        body = await request.content.read()
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        # Nothing is awaited between the number and the log's line, so both are in the order of arrival.
        call = ChatRequest(number=self.arrived, body=body, digest=digest)
        self.arrived += 1
        if self.remember:
            self.requests.append(call)
        fault = self.faults(call.number, body) if self.faults is not None else None
        self._write(LogLine("arrived", call.number, digest, time.time(), fault and fault.kind))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            response = self._wrong_key(request)
            if response is None and (refusal := self._refusal(call)) is not None:
                response = json_response({"error": refusal.error}, refusal.status)
            if response is None and fault is not None:
                response = await inject_fault(fault, request, call, self.answer)
            if response is None:
                response = web.Response(
                    body=completion(call, self.answer(call)), content_type="application/json"
                )
                await response.prepare(request)
                await response.write_eof()
                # Logged only now: a client that was killed before the last byte has not been answered.
                self._write(LogLine("answered", call.number, digest, time.time()))
            return response
        finally:
            self.in_flight -= 1

    def _wrong_key(self, request: web.BaseRequest) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if self.key is None or given == f"Bearer {self.key}":
            return None
        return json_response(
            {"error": {"message": f"wrong key, got: {given}", "code": "invalid_api_key"}}, 401
        )

    def _refusal(self, call: ChatRequest) -> Refusal | None:
        """The error of a server that has not these parameters or these models."""
        if self.models is not None and (name := call.fields.get("model")) not in self.models:
            return Refusal(404, {"message": f"the model '{name}' does not exist", "code": "model_not_found"})
        for parameter in self.refuse:
            if parameter in call.fields:
                message = f"Unsupported parameter: '{parameter}' is not supported with this model."
                return Refusal(400, {"message": message, "param": parameter, "code": "unsupported_parameter"})
        return None

    def _write(self, line: LogLine) -> None:
        self.log.append(line)
        if self._log_file is not None:
            self._log_file.write(orjson.dumps(line._asdict(), option=orjson.OPT_APPEND_NEWLINE))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until terminated; the address is the first line of the output."""
    parser = argparse.ArgumentParser(
        prog="python -m ralign.models.testing.server", description="A chat server for tests."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--log", type=Path, help="a file to append to: what arrived, what was answered")
    parser.add_argument("--answer", metavar="MODULE:FUNCTION", help="what the model says to a ChatRequest")
    parser.add_argument(
        "--faults", metavar="MODULE:PLAN", help="a function of number and body that gives a Fault"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT=RATE",
        help="such as 503=0.02, 429:0.5=0.1, reset=0.01",
    )
    parser.add_argument(
        "--batch-faults", metavar="MODULE:PLAN", help="a function of a batch's number that gives its faults"
    )
    parser.add_argument("--batch-seconds", type=float, default=0.0, help="seconds until a batch has ended")
    parser.add_argument("--seed", type=int, default=0, help="which requests meet the faults")
    parser.add_argument(
        "--refuse", action="append", default=[], metavar="PARAMETER", help="such as max_tokens"
    )
    options = parser.parse_args(arguments)
    try:
        rates: dict[Fault, float] = {}
        for given in options.fault:
            name, _, rate = given.rpartition("=")
            try:
                rates[Fault.parse(name)] = float(rate)
            except ValueError:
                raise InputError(f"the fault is '{given}', expected FAULT=RATE") from None
        faults = FaultSchedule(rates, seed=options.seed) if rates else None
        server = ChatServer(
            answer=cast(Answer, _import_object(options.answer)) if options.answer else answer_by_digest,
            faults=cast(FaultPlan, _import_object(options.faults)) if options.faults else faults,
            latency=options.latency,
            batch_faults=cast(BatchFaultPlan, _import_object(options.batch_faults))
            if options.batch_faults
            else None,
            batch_seconds=options.batch_seconds,
            refuse=options.refuse,
            log_path=options.log,
            remember=False,
            host=options.host,
            port=options.port,
        )
    except RalignError as error:
        parser.error(str(error))

    async def serve() -> None:
        terminated = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, terminated.set)
        async with server:
            # Flushed at once: whoever started the process waits for this line before it calls.
            sys.stdout.write(f"{server.url}\n")
            sys.stdout.flush()
            await terminated.wait()

    asyncio.run(serve())


def _import_object(path: str) -> object:
    """The object that `module:name` names; the working directory counts."""
    module, _, name = path.partition(":")
    sys.path.insert(0, "")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"'{path}' names nothing, expected module:function ({error})") from None


if __name__ == "__main__":
    main()
