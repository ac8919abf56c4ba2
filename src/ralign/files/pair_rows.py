"""A row of the interchange format <-> a `PreferencePair`, without loss.

The format is that of the paper's public sets (METHOD.md, "Interchange format"): `id`, `conversations`,
`response_A`, `response_B`, `gt_label`, `gt_judgment`, `source`. Everything else a row or a message holds is
kept in `unknown`. So is a known column whose value the record does not show as it was written (an integer
`id`, an empty or null `gt_judgment`, a null `source`): it is written back as it came, unless the record's
field has changed since.

What counts as a row that can be used:

- `id` is a string that is not blank, or an integer.
- `conversations` has at least one message, and the last one is the user's: x ends with the last user turn.
- One empty answer is a poor answer; two blank ones leave nothing to compare.
- `gt_label` is `A` or `B`. A tie carries no preference, so no judge can be right about it.
- `gt_judgment` may be missing, null or blank: the pair then counts in L-Acc only.
- `source` may be missing, a string, or an object, whose `benchmark`, where it has one, is a string.
"""

from typing import cast

from ralign.files.rows import Row, RowLocation, expected, identifier, optional_string, shown, string
from ralign.records import Message, PreferencePair

KNOWN_COLUMNS = ("id", "conversations", "response_A", "response_B", "gt_label", "gt_judgment", "source")
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
    conversation = _user_last(read_messages(row, "conversations", location), "conversations", location)
    response_a, response_b = string(row, "response_A", location), string(row, "response_B", location)
    if not response_a.strip() and not response_b.strip():
        raise location.bad("response_A and response_B are both empty, expected at least one answer")
    label = row.get("gt_label")
    if label != "A" and label != "B":
        is_tie = label is None or (isinstance(label, str) and label.strip().lower() in ("c", "tie"))
        reason = " (a tie carries no preference)" if is_tie else ""
        raise expected(row, "gt_label", f"'A' or 'B'{reason}", location)
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
        label="A" if label == "A" else "B",
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


def _user_last(turns: tuple[Message, ...], key: str, location: RowLocation) -> tuple[Message, ...]:
    """The turns as they are, once the last is known to be the user's."""
    if turns[-1].role != "user":
        raise location.bad(f"the last message of {key} is from {shown(turns[-1].role)}, expected 'user'")
    return turns
