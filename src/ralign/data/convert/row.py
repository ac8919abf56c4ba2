"""What all readers take from a row besides conversation, answers and label. Pure."""

import base64
from collections.abc import Collection
from typing import cast

from ralign.files.pair_rows import KNOWN_COLUMNS, Row


def columns_besides(row: Row, taken: Collection[str | None]) -> Row:
    """The columns that are not taken, under names that the interchange format does not use itself."""
    return {
        f"original_{key}" if key in KNOWN_COLUMNS else key: _json_value(value)
        for key, value in row.items()
        if key not in taken
    }


def prompt_columns(prompt: str) -> tuple[str, ...]:
    """The columns of which a conversation is made, where its prompt is in `prompt`."""
    return (prompt, "system", *(("input",) if prompt == "instruction" else ()))


def subset_of(row: Row, column: str | None) -> str | None:
    """Subset of the pair within its benchmark; None where the row does not say."""
    value = None if column is None else row.get(column)
    return None if value is None or value == "" else str(value)


def _json_value(value: object) -> object:
    """The value as JSON can hold it: a date of a Parquet or Arrow file as ISO text, bytes as base64."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {key: _json_value(inner) for key, inner in cast(Row, value).items()}
    if isinstance(value, list | tuple):
        return [_json_value(inner) for inner in cast("list[object]", value)]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
