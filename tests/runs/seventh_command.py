"""A seventh command: one model names the buoy of each number, another says whether the name will do."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from ralign.models import ModelSpec, Reply, Sampling, ScriptedModel
from ralign.models.model import Request
from ralign.records import Answered, Message
from ralign.runs.execute import execute, show_end
from ralign.runs.log import Log
from ralign.runs.options import CallFlags, CallOptions, fingerprint
from ralign.runs.plan import Ask, Call, Live, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Answered):
    number: int


class BuoyCalls:
    def request(self, number: int, *said: str) -> Request:
        return Request([Message(role="user", content=f"{number}: {said}")], Sampling(max_tokens=9), number)

    def read(self, answer: Reply | Exception, number: int, *said: str) -> Said:
        if isinstance(answer, Reply):
            return Said(number=number, text=answer.text, usage=answer.usage)
        return Said(number=number, failure="call", detail=str(answer))


class BuoyPlan:
    def __init__(self, out: Path, size: int, writer: Live | Ask, checker: Live | Ask) -> None:
        self.size = size
        self.writer, self.checker = self.roles = [
            Role(name, Log(out / f"{name}.jsonl", Said, lambda said: said.number, size), asked)
            for name, asked in (("writer", writer), ("checker", checker))
        ]

    def waves(self):
        yield range(self.size)

    def owed(self, number: int) -> list[Call]:
        if number not in self.writer.log:
            return [Call(self.writer, (number,))]
        said = self.writer.log.get(number).text
        return [] if number in self.checker.log else [Call(self.checker, (number, said))]

    def forecast(self, number: int) -> tuple[list[Call], list[Call]]:
        owed = self.owed(number)
        return owed, owed if number in self.writer.log else [*owed, Call(self.checker, (number, ""))]

    def results(self) -> dict:
        owed = {role.name: self.size - role.log.answered for role in self.roles}
        return {"owed": owed, "said": [said.text for _, said in self.checker.log.records()]}


@dataclass(frozen=True, kw_only=True)
class BuoyConfig:
    out: Path
    url: str
    calls: CallFlags = CallOptions()
    OPERATIONAL = frozenset({"out", "url"})


def buoys(config: Annotated[BuoyConfig, Parameter(name="*")]) -> int:
    at = {"url": config.url, "key_variable": "OPENAI_API_KEY"}
    writer, checker = (Live(ModelSpec(name=name, **at), BuoyCalls()) for name in ("writer", "checker"))
    plan, console = BuoyPlan(config.out, 60, writer, checker), Console()
    shared = {"calls": config.calls, "fingerprint": fingerprint(config), "console": console}
    results = asyncio.run(execute("buoys", plan, config, config.out, local_model=ScriptedModel, **shared))
    return 0 if results is None else show_end(results, config.out, console)


if __name__ == "__main__":
    raise SystemExit(App(default_command=buoys, result_action="return_value")())
