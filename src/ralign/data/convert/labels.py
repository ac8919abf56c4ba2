"""A value of a label column -> which of two answers is better. Pure.

Words say what they mean. Numbers do not: 1 is the first answer in LLMBar and the second in Auto-J. So numbers are read
only where the data set is known, or by `--label-a` and its like.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from ralign.errors import InputError
from ralign.files.pair_rows import Row, RowLocation, expected, shown
from ralign.records import Verdict

# Called like a label, and short as one; or called so that nothing else can be meant.
_NAME: Final = re.compile(
    r"(?:.*[_\s-])?(?:label|winner|preferen\w*|preferred\w*|choice|verdict|vote|better|best)(?:[_\s-].*|\d*)",
    re.IGNORECASE,
)
_SURE_NAME: Final = re.compile(
    r"labels?|winner(?:_model_a|_model_b|_tie)?|preferences?|annotator\d", re.IGNORECASE
)
_SIDE: Final = r"(?:model|response|answer|output|assistant|completion)"
# A value that names one of two answers, whatever its column is called.
_NAMES_A_SIDE: Final = re.compile(rf"{_SIDE}[_\s-]?[ab12]|\[*[ab](?:>{{1,2}}|=)[ab]\]*", re.IGNORECASE)
_LONGEST_LABEL: Final = 30
_A: Final = re.compile(
    r"(?:model|response|answer|output|assistant|completion)?(?:a|1)|first|left|a>{1,2}b|1>2", re.I
)
_B: Final = re.compile(
    r"(?:model|response|answer|output|assistant|completion)?(?:b|2)|second|right|b>{1,2}a|2>1", re.I
)
_TIE: Final = re.compile(
    r"(?:tie|draw|equal|same|neither|both)(?:both)?(?:bad|good)?|a=b|b=a|1=2|c", re.IGNORECASE
)
_NOISE: Final = re.compile(r"[\s_\-()\[\]]+")


def label_columns(row: Row, *, besides: Collection[str]) -> list[str]:
    """Columns that look like a label, by their names or by their values, and are not those that are read."""
    found: list[str] = []
    for column, value in row.items():
        if column in besides:
            continue
        named = _NAME.fullmatch(column) is not None
        if isinstance(value, str):
            likely = (named and 0 < len(value) <= _LONGEST_LABEL) or _NAMES_A_SIDE.fullmatch(value)
        else:
            likely = named and isinstance(value, int | float)
        if likely or _SURE_NAME.fullmatch(column):
            found.append(column)
    return found


def number_label(row: Row, key: str, meanings: Mapping[float, Verdict], location: RowLocation) -> Verdict:
    """A label that is a number, also where a CSV file or an exporter has made it a text or a fraction.

    Raises:
        BadRow: another value.
    """
    label = meanings.get(number) if (number := as_number(row.get(key))) is not None else None
    if label is None:
        raise expected(
            row, key, " or ".join(f"{value:g} ({label})" for value, label in meanings.items()), location
        )
    return label


def as_number(value: object) -> float | None:
    """A number, or a text that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def word_label(row: Row, key: str, location: RowLocation) -> Verdict:
    """A label in words: `model_a`, `A>B`, `Response 2`, `tie (bothbad)`.

    Raises:
        BadRow: another value, or a number.
    """
    value = row.get(key)
    if isinstance(value, str) and as_number(value) is None:
        word = _NOISE.sub("", value)
        for pattern, label in _WORDS:
            if pattern.fullmatch(word):
                return label
    raise expected(row, key, "'A', 'B' or 'tie', or other words for them", location)


_WORDS: Final[tuple[tuple[re.Pattern[str], Verdict], ...]] = ((_A, "A"), (_B, "B"), (_TIE, "tie"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValues:
    """Meanings of a label column's values, as the user says; without a word of theirs, as `word_label` reads them."""

    a: tuple[str, ...] = ()
    b: tuple[str, ...] = ()
    tie: tuple[str, ...] = ()

    def read(self, row: Row, key: str, location: RowLocation) -> Verdict | None:
        """The label; None where the row has none.

        Raises:
            BadRow: a value that has no meaning here.
            InputError: a number, and nobody said what numbers mean.
        """
        value = row.get(key)
        if value is None or value == "":
            return None
        if not (self.a or self.b or self.tie):
            if as_number(value) is not None or isinstance(value, bool):
                raise InputError(
                    f"{location}: {key} is {shown(value)}, and a number may mean either answer: say which, as "
                    "--label-a 1 --label-b 2 (and --label-tie)"
                )
            return word_label(row, key, location)
        meanings: tuple[tuple[Verdict, tuple[str, ...]], ...] = (
            ("A", self.a),
            ("B", self.b),
            ("tie", self.tie),
        )
        for label, values in meanings:
            if any(_same(value, text) for text in values):
                return label
        said = ", ".join(map(repr, (*self.a, *self.b, *self.tie)))
        raise expected(row, key, f"one of {said}, as --label-a, --label-b and --label-tie say", location)


def _same(value: object, text: str) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    number = as_number(value)
    return str(value) == text if number is None else number == as_number(text)
