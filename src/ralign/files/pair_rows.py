"""A row of the interchange format <-> a `PreferencePair`, without loss.

The format is that of the paper's public sets (METHOD.md, "Interchange format"): `id`, `conversations`,
`response_A`, `response_B`, `gt_label`, `gt_judgment`, `source`. Everything else a row or a message holds is
kept in `unknown`. So is a known column whose value the record does not show as it was written (an integer
`id`, an empty or null `gt_judgment`, a null `source`): it is written back as it came, unless the record's
field has changed since.

What counts as a row that can be used:

- `id` is a string that is not blank, or an integer.
- `conversations` has at least one message, and the last one is the user's, or what a tool gave back: x ends with what
  is answered.
- One empty answer is a poor answer; two blank ones leave nothing to compare.
- `gt_label` is `A`, `B` or `tie`; null or missing, nobody has said which is better.
- `gt_judgment` may be missing, null or blank: the pair then counts in L-Acc only.
- `source` may be missing, a string, or an object, whose `benchmark`, where it has one, is a string.

First the checks that every kind of row shares: JSON text in, fields out, every problem named
`file:line: found, expected`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from ralign.errors import BadRow
from ralign.records import Message, PreferencePair, Verdict

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
    # Decoded first: of bytes json.loads guesses the encoding, and our files are UTF-8.
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
    # An integer of more digits than Python converts.
    except ValueError as error:
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
    # Public sets number their rows; every id of ours is text, so that 7 and "7" are one pair in all files.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise expected(row, key, "a string that is not blank, or an integer", location)
    return value


def optional_whole_number(row: Mapping[str, object], key: str, location: RowLocation) -> int | None:
    """A count, or None where the key is missing or null: no score is no score of 0."""
    return None if row.get(key) is None else whole_number(row, key, location)


def optional_number(row: Mapping[str, object], key: str, location: RowLocation) -> float | None:
    """A number, an integer too, or None where the key is missing or null."""
    value = row.get(key)
    # Python counts True among the integers, JSON does not.
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise expected(row, key, "a number or null", location)
    return None if value is None else float(value)


def optional_boolean(row: Mapping[str, object], key: str, location: RowLocation) -> bool | None:
    """A truth value, or None where the key is missing or null."""
    value = row.get(key)
    if value is not None and not isinstance(value, bool):
        raise expected(row, key, "true, false or null", location)
    return value


def boolean(row: Mapping[str, object], key: str, location: RowLocation, *, at: str = "") -> bool:
    """A key that must hold a truth value."""
    value = row.get(key)
    if not isinstance(value, bool):
        raise expected(row, key, "true or false", location, at=at)
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


KNOWN_COLUMNS = ("id", "conversations", "response_A", "response_B", "gt_label", "gt_judgment", "source")
_LABELS: tuple[Verdict, ...] = ("A", "B", "tie")
PROMPT_COLUMNS = ("conversation", "conversations", "prompt")


def pair_from_row(row: Row, location: RowLocation, *, benchmark: str) -> PreferencePair:
    """Check a row and make it a record.

    Args:
        row: the parsed row.
        location: where it stands, for the error.
        benchmark: what the pair counts under where its `source` names no benchmark.

    Raises:
        BadRow: the row cannot be used; the first problem found is named.
    """
    pair_id = identifier(row, "id", location)
    # A blank question is let through here: the pair still has a better answer, and its label says which.
    conversation = _user_last(
        read_messages(row, "conversations", location), "conversations", location, roles=("user", "tool")
    )
    response_a, response_b = string(row, "response_A", location), string(row, "response_B", location)
    if not response_a.strip() and not response_b.strip():
        raise location.bad("response_A and response_B are both empty, expected at least one answer")
    label = optional_choice(row, "gt_label", _LABELS, location)
    gold_judgment = optional_string(row, "gt_judgment", location)
    if gold_judgment is not None and not gold_judgment.strip():
        gold_judgment = None
    source = row.get("source")
    if isinstance(source, dict):
        named = cast(Row, source).get("benchmark")
        if named is not None and not isinstance(named, str):
            raise expected(cast(Row, source), "benchmark", "a string or null", location, at="source.")
        benchmark = named or benchmark
    elif source is not None and not isinstance(source, str):
        raise expected(row, "source", "an object, a string or null", location)
    # A value that the record shows in another form is kept as it was written, so that writing gives it back.
    unknown = {column: value for column, value in row.items() if column not in KNOWN_COLUMNS}
    if row["id"] != pair_id:
        unknown["id"] = row["id"]
    if gold_judgment is None and "gt_judgment" in row:
        unknown["gt_judgment"] = row["gt_judgment"]
    if source is None and "source" in row:
        unknown["source"] = None
    return PreferencePair(
        id=pair_id,
        conversation=conversation,
        response_a=response_a,
        response_b=response_b,
        label=label,
        gold_judgment=gold_judgment,
        benchmark=benchmark,
        source=source,
        unknown=unknown,
    )


def row_from_pair(pair: PreferencePair) -> Row:
    """The row that `pair_from_row` reads as this pair; its `benchmark` is in `source` or the file's name."""
    as_written = pair.unknown
    id_as_written = as_written.get("id", pair.id)
    row: Row = {
        "id": id_as_written if str(id_as_written) == pair.id else pair.id,
        "conversations": [
            {"role": message.role, "content": message.content, **message.unknown}
            for message in pair.conversation
        ],
        "response_A": pair.response_a,
        "response_B": pair.response_b,
        "gt_label": pair.label,
    }
    if pair.gold_judgment is not None:
        row["gt_judgment"] = pair.gold_judgment
    elif "gt_judgment" in as_written:
        row["gt_judgment"] = as_written["gt_judgment"]
    if pair.source is not None or "source" in as_written:
        row["source"] = pair.source
    row.update((column, value) for column, value in as_written.items() if column not in KNOWN_COLUMNS)
    return row


