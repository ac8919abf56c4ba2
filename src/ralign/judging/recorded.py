"""Judgments that were recorded elsewhere, as a judge: a file of rows in, the judgment of each pair out.

A row is what a run directory's `judgments.jsonl` holds (docs/formats.md); `pair_id` and either `verdict` or `text` are
enough. Where a row has a `verdict` it is taken, otherwise the text is parsed as a judge's answer would be.
"""

import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from ralign.errors import BadRow, InputError
from ralign.files import RowLocation, decode, decode_row, encode, find_pairs_files, read_line_at, read_rows
from ralign.judging.judge import in_pair_letters
from ralign.judging.parse import parse_verdict
from ralign.judging.verdicts import BOXED, VerdictFormat
from ralign.records import Judgment, MetaJudgment, Order, PreferencePair
from ralign.thinking import split_thinking

RecordedLetters = Literal["file", "shown"]

NOT_RECORDED = "not recorded"
"""The detail of a record that the file does not have."""

Record = TypeVar("Record", Judgment, MetaJudgment)
Read = Callable[[Record], dict[str, Any]]
"""The fields that a text gives, for rows without an outcome; gets a record whose text is the answer alone."""


class RecordedAnswers(Generic[Record]):
    """A file of records, each found again by what its call was about.

    Args:
        path: the file: JSONL (also gzipped) or Parquet.
        kind: the class of its records.
        key: the names of the fields that tell calls apart, besides the benchmark: the pair, the order, the draw first.
        read: parses a text.
        stated: turns a record whose row states its outcome into ours.
        skip_bad_rows: None raises the first row that cannot be used. A list takes them all, and reading goes on.

    Raises:
        InputError: the file is missing, cannot be read, or has no row that can be used.
        BadRow: a row cannot be used, where `skip_bad_rows` is None.
    """

    def __init__(
        self,
        path: Path,
        kind: type[Record],
        key: tuple[str, ...],
        read: Read[Record],
        *,
        stated: Callable[[Record], Record] | None = None,
        skip_bad_rows: list[BadRow] | None = None,
    ) -> None:
        self.path = path
        self._kind = kind
        self._key = key
        # On disk and not in memory, which a file of long texts may exceed; a copy, because rows of Parquet and of gzip
        # cannot be read one by one. Unnamed: it is gone with the process.
        self._copy = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as this object is)
        weakref.finalize(self, self._copy.close)
        self._offsets: dict[tuple[Any, ...], int] = {}
        self._rows = self._repeated = 0
        for location, row in read_rows(find_pairs_files([str(path)]), skip_bad_rows=skip_bad_rows):
            self._rows += 1
            try:
                record, has_outcome = decode_row(kind, row, location)
            except BadRow as bad_row:
                if skip_bad_rows is None:
                    raise
                skip_bad_rows.append(bad_row)
                continue
            if has_outcome:
                record = stated(record) if stated else record
            else:
                # Other people's files have the thinking inside the text; a field of its own is kept where they do not.
                thinking, answer = split_thinking(record.text)
                thinking = record.thinking if thinking is None else thinking
                record = replace(record, text=answer, thinking=thinking)
                record = replace(record, **read(record))
            about = (record.benchmark, *(getattr(record, name) for name in key))
            # Of rows with the same key the last one counts, as in our own logs.
            self._repeated += about in self._offsets
            self._offsets[about] = self._copy.tell()
            self._copy.write(encode(record) + b"\n")
        if not self._offsets:
            raise InputError(
                f"{path}: no row that can be used, expected {kind.__name__} rows (docs/formats.md)"
            )
        self._bad_rows = skip_bad_rows or []

    def find(self, benchmark: str, *about: object) -> Record:
        """Look a record up; one that the file does not have is a failed call.

        A row that names the benchmark is preferred to one that names none.
        """
        offset = self._offsets.get((benchmark, *about), self._offsets.get(("", *about)))
        if offset is None:
            named: dict[str, Any] = dict(zip(self._key, about, strict=True))
            return self._kind(benchmark=benchmark, failure="call", detail=NOT_RECORDED, **named)
        record = decode(self._kind, read_line_at(self._copy, offset), RowLocation(str(self.path), 0))
        return replace(record, benchmark=benchmark)

    def use(
        self, rows: Mapping[tuple[str, str], int], orders: Sequence[Order], draws: int, votes: int = 1
    ) -> dict[str, int]:
        """How many rows a run can use, and why it cannot use the others.

        Args:
            rows: (benchmark, id) of each pair of the run -> its row, below 0 where its limit leaves it out.
            orders: that are measured.
            draws: that are measured.
            votes: that are measured.

        Raises:
            InputError: none of the file's rows is about a pair of the run.
        """
        without_benchmark: dict[str, int] = {}
        for (_, name), row in rows.items():
            without_benchmark[name] = max(row, without_benchmark.get(name, -1))
        counts: Counter[str] = Counter()
        for benchmark, name, order, draw, *vote in self._offsets:
            row = rows.get((benchmark, name)) if benchmark else without_benchmark.get(name)
            if row is None:
                why = "unknown_pair"
            elif row < 0:
                why = "beyond_limit"
            elif order not in orders:
                why = "other_order"
            elif draw >= draws or any(which >= votes for which in vote):
                why = "other_draw"
            else:
                why = "used"
            counts[why] += 1
        if counts["unknown_pair"] == len(self._offsets):
            benchmark, name, *_ = next(iter(self._offsets))
            ours = next(iter(rows))
            raise InputError(
                f"{self.path}: none of its {self._rows:,} rows is about a pair of this run: its first is about "
                f"{name!r}{f' of {benchmark!r}' if benchmark else ''}, the first pair is {ours[1]!r} of "
                f"{ours[0]!r} (docs/formats.md)"
            )
        counts.update(rows=self._rows, duplicate=self._repeated, unreadable=len(self._bad_rows))
        reasons = (
            "used",
            "unknown_pair",
            "beyond_limit",
            "other_order",
            "other_draw",
            "duplicate",
            "unreadable",
        )
        return {name: counts[name] for name in ("rows", *reasons)}


