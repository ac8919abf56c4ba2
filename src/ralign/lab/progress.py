"""How a run of the lab is going. Stages tell a `Watch`; on a terminal it draws bars, in a log it writes lines."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Beat(NamedTuple):
    """A task is at this step."""

    task: str
    done: int
    total: int


class Said(NamedTuple):
    """A result worth a line of its own."""

    line: str


T = TypeVar("T")

Watch = Callable[[Beat | Said], None]
"""Told what happens, from any stage; must be quick."""


def unwatched(event: Beat | Said) -> None:
    """Tell nobody."""
    del event


def beating(steps: Iterable[T], watch: Watch, task: str, total: int, *, done: int = 0) -> Iterator[T]:
    """The same steps, each one told; `done` steps of the task came before these."""
    for step in steps:
        done += 1
        watch(Beat(task, done, total))
        yield step


@contextmanager
def shown(console: Console) -> Generator[Watch]:
    """A bar for each running task on a terminal; results as lines above them, or alone in a log."""
    if not console.is_terminal:
        yield lambda event: console.print(event.line, highlight=False) if isinstance(event, Said) else None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        rows: dict[str, TaskID] = {}

        def watch(event: Beat | Said) -> None:
            if isinstance(event, Said):
                progress.console.print(event.line, highlight=False)
                return
            if event.task not in rows:
                rows[event.task] = progress.add_task(event.task, total=event.total)
            progress.update(rows[event.task], completed=event.done)
            if event.done == event.total:
                progress.remove_task(rows.pop(event.task))

        yield watch
