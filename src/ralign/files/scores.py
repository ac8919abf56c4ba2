"""`scores.jsonl` of a run directory <-> `Score`: one line a judgment that the run owes, written when it ends."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import orjson

from ralign.files.atomic import replacing
from ralign.files.log import read_log
from ralign.files.rows import (
    RowLocation,
    expected,
    identifier,
    optional_choice,
    optional_string,
    parse_row,
    whole_number,
)
from ralign.records import Order, Score, Verdict

_VERDICTS: tuple[Verdict, ...] = ("A", "B")
_ORDERS: tuple[Order, ...] = ("ab", "ba")


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """Write the scores; the file is there whole or not at all.

    Raises:
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    with replacing(path) as file:
        for score in scores:
            file.write(orjson.dumps(score, option=orjson.OPT_APPEND_NEWLINE))


def read_scores(path: Path) -> Iterator[Score]:
    """Read the scores one by one.

    Raises:
        InputError: the file cannot be read.
        BadRow: a line that is not a score.
    """
    for line in read_log(path):
        place = RowLocation(str(path), line.number)
        # orjson took 1.4 s off the 8.8 of comparing two runs of 100,000 pairs; `parse_row` says what is wrong.
        try:
            row = orjson.loads(line.data)
        except orjson.JSONDecodeError:
            row = None
        if not isinstance(row, dict):
            row = parse_row(line.data, place)
        label = optional_choice(row, "label", _VERDICTS, place)
        if label is None:
            raise expected(row, "label", "'A' or 'B'", place)
        if not isinstance(row.get("answered"), bool):
            raise expected(row, "answered", "true or false", place)
        if not isinstance(row.get("meta_failed"), bool):
            raise expected(row, "meta_failed", "true or false", place)
        if row.get("aligned") is not None and not isinstance(row["aligned"], bool):
            raise expected(row, "aligned", "true, false or null", place)
        yield Score(
            pair_id=identifier(row, "pair_id", place),
            benchmark=optional_string(row, "benchmark", place) or "",
            subset=optional_string(row, "subset", place),
            prompt=whole_number(row, "prompt", place),
            order=optional_choice(row, "order", _ORDERS, place) or "ab",
            draw=whole_number(row, "draw", place),
            label=label,
            answered=cast(bool, row["answered"]),
            verdict=optional_choice(row, "verdict", _VERDICTS, place),
            aligned=cast("bool | None", row.get("aligned")),
            meta_failed=cast(bool, row["meta_failed"]),
        )
