"""What `ralign serve` costs under load: 256 clients, a judge of 200 ms, nothing lost, nothing answered twice.

    python benchmarks/serve_load.py [--clients 256] [--seconds 60] [--judge-seconds 0.2] [--side both]

A service in a process of its own, with the judge a user has (prompt, parser) around a scripted model that answers
after 200 ms: by a digest of the answer, so that a reward given to the wrong request shows. The clients, in another
process, ask over kept-alive connections, each again as soon as it is answered, and pause for `--pause` seconds in
between. Printed: requests and their outcomes, latency as the clients see it, the same less the judge's 200 ms, the
overhead that the service itself measured, its CPU time and its memory on the way. The clients' own lag and that of a
busy machine are in these figures; so a bare loop, which answers after 200 ms and does nothing else, is put under the
same load first, and ours is what comes on top of it.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, NamedTuple

import uvicorn

from ralign.judging import ChatJudge, judge_prompt
from ralign.models import Sampling, ScriptedModel
from ralign.runs.options import AnswerRewardOptions, JudgeOptions
from ralign.serving.app import create_app
from ralign.serving.command import spare_collection
from ralign.serving.config import ServeConfig

ANSWER = (
    "The tide comes in twice a day, and the harbour master writes both times on the slate by the door. " * 8
)


class Asked(NamedTuple):
    """What became of one request."""

    seconds: float
    outcome: str
    """`right`, `wrong` (another request's reward), or the status."""


def wins(number: int) -> bool:
    """Whether the judge prefers the answer with this number: settled, and half of them."""
    return bool(blake2b(str(number).encode(), digest_size=1).digest()[0] & 1)


def serve(judge_seconds: float, side: Literal["both", "drawn"]) -> None:
    """The service's process: its address first, then, once it is terminated, how often each answer was judged."""
    judged: Counter[int] = Counter()

    def verdict(messages: Any, sampling: Sampling, seed: int | None) -> str:
        text = messages[-1].content
        start = text.index("answer-number-") + len("answer-number-")
        number = int(text[start : text.index(".", start)])
        judged[number] += 1
        answer_first = start < text.index("reference-answer")
        return f"The slate decides. \\boxed{{{'A' if wins(number) == answer_first else 'B'}}}"

    model = ScriptedModel(verdict, latency=judge_seconds, remember=False)
    judge = ChatJudge(model=model, prompt=judge_prompt(), sampling=Sampling())
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    reward = AnswerRewardOptions(side=side)
    app = create_app(ServeConfig(judge=JudgeOptions(judge="scripted"), answer_reward=reward), judge)
    spare_collection()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")).run(
        [listening]
    )
    calls = 2 if side == "both" else 1
    print(
        json.dumps({"answers": len(judged), "not_once": sum(n != calls for n in judged.values())}), flush=True
    )


class BareServer(asyncio.Protocol):
    """The least a server can be: it reads to the end of a request and answers the expected after a while."""

    def __init__(self, judge_seconds: float) -> None:
        self._judge_seconds = judge_seconds
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A request, or a part of one."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)
        if found and len(body) >= length:
            self._buffer = b""
            asyncio.get_running_loop().call_later(self._judge_seconds, self._answer, body)

    def _answer(self, request: bytes) -> None:
        name = json.loads(request)["id"] if request else "0"
        body = json.dumps({"id": name, "reward": 1.0 if wins(int(name)) else -1.0}).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


