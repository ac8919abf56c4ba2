"""Rows of people's labels, from JSONL, Parquet or CSV: which judgment each is about, and what a cell says of it.

A row names its judgment as `meta_judgments.jsonl` does: `pair_id` (or `id`), `benchmark`, `order`, `draw`. A cell that
says whether the rationale is aligned holds true or false, `yes` or `no`, or words that a meta-judge would end with.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import orjson

from ralign.files import RowLocation, find_pairs_files, read_rows, read_table
from ralign.files.pair_rows import Row, identifier, optional_choice, optional_string, whole_number
from ralign.metajudging import parse_meta_judgment
from ralign.records import Order

_ORDERS: tuple[Order, ...] = ("ab", "ba")
# Spreadsheets turn true into TRUE, people write yes.
_WORDS = {
    "true": True,
    "yes": True,
    "1": True,
    "aligned": True,
    "false": False,
    "no": False,
    "0": False,
    "misaligned": False,
}


class JudgmentKey(NamedTuple):
    """Names a judgment. The benchmark is empty where a file names none: then the id has to do."""

    benchmark: str
    pair_id: str
    order: Order
    draw: int


def hashed(key: JudgmentKey) -> bytes:
    """A hash to draw judgments by: which are drawn depends on their names alone."""
    return blake2b(orjson.dumps([*key]), digest_size=16).digest()


def read_label_rows(sources: Sequence[str]) -> Iterator[tuple[RowLocation, Row]]:
    """Read rows one by one; an empty cell of a CSV file is a missing key.

    Raises:
        InputError: a source that means no file, or one that cannot be read.
        BadRow: a row that cannot be read.
    """
    for source in sources:
        if not source.lower().endswith(".csv"):
            yield from read_rows(find_pairs_files([source]))
            continue
        table = read_table(Path(source))
        for at, line in enumerate(table.lines):
            row: Row = {name: cells[at] for name, cells in table.columns.items() if cells[at]}
            # A CSV cell is text; the draw is the one key that is a number.
            if str(row.get("draw", "")).isdecimal():
                row["draw"] = int(str(row["draw"]))
            yield RowLocation(source, line), row


def read_key(row: Row, location: RowLocation) -> JudgmentKey:
    """Which judgment a row is about.

    Raises:
        BadRow: a key of the wrong kind, or no id.
    """
    return JudgmentKey(
        optional_string(row, "benchmark", location) or "",
        identifier(row, "pair_id" if "pair_id" in row else "id", location),
        optional_choice(row, "order", _ORDERS, location) or "ab",
        whole_number(row, "draw", location),
    )


def read_decision(value: object) -> bool | None:
    """Whether a cell says aligned; None where it is empty.

    Raises:
        ValueError: it says neither.
    """
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip()
    if not text:
        return None
    found = _WORDS.get(text.lower())
    found = parse_meta_judgment(text).aligned if found is None else found
    if found is None:
        raise ValueError(f"{text[-60:]!r} says neither aligned nor misaligned")
    return found


def same_rationale(one: str, two: str) -> bool:
    """Whether two texts are one rationale: spreadsheets strip cells and change the ends of lines."""
    return one.split() == two.split()
