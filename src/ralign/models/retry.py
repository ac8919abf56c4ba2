"""Retry policy of a call: how long it is tried, and how long it waits between tries. Times are in seconds.

Timeouts for many calls in flight, with one timer between them.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ralign.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The limits of one call to an endpoint."""

    deadline: float = 1800.0
    """For the whole call: every try and every wait. It starts when the call gets its slot."""
    try_timeout: float = 900.0
    """For one try. A judge that thinks for 16,000 tokens may well take ten minutes."""
    connect_timeout: float = 10.0
    """For opening one connection."""
    max_tries: int = 6
    """Of tries that went wrong on the way (5xx, a broken connection, a malformed reply, a timeout). Where the
    endpoint asks to wait (429, 503, 529) or cannot be reached, the deadline alone is the limit."""
    unreachable_after: float = 10.0
    """How long an endpoint that has never answered anything is tried before the run is stopped."""
    unanswered_after: float = 60.0
    """How long an endpoint that answers, and has never given a reply, is tried before the run is stopped."""
    first_wait: float = 0.5
    """The most to wait before the second try; doubled for each one after."""
    longest_wait: float = 30.0
    """The most that doubling leads to. `Retry-After` may ask for more."""
    failures_in_a_row: int = 20
    """So many calls failed for good, one after the other, stop the run."""

    def __post_init__(self) -> None:
        for name in ("deadline", "try_timeout", "connect_timeout", "max_tries", "failures_in_a_row"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}, expected more than 0")

    def wait(self, failed_tries: int, retry_after: float | None, jitter: random.Random) -> float:
        """Seconds until the next try: exponential backoff with full jitter, never less than `retry_after`.

        Full jitter (uniform between 0 and the backoff) spreads the calls that failed together; on top of
        `retry_after` it keeps them from all coming back in the same instant.
        """
        backoff = jitter.uniform(0, min(self.longest_wait, self.first_wait * 2 ** min(failed_tries - 1, 16)))
        return backoff if retry_after is None else retry_after + min(backoff, 1.0)


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that an answer asks to wait: `retry-after-ms`, or `Retry-After` as seconds or as an HTTP date.

    None where it asks for nothing that can be read. `headers` must not care for the case of names.
    """
    # OpenAI's own header comes first: it is finer than the standard's whole seconds.
    for name, unit in (("retry-after-ms", 1000), ("Retry-After", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        then = parsedate_to_datetime(headers.get("Retry-After", ""))
    except ValueError:
        return None
    # An HTTP date is in GMT; one that says `-0000` comes back without a zone.
    then = then.replace(tzinfo=UTC) if then.tzinfo is None else then
    return max(0.0, (then - now).total_seconds())


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