async def serve_bare(judge_seconds: float) -> None:
    """The bare loop's process."""
    terminated = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    server = await loop.create_server(lambda: BareServer(judge_seconds), "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await terminated.wait()
    print("{}", flush=True)


class Connection(asyncio.Protocol):
    """The least an HTTP client can be: in a load test it shares the processors with what it measures."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to ask."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever waits for an answer gets the error."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed before its answer"))

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length and self._answer is not None:
            self._buffer = body[length:]
            self._answer.set_result((int(head[9:12]), body[:length]))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """One request's status and body."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()


def request_of(number: int) -> bytes:
    """A `/reward` request of about 2.5 KB, thinking included."""
    body = json.dumps(
        {
            "conversation": [{"role": "user", "content": f"When is high water? {ANSWER}"}],
            "answer": f"<think>Six?</think>answer-number-{number}. {ANSWER}",
            "reference_answer": f"reference-answer. {ANSWER}",
            "id": str(number),
        }
    ).encode()
    head = "POST /reward HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def load(url: str, clients: int, seconds: float, pause: float, *, period: float) -> list[Asked]:
    """Ask for so many seconds; every request that was sent is waited for. Clients start spread over one period."""
    host, port = url.removeprefix("http://").split(":")
    numbers = iter(range(sys.maxsize))
    until = time.perf_counter() + seconds
    asked: list[Asked] = []

    async def client(first: float) -> None:
        await asyncio.sleep(first)
        _, connection = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
        while time.perf_counter() < until:
            number = next(numbers)
            request = request_of(number)
            started = time.perf_counter()
            status, body = await connection.ask(request)
            took = time.perf_counter() - started
            outcome = str(status)
            if status == 200:
                answer = json.loads(body)
                expected = (str(number), 1.0 if wins(number) else -1.0)
                outcome = "right" if (answer["id"], answer["reward"]) == expected else "wrong"
            asked.append(Asked(took, outcome))
            if pause:
                await asyncio.sleep(pause)
        connection.close()

    async with asyncio.TaskGroup() as group:
        for place in range(clients):
            group.create_task(client(place / clients * period))
    return asked


async def run_load(
    clients: int,
    seconds: float,
    *,
    judge_seconds: float = 0.2,
    pause: float = 0.0,
    side: str = "both",
    kind: str = "service",
) -> dict[str, Any]:
    """The service's process, the clients, and what came of it."""
    service = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", kind, "--judge-seconds", str(judge_seconds), "--side", side,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", os.environ.get("PYTHONPATH", "")])},
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert service.stdout is not None
    try:
        url = (await service.stdout.readline()).decode().strip()
        memory: list[float] = []
        watching = asyncio.create_task(_watch(service.pid, memory))
        asked = await load(url, clients, seconds, pause, period=judge_seconds + pause)
        watching.cancel()
        metrics = await _metrics(url) if kind == "service" else {}
        cpu = _cpu_seconds(service.pid)
        service.send_signal(signal.SIGTERM)
        ending = json.loads(await asyncio.wait_for(service.stdout.readline(), 30))
    finally:
        if service.returncode is None:
            service.kill()
        await service.wait()
    latencies = sorted(each.seconds for each in asked)
    return {
        "requests": len(asked),
        "outcomes": dict(Counter(each.outcome for each in asked)),
        "judged": ending,
        "per_second": round(len(asked) / seconds),
        "latency_ms": {share: round(1000 * _quantile(latencies, share)) for share in (0.5, 0.99, 1.0)},
        "overhead_ms": {
            share: round(1000 * (_quantile(latencies, share) - judge_seconds)) for share in (0.5, 0.99, 1.0)
        },
        "overhead_in_service_ms": metrics,
        "cpu_ms_a_request": round(1000 * cpu / max(len(asked), 1), 2),
        "memory_mb": memory,
    }


async def _watch(pid: int, memory: list[float]) -> None:
    """The service's resident memory, each second, in MB. Linux alone can tell."""
    while True:
        memory.append(_resident_mb(pid))
        await asyncio.sleep(1)


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _cpu_seconds(pid: int) -> float:
    """What the process has used, its start included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _metrics(url: str) -> dict[str, float]:
    """Bounds of the service's own overhead histogram that hold half and 99 % of its requests, in ms."""
    host, port = url.removeprefix("http://").split(":")
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
    _, body = await connection.ask(b"GET /metrics HTTP/1.1\r\nHost: load\r\n\r\n")
    connection.close()
    buckets = [
        (float(line.split('"')[1]), float(line.split()[-1]))
        for line in body.decode().splitlines()
        if line.startswith("ralign_overhead_seconds_bucket")
    ]
    total = buckets[-1][1]
    return {
        str(share): 1000 * next(bound for bound, count in buckets if count >= share * total)
        for share in (0.5, 0.99)
    }


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def main() -> None:
    """Read the flags; serve, or load and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--judge-seconds", type=float, default=0.2)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--side", choices=["both", "drawn"], default="both")
    parser.add_argument("--serve", choices=["service", "bare"], help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.serve == "bare":
        asyncio.run(serve_bare(flags.judge_seconds))
        return
    if flags.serve:
        serve(flags.judge_seconds, side=flags.side)
        return
    for kind in ("bare", "service"):
        load = run_load(
            flags.clients,
            flags.seconds,
            judge_seconds=flags.judge_seconds,
            pause=flags.pause,
            side=flags.side,
            kind=kind,
        )
        found = asyncio.run(load)
        memory = found.pop("memory_mb")
        print(kind)
        for name, value in found.items():
            print(f"  {name:24s} {value}")
        print(f"  {'memory_mb':24s} {[round(each) for each in memory[:: max(len(memory) // 10, 1)]]}")


if __name__ == "__main__":
    main()
