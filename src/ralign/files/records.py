"""One line of a log <-> a record of a model's call: `Judgment`, `MetaJudgment`, an answer, a grade, a reading.

The keys are the record's field names, so a new kind of call needs no code here. Written: every field that is not
None or empty, and always `failure` and the outcome (`verdict`, `aligned`, ...). Read: unknown keys are passed over and
missing ones take the record's defaults, so other people's files need only `pair_id` and either the outcome or `text`.

`scores.jsonl` of a run directory <-> `Score`: one line a judgment that the run owes, written when it ends.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson

from ralign.files.log import read_log, replacing
from ralign.files.pair_rows import (
    Row,
    RowLocation,
    boolean,
    expected,
    identifier,
    optional_boolean,
    optional_choice,
    optional_number,
    optional_string,
    optional_whole_number,
    parse_row,
    shown,
    string,
    whole_number,
)
from ralign.records import FAILURE_REASONS, VERDICTS, Answered, GoldPoint, Judgment, Order, Score, Usage

Record = TypeVar("Record", bound=Answered)
# Compared by identity, which CPython grants the empty tuple: `!=` would call the equality of every value.
_NO_POINTS: tuple[GoldPoint, ...] = ()
_Read = Callable[[Row, str, RowLocation], object]


class Decoded(NamedTuple):
    """A record as read, and whether the row says what came out."""

    record: Any
    has_outcome: bool
    """False where the row has neither the outcome's key nor a failure: the text is still to be parsed."""


def encode(record: Answered) -> bytes:
    """The record as one line, without a newline. On the hot path of a run: one dict, a few microseconds."""
    names, values = _layout(type(record))
    row: Row = {
        name: value
        for name, value in zip(names, values(record), strict=True)
        if value is not None and value is not _NO_POINTS
    }
    row.setdefault(record.OUTCOME, None)
    row.setdefault("failure", None)
    try:
        return orjson.dumps(row)
    except orjson.JSONEncodeError:
        # A model's text may hold half a surrogate pair, which UTF-8 cannot: U+FFFD marks the spot.
        return orjson.dumps({key: _without_surrogates(value) for key, value in row.items()})


def decode(kind: type[Record], data: bytes, location: RowLocation) -> Record:
    """The record in one line of our own log, which must say what came out.

    Raises:
        BadRow: not a JSON object, or see `decode_row`; also where the row has neither an outcome nor a failure.
    """
    # orjson reads most lines three times faster than the standard library, which takes what orjson refuses.
    try:
        parsed: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        # The slower parser takes NaN, and says what is wrong.
        parsed = None
    row = cast(Row, parsed) if isinstance(parsed, dict) else parse_row(data, location)
    record, has_outcome = decode_row(kind, row, location)
    if not has_outcome:
        raise location.bad(f"{kind.OUTCOME} is missing, expected a value or null")
    return record


def decode_row(kind: type[Answered], row: Row, location: RowLocation) -> Decoded:
    """The record in one row of anybody's file, which may leave its outcome to be parsed from the text.

    A null outcome without a failure is a text in which nobody found one: failure `parse`. Where a judgment has no
    `rationale`, the whole text stands for it.

    Raises:
        BadRow: a key of the wrong kind, an outcome beside a failure, or nothing to go by.
    """
    found: dict[str, Any] = {}
    for name, read in _readers(kind):
        value = read(row, name, location)
        if value is not None:
            found[name] = value
    key = kind.OUTCOME
    failure = found.get("failure")
    if found.get(key) is not None and failure is not None and key != "text":
        raise location.bad(
            f"{key} is {shown(row[key])} beside failure {failure!r}, expected only one of them"
        )
    if failure is None and found.get(key) is None:
        # Somebody looked, and found no verdict: that is a failure, and never a wrong answer.
        if key in row:
            found["failure"] = "parse"
        elif "text" not in row:
            raise location.bad(
                f"{key} and text are both missing, expected at least one of them (docs/formats.md)"
            )
    if kind is Judgment and row.get("rationale") is None:
        found["rationale"] = found.get("text", "")
    return Decoded(kind(**found), has_outcome=key in row or failure is not None)


