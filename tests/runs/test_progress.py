"""A run's progress, read from its logs: a line in a log file, a bar on a terminal."""

import asyncio
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.runs.seventh_command import BuoyPlan, Said

from ralign.models import RetryPolicy, Sampling
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.model import Price
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.records import Message, Usage
from ralign.runs import progress as module
from ralign.runs.progress import Progress, money

SIZE = 1200
PRICES = {"writer": Price(input=1e6, output=1e6)}


async def nobody(*about: object) -> Said:
    raise AssertionError(about)


@pytest.fixture
def plan(tmp_path: Path) -> BuoyPlan:
    """Two answers of 1,500 tokens and a failed call of the writer; one unreadable answer of the checker."""
    plan = BuoyPlan(tmp_path, SIZE, nobody, nobody)
    usage = Usage(prompt_tokens=1000, completion_tokens=500)
    with plan.writer.log as writer, plan.checker.log as checker:
        writer.append(Said(number=0, text="none", usage=usage))
        writer.append(Said(number=1, text="one", usage=usage))
        writer.append(Said(number=2, failure="call"))
        checker.append(Said(number=0, text="Er", failure="parse"))
    return plan


def test_a_line_has_answers_failures_tokens_and_money(plan: BuoyPlan) -> None:
    progress = Progress(plan, PRICES)
    progress.settled = 1
    line = progress.line()
    assert line.startswith("1 of 1,200: 2 writer answers, 1 checker answers, ")
    assert line.endswith(" calls/s, 1 calls failed, 3.0k tokens, 3,000.00 spent")
    assert money(plan.roles, PRICES) == 3000


def test_without_tokens_or_a_price_neither_is_shown(tmp_path: Path) -> None:
    line = Progress(BuoyPlan(tmp_path, SIZE, nobody, nobody), {}).line()
    assert line.startswith("0 of 1,200: 0 writer answers")
    assert line.endswith("0 calls failed")


async def test_a_log_file_gets_lines_now_and_then(plan: BuoyPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOG_SECONDS", 0.01)
    printed = asyncio.Event()

    class Page(StringIO):
        def write(self, text: str) -> int:
            printed.set()
            return super().write(text)

    to = Page()
    progress = Progress(plan, PRICES)
    with progress.shown(Console(file=to, width=200)):
        progress.settled = 600
        async with asyncio.timeout(20):
            await printed.wait()
    assert to.getvalue().splitlines()[0].startswith("600 of 1,200: 2 writer answers, 1 checker answers")
    assert "\x1b" not in to.getvalue()


async def test_a_terminal_gets_a_bar_that_ends_with_the_run(plan: BuoyPlan) -> None:
    to = StringIO()
    console = Console(file=to, width=200, force_terminal=True, color_system=None, legacy_windows=False)
    progress = Progress(plan, PRICES)
    with progress.shown(console):
        progress.settled = SIZE
        await asyncio.sleep(0)
    assert "1200/1200" in to.getvalue()
    assert "2 writer answers" in to.getvalue()


async def test_nobody_watching_costs_nothing(plan: BuoyPlan) -> None:
    before = asyncio.all_tasks()
    with Progress(plan, PRICES).shown(None):
        assert asyncio.all_tasks() == before


async def test_an_error_goes_through_the_bar_and_ends_it(plan: BuoyPlan) -> None:
    console = Console(file=StringIO(), width=200, force_terminal=True)
    before = asyncio.all_tasks()
    with pytest.raises(KeyError), Progress(plan, PRICES).shown(console):
        raise KeyError
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_what_fails_is_said_while_it_fails(plan: BuoyPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any call is given up, with the commonest reason, and not only when it is time for a line."""
    monkeypatch.setattr(module, "_TROUBLE_SECONDS", 0.01)
    down = Fault(kind="status", status=503, message="no [free] slot")
    odd = Fault(kind="status", status=500)
    retry = RetryPolicy(first_wait=0.005, longest_wait=0.005)
    to = StringIO()
    async with (
        ChatServer(faults=lambda n, _: odd if n == 3 else down if n < 20 else None) as server,
        Endpoint(server.url, retry=retry) as endpoint,
    ):
        # Two models at one address are in the same trouble, which is counted once.
        models = {role: EndpointModel(endpoint, role) for role in ("writer", "checker")}
        progress = Progress(plan, PRICES, models)
        with progress.shown(Console(file=to, width=60)):
            await models["writer"].reply([Message(role="user", content="?")], Sampling())
            async with asyncio.timeout(20):
                while "tries failed" not in to.getvalue():  # noqa: ASYNC110  (a page has no event)
                    await asyncio.sleep(0.01)
    reason = "503 Service Unavailable: no [free] slot"
    assert f"20 tries failed (19 of them: {reason})" in progress.line()
    assert reason in to.getvalue().splitlines()[0]
