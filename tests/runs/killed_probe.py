"""`ralign probe` for the kill test: a process of its own, whose local model answers by digest and logs its calls.

`python -m tests.runs.killed_probe CALLS FLAGS...`; CALLS is what a server's log would be.
"""

import asyncio
import hashlib
import json
import math
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from tests.flags import config_of

from ralign.evals.probe.command import run_probe
from ralign.models import Reply, Sampling
from ralign.records import Message, Usage


class LoggedModel:
    """A judge with a settled answer to everything; a line in the log is an answer that was given."""

    name = "judge"

    def __init__(self, calls: Path) -> None:
        self._calls = os.open(calls, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._slots = asyncio.Semaphore(16)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._calls)

    async def reply(
        self, messages: tuple[Message, ...], sampling: Sampling, *, seed: int | None = None
    ) -> Reply:
        digest = await self._answered([message.content for message in messages], seed)
        better, worse = "AB" if int(digest, 16) % 2 else "BA"
        text = (
            f"Answer {better} gives the depth ({digest}). Answer {worse} gives none.\n\n\\boxed{{{better}}}"
        )
        return Reply(text=text, finish_reason="stop", usage=Usage(prompt_tokens=9, completion_tokens=9))

    async def choice_log_probs(
        self,
        messages: tuple[Message, ...],
        text: str,
        continuations: tuple[str, ...],
        *,
        thinking: str | None = None,
    ) -> tuple[float, ...]:
        digest = await self._answered(
            [message.content for message in messages], text, continuations, thinking
        )
        share = (1 + int(digest, 16) % 98) / 100
        return math.log(share), math.log(1 - share)

    async def _answered(self, *asked: object) -> str:
        async with self._slots:
            await asyncio.sleep(0.02)
        digest = hashlib.blake2b(json.dumps(asked).encode(), digest_size=8).hexdigest()
        os.write(self._calls, json.dumps({"event": "answered", "digest": digest}).encode() + b"\n")
        return digest


def main(calls: str, *flags: str) -> int:
    config = config_of(*flags)
    results = asyncio.run(run_probe(config, lambda config: LoggedModel(Path(calls)), Console()))
    return 0 if results.complete else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
