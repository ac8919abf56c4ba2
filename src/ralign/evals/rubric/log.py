"""`grades.jsonl`: one line a grade. In memory there are the numbers; the texts stay on disk."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from ralign.errors import InputError
from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.judge import Grade
from ralign.files import AppendLog, read_log
from ralign.files.rows import Row, RowLocation, expected, identifier, parse_row, whole_number
from ralign.records import Usage


class GradeLog:
    """The grades of a run. Reading needs nothing; writing needs the lock of its directory, and the context."""

    def __init__(self, path: Path, items: Sequence[RubricItem]) -> None:
        """Find what is recorded; a torn last line and calls that failed are not.

        Raises:
            BadRow: a line other than the last cannot be read.
            InputError: a line is about an item that the run does not have.
        """
        self.path = path
        self.usage = Usage()
        """Tokens of every recorded call, whichever session paid them."""
        self.call_failures = 0
        """Calls of this session that failed for good."""
        self._values: dict[str, dict[int, float | None]] = {item.id: {} for item in items}
        self._scores: dict[str, int] = {}
        self._log: AppendLog | None = None
        for line in read_log(path, skip_torn=True):
            place = RowLocation(str(path), line.number)
            grade = _grade(parse_row(line.data, place), place)
            if grade.item_id not in self._values:
                raise InputError(f"{place}: item {grade.item_id!r} is not in the items' files")
            self._note(grade)

    def __enter__(self) -> Self:
        self._log = AppendLog(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._log is not None:
            self._log.close()

    def append(self, grade: Grade) -> None:
        """Append a grade; it is on disk, whole, when this returns."""
        assert self._log is not None, "the context comes first"
        self._log.append(orjson.dumps(grade))
        self.call_failures += grade.failure == "call"
        self._note(grade)

    def values(self, item: RubricItem) -> list[float | None]:
        """What is recorded of an item, criterion by criterion; None: the judge's answer could not be read.

        Shorter than the criteria where some are owed.
        """
        recorded = self._values[item.id]
        return [recorded[criterion] for criterion in range(len(item.criteria)) if criterion in recorded]

    def score(self, item: RubricItem) -> int | None:
        """The score of an item graded by a rubric."""
        return self._scores.get(item.id)

    def owed(self, item: RubricItem) -> list[int]:
        """The criteria that have no answer. An item without an answer fails unasked."""
        recorded = self._values[item.id]
        return [each for each in range(len(item.criteria)) if item.answer and each not in recorded]

    def _note(self, grade: Grade) -> None:
        if grade.usage is not None:
            self.usage = Usage(
                prompt_tokens=self.usage.prompt_tokens + grade.usage.prompt_tokens,
                completion_tokens=self.usage.completion_tokens + grade.usage.completion_tokens,
            )
        if grade.failure != "call":  # nothing was answered: it is owed again
            self._values[grade.item_id][grade.criterion] = grade.value
            if grade.score is not None:
                self._scores[grade.item_id] = grade.score


def _grade(row: Row, place: RowLocation) -> Grade:
    """A line without its texts."""
    value, score, failure, usage = (row.get(key) for key in ("value", "score", "failure", "usage"))
    if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
        raise expected(row, "value", "a number from 0 to 1, or null", place)
    if failure not in (None, "call", "parse"):
        raise expected(row, "failure", "'call', 'parse' or null", place)
    return Grade(
        item_id=identifier(row, "item_id", place),
        criterion=whole_number(row, "criterion", place),
        value=None if value is None else float(value),
        score=score if isinstance(score, int) else None,
        failure=failure,
        usage=_usage(usage, place),
    )


def _usage(usage: object, place: RowLocation) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    return Usage(
        prompt_tokens=whole_number(usage, "prompt_tokens", place, at="usage."),
        completion_tokens=whole_number(usage, "completion_tokens", place, at="usage."),
    )