@cache
def _layout(kind: type[Answered]) -> tuple[tuple[str, ...], Callable[[Answered], tuple[object, ...]]]:
    """The fields in the order of a line (what the call is about first), and one C call that reads them all."""
    shared = {field.name for field in fields(Answered)}
    names = sorted((field.name for field in fields(kind)), key=lambda name: name in shared)
    return tuple(names), attrgetter(*names)


# Once a class and not once a line, of which a log may have a million.
@cache
def _readers(kind: type[Answered]) -> tuple[tuple[str, _Read], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (field.name, _reader(hints[field.name], required=field.default is MISSING)) for field in fields(kind)
    )


def _reader(hint: Any, *, required: bool) -> _Read:
    """The check of one field, by its annotation."""
    if get_origin(hint) in (UnionType, Union):
        (hint,) = (argument for argument in get_args(hint) if argument is not type(None))
    if get_origin(hint) is Literal:
        choices: tuple[str, ...] = get_args(hint)
        return partial(_choice, choices=choices, required=required)
    if get_origin(hint) is tuple:
        return _points
    # What a record is about is named by ids, and other people's files may have numbers for them.
    if hint is str and required:
        return identifier
    by_type: dict[object, _Read] = {
        str: optional_string,
        int: optional_whole_number,
        float: optional_number,
        bool: optional_boolean,
        Usage: _usage,
    }
    return by_type[hint]


def _choice(
    row: Row, key: str, location: RowLocation, *, choices: tuple[str, ...], required: bool
) -> str | None:
    # A reading without its version could be about any of them; only what has a default may be left out.
    if required and row.get(key) not in choices:
        raise expected(row, key, ", ".join(map(repr, choices)), location)
    return optional_choice(row, key, choices, location)


def _usage(row: Row, key: str, location: RowLocation) -> Usage | None:
    usage = row.get(key)
    if usage is None:
        return None
    if not isinstance(usage, dict):
        raise expected(row, key, "an object or null", location)
    counts = cast(Row, usage)
    return Usage(
        prompt_tokens=whole_number(counts, "prompt_tokens", location, at="usage."),
        completion_tokens=whole_number(counts, "completion_tokens", location, at="usage."),
        cached_tokens=whole_number(counts, "cached_tokens", location, at="usage."),
    )


def _points(row: Row, key: str, location: RowLocation) -> tuple[GoldPoint, ...]:
    points = row.get(key)
    if points is None:
        return ()
    if not isinstance(points, list):
        raise expected(row, key, "a list of objects with text and stated", location)
    found: list[GoldPoint] = []
    for number, point in enumerate(cast("list[object]", points)):
        at = f"points[{number}]"
        if not isinstance(point, dict):
            raise location.bad(f"{at} is {shown(point)}, expected an object with text and stated")
        parts = cast(Row, point)
        stated = boolean(parts, "stated", location, at=f"{at}.")
        found.append(GoldPoint(text=string(parts, "text", location, at=f"{at}."), stated=stated))
    return tuple(found)


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, tuple):
        points = cast("tuple[GoldPoint, ...]", value)
        return [{"text": _without_surrogates(point.text), "stated": point.stated} for point in points]
    return value


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
        # orjson took 1.4 s off the 8.8 of comparing two runs of 100,000 pairs; `parse_row` says what is wrong.
        try:
            row = orjson.loads(line.data)
        except orjson.JSONDecodeError:
            row = None
        if not isinstance(row, dict):
            row = parse_row(line.data, location)
        # Not 0 where it is missing: all pairs would be one prompt, and every interval as wide as that.
        if row.get("prompt") is None:
            raise expected(row, "prompt", "a whole number", location)
        yield Score(
            pair_id=identifier(row, "pair_id", location),
            benchmark=optional_string(row, "benchmark", location) or "",
            subset=optional_string(row, "subset", location),
            prompt=whole_number(row, "prompt", location),
            order=optional_choice(row, "order", _ORDERS, location) or "ab",
            draw=whole_number(row, "draw", location),
            label=optional_choice(row, "label", VERDICTS, location),
            answered=boolean(row, "answered", location),
            verdict=optional_choice(row, "verdict", VERDICTS, location),
            failure_reason=optional_choice(row, "failure_reason", FAILURE_REASONS, location),
            aligned=optional_boolean(row, "aligned", location),
            meta_failed=boolean(row, "meta_failed", location),
        )
