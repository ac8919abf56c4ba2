"""`Judgment` and `MetaJudgment` <-> one line of a run directory's logs, or of judgments recorded elsewhere.

The keys are the records' field names. Written: every field but those that are None or without points;
`verdict`, `aligned` and `failure` always. Read: unknown keys are passed over and missing ones take the
record's defaults, so other people's files need only `pair_id` and either `verdict` (`aligned`) or `text`.

Encoding is on the hot path of a run: orjson, one dict, a few microseconds.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

import orjson

from ralign.files.rows import (
    Row,
    RowLocation,
    expected,
    identifier,
    optional_choice,
    optional_string,
    parse_row,
    shown,
    string,
    whole_number,
)
from ralign.records import Failure, GoldPoint, Judgment, MetaJudgment, Order, Usage, Verdict

_VERDICTS: tuple[Verdict, ...] = ("A", "B")
_ORDERS: tuple[Order, ...] = ("ab", "ba")
_FAILURES: tuple[Failure, ...] = ("call", "parse")


class JudgmentRow(NamedTuple):
    """A judgment as read, and whether the row says what the verdict is."""

    judgment: Judgment
    has_verdict: bool
    """False where the row has neither a `verdict` key nor a failure: the text is still to be parsed."""


class MetaJudgmentRow(NamedTuple):
    """A meta-judgment as read, and whether the row says what came out."""

    meta_judgment: MetaJudgment
    has_aligned: bool
    """False where the row has neither an `aligned` key nor a failure: the text is still to be parsed."""


def encode_judgment(judgment: Judgment) -> bytes:
    """The judgment as one line, without a newline."""
    row: Row = {
        "pair_id": judgment.pair_id,
        "benchmark": judgment.benchmark,
        "order": judgment.order,
        "draw": judgment.draw,
        "text": judgment.text,
        "rationale": judgment.rationale,
        "verdict": judgment.verdict,
        "failure": judgment.failure,
    }
    _add_call(row, judgment)
    return _dumps(row)


def encode_meta_judgment(meta_judgment: MetaJudgment) -> bytes:
    """The meta-judgment as one line, without a newline."""
    row: Row = {
        "pair_id": meta_judgment.pair_id,
        "benchmark": meta_judgment.benchmark,
        "order": meta_judgment.order,
        "draw": meta_judgment.draw,
        "vote": meta_judgment.vote,
        "aligned": meta_judgment.aligned,
        "text": meta_judgment.text,
        "failure": meta_judgment.failure,
    }
    if meta_judgment.points:
        row["points"] = meta_judgment.points
    _add_call(row, meta_judgment)
    return _dumps(row)


def decode_judgment(data: bytes, path: str, line: int) -> Judgment:
    """The judgment in one line that must say its verdict: a line of a run directory.

    Raises:
        BadRow: see `decode_judgment_row`; also where the row has neither a verdict nor a failure.
    """
    judgment, has_verdict = decode_judgment_row(data, path, line)
    if not has_verdict:
        raise RowLocation(path, line).bad("verdict is missing, expected 'A', 'B' or null")
    return judgment


def decode_judgment_row(data: bytes, path: str, line: int) -> JudgmentRow:
    """The judgment in one line, which may leave its verdict to be parsed from the text.

    A null verdict without a failure is a text in which nobody found one: failure `parse`. Where the row has
    no `rationale`, the whole text stands for it.

    Raises:
        BadRow: not a JSON object, a key of the wrong kind, a verdict beside a failure, or nothing to go by.
    """
    place = RowLocation(path, line)
    row = _loads(data, place)
    verdict = optional_choice(row, "verdict", _VERDICTS, place)
    failure = _failure(row, "verdict", verdict, place)
    text = optional_string(row, "text", place) or ""
    rationale = optional_string(row, "rationale", place)
    judgment = Judgment(
        pair_id=identifier(row, "pair_id", place),
        benchmark=optional_string(row, "benchmark", place) or "",
        order=optional_choice(row, "order", _ORDERS, place) or "ab",
        draw=whole_number(row, "draw", place),
        text=text,
        thinking=optional_string(row, "thinking", place),
        rationale=text if rationale is None else rationale,
        verdict=verdict,
        failure=failure,
        detail=optional_string(row, "detail", place),
        model=optional_string(row, "model", place),
        finish_reason=optional_string(row, "finish_reason", place),
        usage=_usage(row, place),
    )
    return JudgmentRow(judgment, has_verdict="verdict" in row or failure is not None)


def decode_meta_judgment(data: bytes, path: str, line: int) -> MetaJudgment:
    """The meta-judgment in one line that must say what came out: a line of a run directory.

    Raises:
        BadRow: see `decode_meta_judgment_row`; also where the row has neither `aligned` nor a failure.
    """
    meta_judgment, has_aligned = decode_meta_judgment_row(data, path, line)
    if not has_aligned:
        raise RowLocation(path, line).bad("aligned is missing, expected true, false or null")
    return meta_judgment


def decode_meta_judgment_row(data: bytes, path: str, line: int) -> MetaJudgmentRow:
    """The meta-judgment in one line, which may leave its outcome to be parsed from the text.

    A null `aligned` without a failure is failure `parse`.

    Raises:
        BadRow: not a JSON object, a key of the wrong kind, an outcome beside a failure, or nothing to go by.
    """
    place = RowLocation(path, line)
    row = _loads(data, place)
    aligned = row.get("aligned")
    if aligned is not None and not isinstance(aligned, bool):
        raise expected(row, "aligned", "true, false or null", place)
    failure = _failure(row, "aligned", aligned, place)
    meta_judgment = MetaJudgment(
        pair_id=identifier(row, "pair_id", place),
        benchmark=optional_string(row, "benchmark", place) or "",
        order=optional_choice(row, "order", _ORDERS, place) or "ab",
        draw=whole_number(row, "draw", place),
        vote=whole_number(row, "vote", place),
        aligned=aligned,
        points=_points(row, place),
        text=optional_string(row, "text", place) or "",
        thinking=optional_string(row, "thinking", place),
        failure=failure,
        detail=optional_string(row, "detail", place),
        model=optional_string(row, "model", place),
        finish_reason=optional_string(row, "finish_reason", place),
        usage=_usage(row, place),
    )
    return MetaJudgmentRow(meta_judgment, has_aligned="aligned" in row or failure is not None)


def _add_call(row: Row, record: Judgment | MetaJudgment) -> None:
    """The fields both records have that are left out where they are None."""
    if record.thinking is not None:
        row["thinking"] = record.thinking
    if record.detail is not None:
        row["detail"] = record.detail
    if record.model is not None:
        row["model"] = record.model
    if record.finish_reason is not None:
        row["finish_reason"] = record.finish_reason
    if record.usage is not None:
        row["usage"] = record.usage


def _dumps(row: Row) -> bytes:
    try:
        return orjson.dumps(row)
    except orjson.JSONEncodeError:
        # A model's text may hold half a surrogate pair, which UTF-8 cannot: U+FFFD marks the spot.
        return orjson.dumps({key: _whole_characters(value) for key, value in row.items()})


def _whole_characters(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, tuple):
        points = cast("tuple[GoldPoint, ...]", value)
        return [{"text": _whole_characters(point.text), "stated": point.stated} for point in points]
    return value


def _loads(data: bytes, place: RowLocation) -> Row:
    try:
        row: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        return parse_row(data, place)  # slower; takes NaN, and says what is wrong
    return cast(Row, row) if isinstance(row, dict) else parse_row(data, place)


def _failure(row: Mapping[str, object], key: str, outcome: object, place: RowLocation) -> Failure | None:
    failure = optional_choice(row, "failure", _FAILURES, place)
    if outcome is not None:
        if failure is not None:
            raise place.bad(
                f"{key} is {shown(outcome)} beside failure {failure!r}, expected only one of them"
            )
        return None
    if failure is None and key in row:
        return "parse"
    if failure is None and "text" not in row:
        raise place.bad(f"{key} and text are both missing, expected at least one of them")
    return failure


def _usage(row: Row, place: RowLocation) -> Usage | None:
    usage = row.get("usage")
    if usage is None:
        return None
    if not isinstance(usage, dict):
        raise expected(row, "usage", "an object or null", place)
    counts = cast(Row, usage)
    return Usage(
        prompt_tokens=whole_number(counts, "prompt_tokens", place, at="usage."),
        completion_tokens=whole_number(counts, "completion_tokens", place, at="usage."),
    )


def _points(row: Row, place: RowLocation) -> tuple[GoldPoint, ...]:
    points = row.get("points")
    if points is None:
        return ()
    if not isinstance(points, list):
        raise expected(row, "points", "a list of objects with text and stated", place)
    return tuple(
        _point(point, f"points[{number}]", place) for number, point in enumerate(cast("list[object]", points))
    )


def _point(point: object, at: str, place: RowLocation) -> GoldPoint:
    if not isinstance(point, dict):
        raise place.bad(f"{at} is {shown(point)}, expected an object with text and stated")
    fields = cast(Row, point)
    stated = fields.get("stated")
    if not isinstance(stated, bool):
        raise expected(fields, "stated", "true or false", place, at=f"{at}.")
    return GoldPoint(text=string(fields, "text", place, at=f"{at}."), stated=stated)
