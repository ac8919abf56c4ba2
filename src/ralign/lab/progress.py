"""Progress of a run of the lab: stages report events; on a terminal they become bars, in a log lines."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class StepDone(NamedTuple):
    """A task is at this step."""

    task: str
    done: int
    total: int


class Milestone(NamedTuple):
    """A result worth a line of its own."""

    line: str


T = TypeVar("T")

OnProgress = Callable[[StepDone | Milestone], None]
"""Takes events from any stage; must be quick."""


def silent(event: StepDone | Milestone) -> None:
    """Progress that goes nowhere."""
    del event


def counted(
    steps: Iterable[T], on_progress: OnProgress, task: str, total: int, *, done: int = 0
) -> Iterator[T]:
    """The same steps, each one reported; `done` steps of the task came before these."""
    for number, step in enumerate(steps, start=done + 1):
        on_progress(StepDone(task, number, total))
        yield step


@contextmanager
def shown(console: Console) -> Generator[OnProgress]:
    """A bar for each running task on a terminal; results as lines above them, or alone in a log."""
    if not console.is_terminal:
        yield (
            lambda event: console.print(event.line, highlight=False) if isinstance(event, Milestone) else None
        )
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

        def draw(event: StepDone | Milestone) -> None:
            if isinstance(event, Milestone):
                progress.console.print(event.line, highlight=False)
                return
            if event.task not in rows:
                rows[event.task] = progress.add_task(event.task, total=event.total)
            progress.update(rows[event.task], completed=event.done)
            if event.done == event.total:
                progress.remove_task(rows.pop(event.task))

        yield draw