class RecordedJudge:
    """A file of judgments; raises as `RecordedAnswers` does.

    Args:
        path: the file.
        written_in: the format that a text's verdict is found in.
        letters: of the verdicts that the file states: those of the pairs file, or those shown, which mean the other
            answer in order `ba`. Verdicts inside a text are in the letters shown anyway.
        skip_bad_rows: see `RecordedAnswers`.
    """

    def __init__(
        self,
        path: Path,
        written_in: VerdictFormat = BOXED,
        *,
        letters: RecordedLetters = "file",
        skip_bad_rows: list[BadRow] | None = None,
    ) -> None:
        self.answers = RecordedAnswers(
            path,
            Judgment,
            ("pair_id", "order", "draw"),
            partial(_read, written_in=written_in),
            stated=_in_pair_letters if letters == "shown" else None,
            skip_bad_rows=skip_bad_rows,
        )

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """The recorded judgment; see `RecordedAnswers.find`."""
        return self.answers.find(pair.benchmark, pair.id, order, draw)


def _in_pair_letters(judgment: Judgment) -> Judgment:
    if judgment.verdict is None:
        return judgment
    return replace(judgment, verdict=in_pair_letters(judgment.verdict, judgment.order))


def _read(judgment: Judgment, *, written_in: VerdictFormat) -> dict[str, Any]:
    rationale, verdict, problem, reason, much = parse_verdict(
        judgment.text, judgment.finish_reason, written_in
    )
    return {
        "rationale": rationale,
        # The text's letters are those of the order shown.
        "verdict": in_pair_letters(verdict, judgment.order) if verdict else None,
        "much": much or None,
        "failure": "parse" if problem else None,
        "failure_reason": reason,
        "detail": problem,
    }
