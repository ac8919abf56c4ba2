"""How a run is going: done, rate, failures, tokens, and money where a price is known.

Read from the logs a few times a second; the loop reports nothing but the items it has settled. A progress bar on a
terminal, a line every half minute in a log file.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ralign.models.price import Price
from ralign.runs.plan import Plan, Role

_REFRESH_SECONDS = 0.25
_LOG_SECONDS = 30.0


class Progress:
    """A run's progress: `with progress.shown(console): ...`, inside a running event loop."""

    def __init__(self, plan: Plan[Any], prices: Mapping[str, Price]) -> None:
        """`prices` by role; a role without one costs nothing here."""
        self.settled = 0
        """Items that the loop is through with, whether or not every call was answered."""
        self._size = plan.size
        self._roles = plan.roles
        self._prices = prices
        self._started = time.monotonic()

    @contextmanager
    def shown(self, console: Console | None) -> Generator[None]:
        """Show the progress until the context ends; nowhere without a console."""
        if console is None:
            yield
            return
        # A log file gets whole lines: a bar would fill it with control characters.
        if not console.is_terminal:
            with _repeated(_LOG_SECONDS, lambda: console.print(self.line(), highlight=False)):
                yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=console, refresh_per_second=4) as bar:
            task = bar.add_task("", total=self._size)

            def show() -> None:
                bar.update(task, completed=self.settled, description=self.state())

            with _repeated(_REFRESH_SECONDS, show):
                yield
            show()

    def line(self) -> str:
        """The progress as a line of a log file."""
        return f"{self.settled:,} of {self._size:,}: {self.state()}"

    def state(self) -> str:
        """Calls, failures, tokens and money of this session."""
        calls = sum(role.log.calls for role in self._roles)
        # Calls of this session alone: what an earlier one answered says nothing about today's speed.
        rate = calls / max(time.monotonic() - self._started, 1e-9)
        failed = sum(role.log.failures["call"] for role in self._roles)
        parts = [f"{role.log.answered:,} {role.name.replace('_', '-')} answers" for role in self._roles]
        parts += [f"{rate:,.0f} calls/s", f"{failed:,} calls failed"]
        tokens = sum(role.log.usage.prompt_tokens + role.log.usage.completion_tokens for role in self._roles)
        if tokens:
            parts.append(f"{_short(tokens)} tokens")
        if self._prices:
            parts.append(f"{money(self._roles, self._prices):,.2f} spent")
        return ", ".join(parts)


def money(roles: Sequence[Role], prices: Mapping[str, Price]) -> float:
    """What the recorded tokens cost, over all sessions of the run."""
    return sum(prices[role.name].of(role.log.usage) for role in roles if role.name in prices)


@contextmanager
def _repeated(seconds: float, act: Callable[[], None]) -> Generator[None]:
    async def repeat() -> None:
        while True:
            await asyncio.sleep(seconds)
            act()

    ticker = asyncio.create_task(repeat())
    try:
        yield
    finally:
        ticker.cancel()


def _short(count: int) -> str:
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)
