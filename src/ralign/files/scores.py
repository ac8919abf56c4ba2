"""`scores.jsonl` of a run directory <-> `Score`: one line a judgment that the run owes, written when it ends."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from ralign.files.atomic import replacing
from ralign.files.log import read_log
from ralign.files.rows import (
    RowLocation,
    boolean,
    expected,
    identifier,
    optional_boolean,
    optional_choice,
    optional_string,
    parse_row,
    whole_number,
)
from ralign.records import Order, Score, Verdict

_VERDICTS: tuple[Verdict, ...] = ("A", "B")
_ORDERS: tuple[Order, ...] = ("ab", "ba")


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """Write the scores; the file is there complete or not at all. Raises as `replacing` does."""
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
        location = RowLocation(str(path), line.number)
        row = parse_row(line.data, location)
        label = optional_choice(row, "label", _VERDICTS, location)
        if label is None:
            raise expected(row, "label", "'A' or 'B'", location)
        yield Score(
            pair_id=identifier(row, "pair_id", location),
            benchmark=optional_string(row, "benchmark", location) or "",
            subset=optional_string(row, "subset", location),
            order=optional_choice(row, "order", _ORDERS, location) or "ab",
            draw=whole_number(row, "draw", location),
            label=label,
            answered=boolean(row, "answered", location),
            verdict=optional_choice(row, "verdict", _VERDICTS, location),
            aligned=optional_boolean(row, "aligned", location),
            meta_failed=boolean(row, "meta_failed", location),
        )
