"""What a file of benchmark results says, whoever wrote it."""

from dataclasses import dataclass
from typing import Literal

Source = Literal["lighteval", "lm-eval", "Inspect", "ralign"]
"""The program whose results they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of one task."""

    task: str
    """As the file names it, without the number of examples."""
    metric: str
    """As the file names it. Inspect: `scorer/metric`; lm-eval: `metric,filter`."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsFile:
    """One file of results."""

    path: str
    source: Source
    model: str | None
    """As the file names it."""
    figures: tuple[Figure, ...]
    partial: str | None
    """Why its figures are not of the whole benchmark, in a few words; None: they are."""
    caveat: str | None = None
    """What its own program says against some of its figures."""
