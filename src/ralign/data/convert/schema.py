"""What a schema is: a row in; preferences, or why there are none, out. And the readings that several share."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from ralign.data.convert.position import Preference
from ralign.files.pair_rows import messages_of
from ralign.files.rows import Row, RowLocation, shown, string
from ralign.records import Message


class LeftOut(NamedTuple):
    """A row that is as it should be and carries no preference to convert."""

    reason: str
    """A few words that rows are counted under."""


class Schema(Protocol):
    """How a data set's rows are read."""

    @property
    def benchmark(self) -> str:
        """What the pairs count under."""
        ...

    def read(self, row: Row, place: RowLocation) -> Sequence[Preference] | LeftOut:
        """The preferences of one row.

        Raises:
            BadRow: the row is not of this schema.
        """
        ...


def rest_of(row: Row, taken: Collection[str | None]) -> Row:
    """The columns that are not taken, under names that the interchange format does not use itself."""
    ours = {"id", "conversations", "response_A", "response_B", "gt_label", "gt_judgment", "source"}
    return {
        f"original_{key}" if key in ours else key: value for key, value in row.items() if key not in taken
    }


def asked(text: str, key: str, place: RowLocation) -> tuple[Message, ...]:
    """A conversation of one user turn.

    Raises:
        BadRow: the text is blank.
    """
    if not text.strip():
        raise place.bad(f"{key} is blank, expected what the user asked")
    return (Message(role="user", content=text),)


def conversation_of(row: Row, key: str, place: RowLocation) -> tuple[Message, ...]:
    """A column that holds the user's text, or the messages up to the user's last.

    Raises:
        BadRow: it is neither, or the last message is not the user's.
    """
    if isinstance(row.get(key), str):
        return asked(string(row, key, place), key, place)
    conversation = messages_of(row, key, place)
    if conversation[-1].role != "user":
        raise place.bad(f"the last message of {key} is from {shown(conversation[-1].role)}, expected 'user'")
    return conversation


def split_last(row: Row, key: str, place: RowLocation) -> tuple[tuple[Message, ...], str]:
    """A column that holds a whole conversation: the messages before the last, and the last one's text.

    Raises:
        BadRow: not a list of messages, the last not the assistant's, or nothing before it.
    """
    messages = messages_of(row, key, place)
    if messages[-1].role != "assistant":
        raise place.bad(f"the last message of {key} is from {shown(messages[-1].role)}, expected 'assistant'")
    if len(messages) < 2 or messages[-2].role != "user":
        raise place.bad(f"{key} has no message of the user's before the answer, expected one")
    return messages[:-1], messages[-1].content
