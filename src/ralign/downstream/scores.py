"""Scores of benchmark results, whoever wrote the file, and safe access to the JSON they are in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard, cast

Document = Mapping[str, object]

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


# Other programs' files change with their versions: an absent key or another type is "not there", never a crash.
def is_document(value: object) -> TypeGuard[Document]:
    """Whether it is an object; the keys of JSON objects are texts."""
    return isinstance(value, Mapping)


def object_at(document: Document, *keys: str) -> Document:
    """The object at the end of a path of keys; an empty one where there is none."""
    value: object = document
    for key in keys:
        value = value.get(key) if is_document(value) else None
    return value if is_document(value) else {}


def objects_at(document: Document, key: str) -> list[Document]:
    """The objects of a list; items of another type are left out."""
    value = document.get(key)
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [item for item in items if is_document(item)]


def text_at(document: Document, key: str) -> str | None:
    """The text at a key; None where there is none, or a blank one."""
    value = document.get(key)
    return value if isinstance(value, str) and value.strip() else None


def finite(value: object) -> float | None:
    """The number, where it is one: no truth value, no NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