def read_conversation(row: Row, location: RowLocation) -> tuple[Message, ...]:
    """The conversation of a row that has it in one of `PROMPT_COLUMNS`; its last message is the user's.

    `conversation` and `conversations` hold messages, `prompt` a text or messages. A row with two of the columns is
    refused: the reader must not guess which of them a model is to see.

    Raises:
        BadRow: none or several of the columns, no conversation in it, or a last message that is blank or not the
            user's.
    """
    columns = [column for column in PROMPT_COLUMNS if row.get(column) is not None]
    if len(columns) != 1:
        found = " and ".join(columns) or "none of them"
        raise location.bad(f"has {found}, expected one of {', '.join(PROMPT_COLUMNS)}")
    return read_turns(row, columns[0], location, takes_text=columns[0] == "prompt")


def read_turns(row: Row, key: str, location: RowLocation, *, takes_text: bool = True) -> tuple[Message, ...]:
    """A column that holds the user's text, or the messages up to the user's last.

    Raises:
        BadRow: it is neither, or the last message is blank or not the user's.
    """
    value = row.get(key)
    if takes_text and isinstance(value, str):
        turns = (Message(role="user", content=value),)
    else:
        turns = _user_last(read_messages(row, key, location), key, location)
    if not turns[-1].content.strip():
        raise location.bad(f"{key} is blank, expected the user's question")
    return turns


def read_messages(row: Row, key: str, location: RowLocation) -> tuple[Message, ...]:
    """A column that holds a list of messages, each an object with `role` and `content`.

    Raises:
        BadRow: it is missing, empty, or something else.
    """
    turns = row.get(key)
    if not isinstance(turns, list):
        raise expected(row, key, "a list of messages", location)
    if not turns:
        raise location.bad(f"{key} is empty, expected at least one message")
    messages: list[Message] = []
    for number, turn in enumerate(cast("list[object]", turns)):
        if not isinstance(turn, dict):
            raise location.bad(f"{key}[{number}] is {shown(turn)}, expected an object with role and content")
        turn = cast(Row, turn)
        role, content = turn.get("role"), turn.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            at = f"{key}[{number}]."
            role, content = string(turn, "role", location, at=at), string(turn, "content", location, at=at)
        unknown = {name: value for name, value in turn.items() if name not in ("role", "content")}
        messages.append(Message(role=role, content=content, unknown=unknown))
    return tuple(messages)


def _user_last(
    turns: tuple[Message, ...], key: str, location: RowLocation, *, roles: Sequence[str] = ("user",)
) -> tuple[Message, ...]:
    """The turns as they are, once the last is known to be the user's, or another's who is answered."""
    if turns[-1].role not in roles:
        raise location.bad(f"the last message of {key} is from {shown(turns[-1].role)}, expected 'user'")
    return turns
