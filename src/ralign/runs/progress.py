"""How a run is going: done, rate, failures with the commonest reason, tokens, and money where a price is known.

Read from the logs a few times a second; the loop reports nothing but the items it has settled. A progress bar on a
terminal; in a log file a line every half minute, one soon after something new begins to fail, and one at the end.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ralign.models.endpoint_model import EndpointModel
from ralign.models.model import BATCH_DISCOUNT, Price
from ralign.runs.plan import Plan, Role

_REFRESH_SECONDS = 0.25
_LOG_SECONDS = 30.0
_TROUBLE_SECONDS = 2.0
_LONGEST_REASON = 120


class Progress:
    """A run's progress: `with progress.shown(console): ...`, inside a running event loop."""

    def __init__(
        self,
        plan: Plan[Any],
        prices: Mapping[str, Price],
        models: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """`prices` and `models` by role; a role without a price costs nothing here."""
        self.settled = 0
        """Items that the loop is through with, whether or not every call was answered."""
        self._size = plan.size
        self._roles = plan.roles
        self._prices = prices
        # Models of one endpoint share its count.
        counts = [model.failed_tries for model in models.values() if isinstance(model, EndpointModel)]
        self._failed_tries = list({id(count): count for count in counts}.values())
        self._started = time.monotonic()

    @contextmanager
    def shown(self, console: Console | None) -> Generator[None]:
        """Show the progress until the context ends; nowhere without a console."""
        if console is None:
            yield
            return
        # A log file gets whole lines: a bar would fill it with control characters.
        if not console.is_terminal:
            with _repeated(min(_LOG_SECONDS, _TROUBLE_SECONDS), self._lines(console)):
                yield
            return
        columns = (
            # Of a server's own words nothing is markup.
            TextColumn("{task.description}", markup=False),
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

    def _lines(self, console: Console) -> Callable[[], None]:
        """Prints a line where it is time for one, or where a kind of failure is new."""
        printed = time.monotonic()
        kinds = 0

        def look() -> None:
            nonlocal printed, kinds
            now = time.monotonic()
            found = sum(map(len, self._failed_tries))
            if now - printed >= _LOG_SECONDS or found > kinds:
                printed, kinds = now, found
                console.print(self.line(), highlight=False, markup=False, soft_wrap=True)

        return look

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
        if tries := sum((count.total() for count in self._failed_tries), 0):
            reason, times = sum(self._failed_tries, Counter[str]()).most_common(1)[0]
            if len(reason) > _LONGEST_REASON:
                reason = reason[: _LONGEST_REASON - 1] + "…"
            parts.append(f"{tries:,} tries failed ({times:,} of them: {reason})")
        tokens = sum(role.log.usage.prompt_tokens + role.log.usage.completion_tokens for role in self._roles)
        if tokens:
            parts.append(f"{_short(tokens)} tokens")
        if self._prices:
            parts.append(f"{money(self._roles, self._prices):,.2f} spent")
        return ", ".join(parts)


def money(roles: Sequence[Role], prices: Mapping[str, Price]) -> float:
    """Cost of the recorded tokens, over all sessions of the run: what batches carried at the batch price."""
    return sum(
        prices[role.name].of(role.log.usage) - BATCH_DISCOUNT * prices[role.name].of(role.log.batch_usage)
        for role in roles
        if role.name in prices
    )


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
