"""Retry policy of a call: how long it is tried, and how long it waits between tries. Times are in seconds."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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
