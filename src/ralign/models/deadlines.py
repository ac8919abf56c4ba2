"""Timeouts for many calls in flight, with one timer between them."""

import asyncio
from typing import Any

# `asyncio.timeout` makes an object and a timer for every call and takes the timer back a moment later; with
# hundreds of calls in flight that is a tenth of all that a call costs. Nearly all calls end long before their time
# is up, so here they are only written down, and one timer waits for the earliest. Cancellation follows
# `asyncio.Timeout`: a task that is cancelled from outside as well stays cancelled.
_Task = asyncio.Task[Any]


class Deadlines:
    """The deadlines of tasks in one event loop, at most one a task.

    deadlines.add(task, until)
    try:
        await …
    except asyncio.CancelledError:
        if not deadlines.has_expired(task):
            raise
    finally:
        deadlines.discard(task)
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # With each task's deadline, how often it had been asked to cancel before.
        self._running: dict[_Task, tuple[float, int]] = {}
        self._expired: dict[_Task, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._earliest = float("inf")

    def add(self, task: _Task, until: float) -> None:
        """Cancel the task when the loop's clock shows `until`."""
        self._running[task] = (until, task.cancelling())
        if until < self._earliest:
            self._set_timer(until)

    def discard(self, task: _Task) -> None:
        """Forget the task. The timer stays: it costs less to let it run out than to set it anew."""
        if self._running.pop(task, None) is None and self._expired.pop(task, None) is not None:
            task.uncancel()  # expired, and swallowed by what ran in the task

    def has_expired(self, task: _Task) -> bool:
        """Whether the cancellation that the task just met came from its deadline, and from nothing else."""
        cancelling = self._expired.pop(task, None)
        return cancelling is not None and task.uncancel() <= cancelling

    def close(self) -> None:
        """Take the timer back."""
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, when: float) -> None:
        self.close()
        self._earliest = when
        self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._earliest = float("inf")
        # One pass over all calls in flight, which are some hundreds, once an expiry: a heap would cost every call.
        now = self._loop.time()
        late = [(task, cancelling) for task, (until, cancelling) in self._running.items() if until <= now]
        for task, cancelling in late:
            del self._running[task]
            self._expired[task] = cancelling
            task.cancel()
        if self._running:
            self._set_timer(min(until for until, _ in self._running.values()))
