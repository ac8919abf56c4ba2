"""The rows that were left out because they cannot be used, listed for people."""

from collections.abc import Iterator, Sequence

from ralign.errors import BadRow

_LISTED = 20


def list_bad_rows(rows: Sequence[BadRow]) -> Iterator[str]:
    """Lines that say how many there are and name the first of them; none where there are none."""
    if not rows:
        return
    yield f"{len(rows):,} bad {'row' if len(rows) == 1 else 'rows'} left out:"
    yield from (f"  {row}" for row in rows[:_LISTED])
    if len(rows) > _LISTED:
        yield f"  … and {len(rows) - _LISTED:,} more"
