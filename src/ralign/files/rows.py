"""One row of a file: JSON text in, checked fields out, every problem named `file:line: found, expected`."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from ralign.errors import BadRow

Row = dict[str, object]
Choice = TypeVar("Choice", bound=str)

# An escape in the range of UTF-16 surrogates: only then can a row hold half a character.
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST_SHOWN = 60
_MOST_LISTED = 20


class RowLocation(NamedTuple):
    """Where a row stands: the file as the user named it, and the line (of Parquet: the row), from 1."""

    path: str
    line: int

    def bad(self, problem: str) -> BadRow:
        """The error to raise for a row that cannot be used."""
        return BadRow(self.path, self.line, problem)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def list_bad_rows(rows: Sequence[BadRow]) -> Iterator[str]:
    """Lines that say how many there are and name the first of them; none where there are none."""
    if not rows:
        return
    yield f"{len(rows):,} bad {'row' if len(rows) == 1 else 'rows'} left out:"
    yield from (f"  {row}" for row in rows[:_MOST_LISTED])
    if len(rows) > _MOST_LISTED:
        yield f"  … and {len(rows) - _MOST_LISTED:,} more"


def parse_row(data: bytes, location: RowLocation) -> Row:
    """Read one line of JSON as an object.

    The standard library's parser, not orjson: integers of any size stay exact, and NaN, which pandas and
    Python write, is read.

    Raises:
        BadRow: the line is not UTF-8, not JSON, not an object, or holds half a surrogate pair, which no
            endpoint and no Parquet file would take.
    """
    try:
        row: object = json.loads(data.decode())
        # Only looked for where it can be: encoding every row again would double the time of reading.
        if _SURROGATE_ESCAPE.search(data):
            json.dumps(row, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise location.bad(f"not JSON at column {error.colno}: {error.msg}, expected an object") from None
    except UnicodeDecodeError as error:
        raise location.bad(f"not UTF-8 at byte {error.start + 1}, expected an object") from None
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start]).strip("'")
        raise location.bad(f"holds {half}, half a surrogate pair, expected whole characters") from None
    except RecursionError:
        raise location.bad("nested too deeply to be read") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise location.bad(f"not readable: {error}") from None
    if not isinstance(row, dict):
        raise location.bad(f"the row is {shown(row)}, expected an object")
    return cast(Row, row)


def shown(value: object) -> str:
    """A value as an error message shows it: short, on one line, with JSON's names."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str() | int() | float():
            text = repr(value)
            return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def expected(
    row: Mapping[str, object], key: str, what: str, location: RowLocation, *, at: str = ""
) -> BadRow:
    """The error for a key that is missing or is not `what`; `at` is the path to the object it is in."""
    found = f"is {shown(row[key])}" if key in row else "is missing"
    return location.bad(f"{at}{key} {found}, expected {what}")


def string(row: Mapping[str, object], key: str, location: RowLocation, *, at: str = "") -> str:
    """A key that must hold a string; it may be empty."""
    value = row.get(key)
    if not isinstance(value, str):
        raise expected(row, key, "a string", location, at=at)
    return value


def optional_string(row: Mapping[str, object], key: str, location: RowLocation) -> str | None:
    """A key that may be missing or null."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise expected(row, key, "a string or null", location)
    return value


def identifier(row: Mapping[str, object], key: str, location: RowLocation) -> str:
    """An id: a string that is not blank, or an integer, which is read as its decimal digits."""
    value = row.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise expected(row, key, "a string that is not blank, or an integer", location)
    return value


def whole_number(row: Mapping[str, object], key: str, location: RowLocation, *, at: str = "") -> int:
    """A count from 0; 0 where the key is missing or null."""
    value = row.get(key)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise expected(row, key, "a whole number from 0", location, at=at)
    return value


def optional_choice(
    row: Mapping[str, object], key: str, choices: Sequence[Choice], location: RowLocation
) -> Choice | None:
    """One of a closed set of strings, or None where the key is missing or null."""
    value = row.get(key)
    if value is None:
        return None
    for choice in choices:
        if value == choice:
            return choice
    raise expected(row, key, f"{', '.join(map(repr, choices))} or null", location)
