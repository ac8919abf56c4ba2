"""How a run is going: done, rate, failures, tokens, and money where a price is known.

Comes in: the tally, read a few times a second (the loop itself reports nothing). Goes out: a progress bar on a
terminal, a line every half minute in a log file.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ralign.evals.bench.tally import Tally
from ralign.models.price import Price

Progress = Callable[[Tally], AbstractContextManager[None]]
"""Shows a tally for as long as the context lasts; must be entered inside a running event loop."""

_REFRESH_SECONDS = 0.25
_LOG_SECONDS = 30.0


@contextmanager
def silent(tally: Tally) -> Generator[None]:
    """Show nothing."""
    del tally
    yield


class ConsoleProgress:
    """A `Progress` for people: `with ConsoleProgress(console, prices)(tally): ...`."""

    def __init__(self, console: Console, prices: Mapping[str, Price]) -> None:
        """`prices` by stage, `judge` and `meta_judge`; a stage without one costs nothing here."""
        self._console = console
        self._prices = prices

    @contextmanager
    def __call__(self, tally: Tally) -> Generator[None]:
        """Show the tally until the context ends."""
        started = time.monotonic()
        answered_before = tally.judged + tally.meta_judged

        def state() -> str:
            seconds = max(time.monotonic() - started, 1e-9)
            return self._describe(tally, (tally.judged + tally.meta_judged - answered_before) / seconds)

        with contextlib.ExitStack() as stack:
            if self._console.is_terminal:
                show = _bar(stack, self._console, tally, state)
                ticker = asyncio.create_task(_every(_REFRESH_SECONDS, show))
            else:
                ticker = asyncio.create_task(
                    _every(_LOG_SECONDS, lambda: self._console.print(_line(tally, state)))
                )
                show = None
            try:
                yield
            finally:
                ticker.cancel()
                if show is not None:
                    show()

    def _describe(self, tally: Tally, rate: float) -> str:
        parts = [f"{rate:,.0f} calls/s", f"{tally.call_failures:,} failed"]
        tokens = sum(usage.prompt_tokens + usage.completion_tokens for usage in tally.usage.values())
        if tokens:
            parts.append(f"{_short(tokens)} tokens")
        if self._prices:
            parts.append(f"{self.money(tally):,.2f} spent")
        return ", ".join(parts)

    def money(self, tally: Tally) -> float:
        """What the recorded tokens cost, over all sessions of the run."""
        return sum(
            price.of(tally.usage[stage]) for stage, price in self._prices.items() if stage in tally.usage
        )


def _bar(
    stack: contextlib.ExitStack, console: Console, tally: Tally, state: Callable[[], str]
) -> Callable[[], None]:
    bar = stack.enter_context(
        Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
            console=console,
            refresh_per_second=4,
        )
    )
    rows: list[tuple[TaskID, Callable[[], tuple[int, int]]]] = []

    def add(name: str, count: Callable[[], tuple[int, int]], state: str = "") -> None:
        rows.append((bar.add_task(name, total=None, state=state), count))

    add("judged", lambda: (tally.judged, tally.judged + tally.owed()[0]))
    if tally.meta_judging:
        add("meta-judged", lambda: (tally.meta_judged, tally.meta_judged + tally.owed()[1]))

    def show() -> None:
        for position, (task, count) in enumerate(rows):
            done, total = count()
            bar.update(task, completed=done, total=total, state=state() if position == 0 else "")

    show()
    return show


def _line(tally: Tally, state: Callable[[], str]) -> str:
    judgments, votes = tally.owed()
    return (
        f"judged {tally.judged:,}, meta-judged {tally.meta_judged:,}, {judgments + votes:,} owed: {state()}"
    )


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        act()


def _short(count: int) -> str:
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)
