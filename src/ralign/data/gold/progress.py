"""How a run that settles one thing after another is going: a bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

Tell = Callable[[int, str], None]
"""Told how many more are settled, and the state in words."""

Progress = Callable[[int], AbstractContextManager[Tell]]
"""Takes how many there are; shows what it is told for as long as the context lasts."""

_LOG_SECONDS = 30.0


@contextmanager
def silent(total: int) -> Generator[Tell]:
    """Show nothing."""
    del total
    yield lambda settled, state: None


class ConsoleProgress:
    """A `Progress` for people."""

    def __init__(self, console: Console, *, what: str = "pairs") -> None:
        self._console = console
        self._what = what

    @contextmanager
    def __call__(self, total: int) -> Generator[Tell]:
        """Show the progress until the context ends."""
        if not self._console.is_terminal:
            yield _Lines(self._console, total, self._what)
            return
        columns = (
            TextColumn(self._what),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
        )
        with Bar(*columns, console=self._console, refresh_per_second=4) as bar:
            task = bar.add_task(self._what, total=total, state="")

            def tell(settled: int, state: str) -> None:
                bar.update(task, advance=settled, state=state)

            yield tell


class _Lines:
    """A line now and then."""

    def __init__(self, console: Console, total: int, what: str) -> None:
        self._console = console
        self._total = total
        self._what = what
        self._settled = 0
        self._next = time.monotonic() + _LOG_SECONDS

    def __call__(self, settled: int, state: str) -> None:
        self._settled += settled
        if time.monotonic() >= self._next:
            self._next += _LOG_SECONDS
            self._console.print(
                f"{self._settled:,} of {self._total:,} {self._what}: {state}", highlight=False
            )
