"""Columns of a CSV of figures -> how each measure goes with the result.

Comes in: a CSV file, one row a judge, and the names of its columns. Goes out: one panel a measure, which the table,
the figure and the JSON of `ralign correlate` all show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ralign.errors import InputError
from ralign.files import read_table
from ralign.metrics.correlation import Correlation, correlate


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One measure against one result."""

    x_name: str
    y_name: str
    models: Sequence[str]
    """What each point is called."""
    x: Sequence[float]
    y: Sequence[float]
    correlation: Correlation


def correlate_columns(
    path: Path, x_names: Sequence[str], y_name: str, *, seed: int = 0, resamples: int = 10_000
) -> list[Panel]:
    """Correlate each x column with the y column, over the rows.

    Raises:
        InputError: a missing column, a cell that is no number, or a column that cannot be correlated.
    """
    table = read_table(path)
    y = table.numbers(y_name)
    panels: list[Panel] = []
    for x_name in x_names:
        x = table.numbers(x_name)
        try:
            # The same seed for each: the measures are compared on the same resamples of judges.
            correlation = correlate(x, y, rng=np.random.default_rng(seed), resamples=resamples)
        except ValueError as error:
            raise InputError(f"{path}: {x_name} (x) against {y_name} (y): {error}") from None
        panels.append(
            Panel(x_name=x_name, y_name=y_name, models=table.labels(), x=x, y=y, correlation=correlation)
        )
    return panels
