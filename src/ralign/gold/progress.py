"""How a gold run is going: a bar on a terminal, a line every half minute in a log file."""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

Tell = Callable[[int, str], None]
"""Told how many more pairs are settled, and the state in words."""

Progress = Callable[[int], AbstractContextManager[Tell]]
"""Takes the number of pairs; shows what it is told for as long as the context lasts."""

_LOG_SECONDS = 30.0


@contextmanager
def silent(pairs: int) -> Generator[Tell]:
    """Show nothing."""
    del pairs
    yield lambda settled, state: None


class ConsoleProgress:
    """A `Progress` for people."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def __call__(self, pairs: int) -> Generator[Tell]:
        """Show the progress until the context ends."""
        if not self._console.is_terminal:
            yield _Lines(self._console, pairs)
            return
        columns = (
            TextColumn("pairs"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
        )
        with Bar(*columns, console=self._console, refresh_per_second=4) as bar:
            task = bar.add_task("pairs", total=pairs, state="")

            def tell(settled: int, state: str) -> None:
                bar.update(task, advance=settled, state=state)

            yield tell


class _Lines:
    """A line now and then."""

    def __init__(self, console: Console, pairs: int) -> None:
        self._console = console
        self._pairs = pairs
        self._settled = 0
        self._next = time.monotonic() + _LOG_SECONDS

    def __call__(self, settled: int, state: str) -> None:
        self._settled += settled
        if time.monotonic() >= self._next:
            self._next += _LOG_SECONDS
            self._console.print(f"{self._settled:,} of {self._pairs:,} pairs: {state}", highlight=False)
