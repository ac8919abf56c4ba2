"""Which schema a file has, seen from its first row. Pure.

By the names of its columns and the kind of their values. Where no data set fits, columns that look like two answers, a
label and a prompt are put into the flags that would read them.
"""

import re
from typing import Final, NamedTuple

from ralign.data.convert.chosen_rejected import ChosenRejected
from ralign.data.convert.config import ConvertConfig
from ralign.data.convert.labels import as_number, label_columns
from ralign.data.convert.schemas import Schema, schemas
from ralign.data.convert.two_answers import TwoAnswers
from ralign.files.pair_rows import Row, shown

INTERCHANGE: Final = frozenset({"id", "conversations", "response_A", "response_B", "gt_label"})
_PROMPTS: Final = (
    "prompt",
    "instruction",
    "question",
    "query",
    "input",
    "conversation",
    "conversations",
    "messages",
    "context",
)
# Two names that differ in this alone: output_1 and output_2, responseA and responseB, "response 1" and "response 2".
_SIDES: Final = ((re.compile(r"(?<![a-zA-Z])[aA]$|A$"), ("b", "B")), (re.compile(r"1$"), ("2", "2")))


class Guess(NamedTuple):
    """Arguments that `ralign convert` would need."""

    arguments: str
    """The schema, and flags with it."""
    schema: Schema | None = None
    """What would read the file; None where a person has to say something first."""
    unsure: str | None = None
    """What a person has to say first; None where nothing is left to say."""


def guess(row: Row, config: ConvertConfig) -> Guess | None:
    """The schema of a file with such a row; None where no columns look like two answers."""
    for name, schema in schemas(config).items():
        if schema.fits(row) and not label_columns(row, besides={*schema.labels, *config.no_label}):
            if name == "chosen-rejected" and "prompt" not in row and isinstance(row["chosen"], str):
                prompt = next((column for column in _PROMPTS if column in row), None)
                if prompt is None:
                    return Guess(
                        "chosen-rejected --prompt-column ...", unsure="no column looks like the prompt"
                    )
                arguments = f"chosen-rejected --prompt-column {prompt}"
                return Guess(arguments, Schema("", ChosenRejected(prompt=prompt).read))
            return Guess(name, schema)
    sides = _two_sides(row)
    if sides is None:
        return None
    prompt = next((column for column in _PROMPTS if column in row and column not in sides), None)
    label = next(
        (column for column in label_columns(row, besides=config.no_label) if column not in sides), None
    )
    arguments = "answers"
    for flag, column in (
        ("--prompt-column", prompt), ("--answer-a-column", sides[0]), ("--answer-b-column", sides[1]),
        ("--label-column", label),
    ):  # fmt: skip
        quoted = f"'{column}'" if column is not None and " " in column else column
        arguments += f" {flag} {quoted or '...'}"
    if label is None or prompt is None:
        return Guess(arguments, unsure=f"no column looks like the {'label' if label is None else 'prompt'}")
    if as_number(row[label]) is not None or isinstance(row[label], bool):
        return Guess(
            f"{arguments} --label-a ... --label-b ...",
            unsure=f"{label} is {shown(row[label])}: say what its values mean",
        )
    read = TwoAnswers(prompt=prompt, answer_a=sides[0], answer_b=sides[1], label=label).read
    return Guess(arguments, Schema("", read, kept=True))


def _two_sides(row: Row) -> tuple[str, str] | None:
    """The first two columns that hold texts or messages and differ in A and B, or 1 and 2, at their ends alone."""
    texts = [column for column, value in row.items() if isinstance(value, str | list | dict)]
    for column in texts:
        for pattern, others in _SIDES:
            if pattern.search(column):
                for other in others:
                    if (partner := column[:-1] + other) in texts and not column.lower().startswith(
                        ("model", "generator")
                    ):
                        return column, partner
    return None
