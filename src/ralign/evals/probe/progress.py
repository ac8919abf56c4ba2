"""How a probe is going: a bar on a terminal, a line every half minute in a log file."""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

Tell = Callable[[str], None]
"""Told after each answer, with the state in words."""

Progress = Callable[[str, int], AbstractContextManager[Tell]]
"""Takes what is counted and how many there are to be; shows what it is told for as long as the context lasts."""

_LOG_SECONDS = 30.0


@contextmanager
def silent(what: str, total: int) -> Generator[Tell]:
    """Show nothing."""
    del what, total
    yield lambda state: None


class ConsoleProgress:
    """A `Progress` for people."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def __call__(self, what: str, total: int) -> Generator[Tell]:
        """Show the progress until the context ends."""
        if not self._console.is_terminal:
            yield self._lines(what, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
        )
        with Bar(*columns, console=self._console, refresh_per_second=4) as bar:
            task = bar.add_task(what, total=total, state="")
            yield lambda state: bar.update(task, advance=1, state=state)

    def _lines(self, what: str, total: int) -> Tell:
        done, due = 0, time.monotonic() + _LOG_SECONDS

        def tell(state: str) -> None:
            nonlocal done, due
            done += 1
            if time.monotonic() >= due:
                due += _LOG_SECONDS
                self._console.print(f"{done:,} of {total:,} {what}: {state}", highlight=False)

        return tell
