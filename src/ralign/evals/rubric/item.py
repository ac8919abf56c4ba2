"""Files of prompts with their criteria, and a file of answers -> `RubricItem`.

A row has `id`, its prompt as `ralign.data.prompts` reads it, and either

- questions with the answer yes or no, a text or a list of texts, and which of the two passes (yes by default);
- or a rubric for a score from 1 to 10, a text or a list of points.

The columns that hold them go by the user's names, so that a benchmark's own file can be taken as it is. The answers
come from a file that `ralign answers` wrote, by id, or from the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ralign.data.prompts import prompt_from_row
from ralign.errors import InputError
from ralign.evals.rubric.config import Columns, Missing
from ralign.evals.rubric.parse import Kind
from ralign.files import find_pairs_files, read_rows
from ralign.files.rows import Row, RowLocation, expected, identifier
from ralign.records import Message
from ralign.rewards.policy import visible_answer

_DEFAULT_ANSWERS = ("answer", "reference_answer")
_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricItem:
    """One answer to a prompt, and its criteria."""

    id: str
    conversation: tuple[Message, ...]
    answer: str
    """Without its thinking; blank where there is none, and the item fails."""
    kind: Kind
    criteria: tuple[str, ...]
    """The questions, each asked on its own; or the one rubric."""
    passes_on: bool = True
    """The answer to the questions that passes."""
    group: str | None = None


def read_items(
    items: Sequence[str], answers: Sequence[str], columns: Columns, *, missing: Missing
) -> tuple[list[RubricItem], int]:
    """Read the items with their answers.

    Args:
        items: paths, globs or hub names.
        answers: likewise; empty: the items' rows hold them.
        columns: the names of the columns.
        missing: what an item without an answer counts as: the run is refused, it fails, or it is left out.

    Returns:
        The items, and how many were left out.

    Raises:
        BadRow: a row that cannot be used, or an id that comes twice.
        InputError: no row, an answer that is missing and may not be, or answers to other prompts.
    """
    rows = _by_id(items)
    given = _by_id(answers) if answers else rows
    # Some ids may have no answer, which --missing decides; none at all is the wrong file.
    if not given.keys() & rows.keys():
        raise InputError(f"{', '.join(answers)}: no id of {', '.join(items)} is there")
    # `answer` first: a file with both has the policy's there, and somebody else's in `reference_answer`.
    column = columns.column or next(
        (name for name in _DEFAULT_ANSWERS if any(name in row for _, row in given.values())),
        _DEFAULT_ANSWERS[0],
    )
    read: list[RubricItem] = []
    for name, (location, row) in rows.items():
        text = given[name][1].get(column) if name in given else None
        # A policy that never closes its thought has not answered, however much it wrote.
        answer = visible_answer(text) if isinstance(text, str) else ""
        read.append(item_from_row(row, location, answer, columns))
    absent = [item.id for item in read if not item.answer]
    if absent and missing == "refuse":
        listed = ", ".join(absent[:_LISTED]) + (", …" if len(absent) > _LISTED else "")
        raise InputError(
            f"{len(absent):,} of {len(read):,} items have no answer in the column {column} ({listed}): --missing fail "
            "counts them as failed, --missing leave-out leaves them out"
        )
    kept = [item for item in read if item.answer or missing == "fail"]
    return kept, len(read) - len(kept)


def item_from_row(row: Row, location: RowLocation, answer: str, columns: Columns) -> RubricItem:
    """Check a row and make it a record.

    Raises:
        BadRow: the row cannot be used; the first problem found is named.
    """
    prompt = prompt_from_row(row, location)
    kinds: tuple[tuple[Kind, str], ...] = (
        ("question", columns.question_column),
        ("score", columns.rubric_column),
    )
    found: list[tuple[Kind, str]] = [(kind, column) for kind, column in kinds if row.get(column) is not None]
    if len(found) != 1:
        raise location.bad(
            f"has {' and '.join(column for _, column in found) or 'neither'}, expected one of "
            f"{columns.question_column} (--question-column) and {columns.rubric_column} (--rubric-column)"
        )
    kind: Kind = found[0][0]
    column = found[0][1]
    group = None if columns.by is None else row.get(columns.by)
    value = row[column]
    texts = cast("list[object]", value) if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise expected(row, column, "a text, or a list of texts, none of them blank", location)
    criteria = tuple(cast("list[str]", texts))
    # Questions are asked one by one, where a rubric is one text: its points make one score together.
    if kind == "score" and len(criteria) > 1:
        criteria = ("\n".join(f"- {text}" for text in criteria),)
    return RubricItem(
        id=prompt.id,
        conversation=prompt.conversation,
        answer=answer,
        kind=kind,
        criteria=criteria,
        passes_on=kind == "score" or _passes_on(row, columns.expected_column, location),
        group=None if group is None else str(group),
    )


def _by_id(sources: Sequence[str]) -> dict[str, tuple[RowLocation, Row]]:
    rows: dict[str, tuple[RowLocation, Row]] = {}
    for location, row in read_rows(find_pairs_files(sources)):
        name = identifier(row, "id", location)
        if name in rows:
            raise location.bad(f"id is {name!r}, which {rows[name][0]} has already, expected each id once")
        rows[name] = location, row
    if not rows:
        raise InputError(f"{', '.join(sources)}: no row")
    return rows


def _passes_on(row: Row, column: str, location: RowLocation) -> bool:
    # MultiChallenge has YES and NO, a Parquet file may have booleans.
    value = row.get(column)
    if value is None or isinstance(value, bool):
        return value is not False
    if isinstance(value, str) and value.strip().lower() in ("yes", "no"):
        return value.strip().lower() == "yes"
    raise expected(row, column, "'yes' or 'no'", location)
