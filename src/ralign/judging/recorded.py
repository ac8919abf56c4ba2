"""Judgments that were recorded elsewhere, as a judge: a file of rows in, the judgment of each pair out.

A row is what a run directory's `judgments.jsonl` holds; `pair_id` and either `verdict` or `text` are enough. Where a
row has a `verdict` it is taken, otherwise the text is parsed as a judge's answer would be.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from ralign.errors import InputError
from ralign.files import RowLocation, decode_row, read_line_at, read_log
from ralign.judging.judge import in_pair_letters
from ralign.judging.parse import parse_verdict
from ralign.records import Judgment, MetaJudgment, Order, PreferencePair
from ralign.thinking import split_thinking

NOT_RECORDED = "not recorded"
"""The detail of a record that the file does not have."""

Record = TypeVar("Record", Judgment, MetaJudgment)


class RecordedAnswers(Generic[Record]):
    """A file of records, each found again by what its call was about.

    Args:
        path: the file.
        kind: the class of its records.
        key: the names of the fields that tell calls apart, besides the benchmark.
        parse: the fields that a text gives, for rows without an outcome; gets a record whose text is the answer alone.

    Raises:
        InputError: the file is missing or cannot be read.
        BadRow: a row cannot be used.
    """

    def __init__(
        self, path: Path, kind: type[Record], key: tuple[str, ...], parse: Callable[[Record], dict[str, Any]]
    ) -> None:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        self._path = path
        self._kind = kind
        self._key = key
        self._parse = parse
        # Where each row lies and not what it says: a file of long texts may be larger than memory. Of rows with the
        # same key the last one counts, as in our own logs.
        self._locations: dict[tuple[object, ...], tuple[int, int]] = {}
        for line in read_log(path):
            row, _ = decode_row(kind, line.data, RowLocation(str(path), line.number))
            about = (row.benchmark, *(getattr(row, name) for name in key))
            self._locations[about] = line.offset, line.number

    def find(self, benchmark: str, *about: object) -> Record:
        """Look a record up; one that the file does not have is a failed call.

        A row that names the benchmark is preferred to one that names none.
        """
        location = self._locations.get((benchmark, *about)) or self._locations.get(("", *about))
        if location is None:
            named: dict[str, Any] = dict(zip(self._key, about, strict=True))
            return self._kind(benchmark=benchmark, failure="call", detail=NOT_RECORDED, **named)
        offset, number = location
        with self._path.open("rb") as file:
            data = read_line_at(file, offset)
        record, has_outcome = decode_row(self._kind, data, RowLocation(str(self._path), number))
        record = replace(record, benchmark=benchmark)
        if has_outcome:
            return record
        # Other people's files have the thinking inside the text; a field of its own is kept where they do not.
        thinking, answer = split_thinking(record.text)
        record = replace(record, text=answer, thinking=record.thinking if thinking is None else thinking)
        return replace(record, **self._parse(record))


class RecordedJudge:
    """A file of judgments; raises as `RecordedAnswers` does."""

    def __init__(self, path: Path) -> None:
        self._answers = RecordedAnswers(path, Judgment, ("pair_id", "order", "draw"), _parsed)

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """The recorded judgment; see `RecordedAnswers.find`."""
        return self._answers.find(pair.benchmark, pair.id, order, draw)


def _parsed(judgment: Judgment) -> dict[str, Any]:
    rationale, verdict, problem = parse_verdict(judgment.text, judgment.finish_reason)
    return {
        "rationale": rationale,
        # The text's letters are those of the order shown.
        "verdict": in_pair_letters(verdict, judgment.order) if verdict else None,
        "failure": "parse" if problem else None,
        "detail": problem,
    }
