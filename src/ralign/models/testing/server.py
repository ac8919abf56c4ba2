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
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, Self, cast

import orjson
from aiohttp import web

from ralign.errors import InputError, RalignError
from ralign.models.testing.answers import Answer, ChatRequest, answer_by_digest, completion
from ralign.models.testing.faults import Fault, FaultPlan, FaultSchedule, inject_fault, json_response

_CHAT = "/v1/chat/completions"
_MODELS = "/v1/models"


class LogLine(NamedTuple):
    """One line of the server's log."""

    event: Literal["arrived", "answered"]
    number: int
    digest: str
    time: float
    fault: str | None = None


class ChatServer:
    """The server; an async context manager.

    Args:
        answer: what the model says to a request.
        faults: which requests go wrong, and how.
        latency: seconds before each answer.
        key: requests that do not bring it get a 401, whose message repeats what they brought.
        refuse: sampling parameters that get a 400, in OpenAI's words for its reasoning models.
        models: the names it serves; another gets a 404. None: any.
        log_path: a file to append the log to, line by line.
        remember: keep every request's body in `requests`.
        host: the address to listen on.
        port: the port; 0 takes a free one.
    """

    def __init__(
        self,
        *,
        answer: Answer = answer_by_digest,
        faults: FaultPlan | None = None,
        latency: float = 0.0,
        key: str | None = None,
        refuse: Collection[str] = (),
        models: Collection[str] | None = None,
        log_path: Path | None = None,
        remember: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.log: list[LogLine] = []
        self.requests: list[ChatRequest] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.url = ""
        """The base address, `http://host:port/v1`, while it serves."""
        self._answer = answer
        self._faults = faults
        self._latency = latency
        self._key = key
        self._refuse = refuse
        self._models = models
        self._log_path = log_path
        self._log_file: BinaryIO | None = None
        self._remember = remember
        self._host = host
        self._port = port
        self._arrived = 0
        self._runner: web.ServerRunner | None = None

    @property
    def arrived(self) -> int:
        """How many requests have arrived."""
        return self._arrived

    @property
    def answered(self) -> list[str]:
        """The digests of the requests that got a good answer, in that order."""
        return [line.digest for line in self.log if line.event == "answered"]

    async def __aenter__(self) -> Self:
        if self._log_path is not None:
            # Unbuffered: a line is in the file before anything else happens.
            self._log_file = self._log_path.open("ab", buffering=0)
        # A client that hangs up ends its request, as real servers have it; nothing is answered then.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=1024)
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
            names = self._models or ("test",)
            return json_response(
                {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
            )
        if request.path != _CHAT or request.method != "POST":
            return json_response({"error": {"message": f"no such path: {request.path}"}}, 404)
        body = await request.content.read()
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        call = ChatRequest(number=self._arrived, body=body, digest=digest)
        self._arrived += 1
        if self._remember:
            self.requests.append(call)
        fault = self._faults(call.number, body) if self._faults is not None else None
        self._write(LogLine("arrived", call.number, digest, time.time(), fault and fault.kind))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self._latency:
                await asyncio.sleep(self._latency)
            response = self._refusal(request, call)
            if response is None and fault is not None:
                response = await inject_fault(fault, request, call, self._answer)
            if response is None:
                response = web.Response(
                    body=completion(call, self._answer(call)), content_type="application/json"
                )
                await response.prepare(request)
                await response.write_eof()
                # Logged only now: a client that was killed before the last byte has not been answered.
                self._write(LogLine("answered", call.number, digest, time.time()))
            return response
        finally:
            self.in_flight -= 1

    def _refusal(self, request: web.BaseRequest, call: ChatRequest) -> web.Response | None:
        """The error of a server that has not this key, these parameters or these models."""
        if (
            self._key is not None
            and (given := request.headers.get("Authorization", "")) != f"Bearer {self._key}"
        ):
            return json_response(
                {"error": {"message": f"wrong key, got: {given}", "code": "invalid_api_key"}}, 401
            )
        if self._models is not None and (name := call.fields.get("model")) not in self._models:
            return json_response(
                {"error": {"message": f"the model '{name}' does not exist", "code": "model_not_found"}}, 404
            )
        for parameter in self._refuse:
            if parameter in call.fields:
                message = f"Unsupported parameter: '{parameter}' is not supported with this model."
                error = {"message": message, "param": parameter, "code": "unsupported_parameter"}
                return json_response({"error": error}, 400)
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
