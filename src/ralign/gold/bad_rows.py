"""The rows that were left out because they cannot be used, listed for people."""

from collections.abc import Sequence

from rich.console import Console

from ralign.errors import BadRow

_SHOWN = 20


def show_bad_rows(rows: Sequence[BadRow], console: Console) -> None:
    """List the first of them, and how many there are."""
    if not rows:
        return
    console.print(f"{len(rows):,} bad rows left out:", style="yellow")
    for row in rows[:_SHOWN]:
        console.print(f"  {row}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if len(rows) > _SHOWN:
        console.print(f"  … and {len(rows) - _SHOWN:,} more", style="yellow")
