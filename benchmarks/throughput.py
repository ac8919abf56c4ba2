"""How fast `ralign bench` is, against a bare aiohttp loop in the same run.

    python benchmarks/throughput.py [--rows 2000] [--connections 64 256] [--rounds 3]
    python benchmarks/throughput.py --memory 2000 100000

A server of its own process answers every call after 50 ms. Two clients take turns, each in a fresh process: a bare
loop (two calls a row, no retry, nothing parsed, nothing written), and the whole of `ralign bench` (prompts, retries,
parsing, two append-only logs, results). Printed: rows per second and CPU seconds per 1,000 rows of the client alone,
start-up left out of both, and the median of the paired ratios. The machine is shared: compare within a run.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from ralign.evals.bench.plan import bench
from ralign.files import PairSource, find_pairs_files, read_pairs, write_pairs
from ralign.judging import ChatJudge, Prompt, judge_prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge, meta_prompt_values
from ralign.models import Sampling
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.testing.answers import ChatRequest
from ralign.records import Judgment, Message, PreferencePair

RATIONALE = "A names both tides and B leaves the second one out, which the question asks for."


def make_pairs(path: Path, rows: int) -> None:
    """Pairs of about 2 KB each, all with label A: the server's judge always says A, so every row costs two calls."""
    text = (
        "The tide comes in twice a day, and the harbour master writes both times on the slate by the door. "
    )
    write_pairs(
        path,
        (
            PreferencePair(
                id=f"pair-{row}",
                conversation=(Message(role="user", content=f"Question {row}: {text * 3}"),),
                response_a=f"{row} {text * 7}",
                response_b=f"{row} {text * 6}",
                label="A",
                gold_judgment="A names both tides; B leaves one out.",
                benchmark="throughput",
                source={"benchmark": "throughput"},
            )
            for row in range(rows)
        ),
    )


def answer(request: ChatRequest) -> str:
    """What the server says: a judgment for the judge, a meta-judgment for the meta-judge."""
    if b'"model":"judge"' in request.body:
        return f"{RATIONALE}\n\n\\boxed{{A}}"
    return "POINT: A names both tides | STATED: yes\nVERDICT: Correct"


def render(pairs: Path) -> list[tuple[str, str]]:
    """The prompts that ralign sends, so that both clients put the same on the wire."""
    judge, meta_judge = judge_prompt(), Prompt.load(None, META_PROMPT)
    prompts: list[tuple[str, str]] = []
    for pair in read_pairs(find_pairs_files([str(pairs)])):
        answers = {"response_a": pair.response_a, "response_b": pair.response_b}
        values = meta_prompt_values(meta_judge, pair, Judgment(pair_id=pair.id, rationale=RATIONALE))
        first, second = judge.render(pair.conversation, answers), meta_judge.render(pair.conversation, values)
        prompts.append((first[0].content, second[0].content))
    return prompts


async def run_bare(url: str, prompts: list[tuple[str, str]], connections: int) -> None:
    """The least a client can do: post, read, forget."""
    waiting = iter(prompts)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:

        async def call(model: str, content: str) -> None:
            body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 8192}
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                await reply.json()

        async def work() -> None:
            for first, second in waiting:
                await call("judge", first)
                await call("meta-judge", second)

        await asyncio.gather(*(work() for _ in range(connections)))


async def run_ralign(url: str, pairs: Path, connections: int) -> None:
    """All of `ralign bench` but reading the flags. Judge and meta-judge share the endpoint, and so its connections."""
    with tempfile.TemporaryDirectory() as out:
        async with Endpoint(url, concurrency=connections) as endpoint:
            sampling = Sampling(temperature=0.4, max_tokens=8192)
            judge = ChatJudge(
                model=EndpointModel(endpoint, "judge"),
                prompt=judge_prompt(),
                sampling=sampling,
            )
            meta_judge = ChatMetaJudge(
                model=EndpointModel(endpoint, "meta-judge"),
                prompt=Prompt.load(None, META_PROMPT),
                sampling=sampling,
            )
            source = PairSource(find_pairs_files([str(pairs)]))
            results = await bench(source, judge, meta_judge, Path(out), in_flight=connections)
        counts = results.document["benchmarks"]["throughput"]["counts"]
        assert counts["judgments"] == counts["meta_judged"], counts


def client(kind: str, url: str, connections: int, pairs: Path) -> None:
    """One client process: run, then print seconds, CPU seconds and peak memory as JSON."""
    prompts = render(pairs) if kind == "bare" else []
    started, cpu = time.perf_counter(), time.process_time()
    asyncio.run(
        run_bare(url, prompts, connections) if kind == "bare" else run_ralign(url, pairs, connections)
    )
    used = {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(used))


def measure(kind: str, url: str, connections: int, pairs: Path) -> dict[str, float]:
    """Run one client in a fresh process."""
    command = [sys.executable, __file__, "--client", kind, url, str(connections), str(pairs)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(url: str, rows: int, connections: int, rounds: int, pairs: Path) -> None:
    """The two clients in turn, and the ratios pair by pair."""
    bare: list[dict[str, float]] = []
    ours: list[dict[str, float]] = []
    for _ in range(rounds):
        bare.append(measure("bare", url, connections, pairs))
        ours.append(measure("ralign", url, connections, pairs))
    for name, runs in (("bare loop", bare), ("ralign bench", ours)):
        rate = statistics.median(rows / run["seconds"] for run in runs)
        cpu = statistics.median(run["cpu"] * 1000 / rows for run in runs)
        print(f"{connections:4d} connections  {name:13s} {rate:7.0f} rows/s  {cpu:5.2f} CPU s per 1,000 rows")
    ratios = sorted(one["seconds"] / two["seconds"] for one, two in zip(bare, ours, strict=True))
    cpu = statistics.median(two["cpu"] / one["cpu"] for one, two in zip(bare, ours, strict=True))
    print(f"{connections:4d} connections  ratio of CPU: median {cpu:.2f}")
    print(
        f"{connections:4d} connections  ratio of rates: median {statistics.median(ratios):.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f} over {rounds} rounds)"
    )


def main() -> None:
    """Read the flags, start the server, take the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="+", default=[], metavar="ROWS")
    parser.add_argument("--client", nargs=4, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.client:
        kind, url, connections, pairs = flags.client
        client(kind, url, int(connections), Path(pairs))
        return
    latency = "0.05" if not flags.memory else "0"
    command = [
        sys.executable,
        "-m",
        "ralign.models.testing.server",
        "--latency",
        latency,
        "--answer",
        "throughput:answer",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            with tempfile.TemporaryDirectory() as folder:
                pairs = Path(folder) / "pairs.jsonl"
                if not flags.memory:
                    make_pairs(pairs, flags.rows)
                    for connections in flags.connections:
                        compare(url, flags.rows, connections, flags.rounds, pairs)
                for rows in flags.memory:
                    make_pairs(pairs, rows)
                    used = measure("ralign", url, 64, pairs)
                    print(f"{rows:8,d} rows  {used['peak_mb']:5.0f} MB at most")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
