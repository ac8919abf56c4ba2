"""JSON that others wrote: what can be trusted of it, and nothing more."""

import math
from collections.abc import Mapping
from typing import TypeGuard, cast

Document = Mapping[str, object]


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
    """The objects of a list; without what is none."""
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
