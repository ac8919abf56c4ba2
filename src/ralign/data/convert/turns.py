"""Turns of a conversation, in whatever words a data set has for them -> messages and texts. Pure.

Read are `role` and `content` (OpenAI's), `from` and `value` (ShareGPT's), contents in parts (`[{"type": "text"}]`),
calls of tools and their results, transcripts ("Human: ... Assistant: ...", HH-RLHF's), and lists that stand as JSON in
a text. What a judge could not read (an image, a sound) is no text: the row is left out and counted, since its label was
given by somebody who saw it.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, cast

from ralign.files.pair_rows import Row, RowLocation, expected, shown
from ralign.records import Message

# What conversations are passed on in, and their last word before an answer: a user's, or what a tool gave back.
_ROLES: Final = {
    **dict.fromkeys(("human", "prompter", "user"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "model", "bot", "assistant", "function_call"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "function_response", "ipython"), "tool"),
    "system": "system",
}  # fmt: skip
_ASKING: Final = ("user", "tool")
_TURN = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ \t]?")


class LeftOut(Exception):
    """A row that is as it should be and gives no pair; counted by its reason, in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def conversation_of(row: Row, key: str, location: RowLocation) -> tuple[Message, ...]:
    """A column with the user's text, or the messages up to the last word before an answer.

    Raises:
        BadRow: it is neither, is blank, or ends in an answer.
        LeftOut: it holds what is no text.
    """
    value = row.get(key)
    given = row.get("input")
    # Alpaca's instruction, and under it the input that it is about.
    if key == "instruction" and isinstance(value, str) and isinstance(given, str) and given.strip():
        value = f"{value}\n\n{given}"
    turns = (
        (Message(role="user", content=value),) if isinstance(value, str) else messages_of(row, key, location)
    )
    return asked(turns, key, location)


def asked(turns: tuple[Message, ...], key: str, location: RowLocation) -> tuple[Message, ...]:
    """The turns as they are, once the last is known to be one that is answered.

    Raises:
        BadRow: it is not, or is blank.
    """
    if not turns:
        raise location.bad(f"{key} has no message before the answer, expected the user's")
    if turns[-1].role not in _ASKING:
        raise location.bad(f"the last message of {key} is from {shown(turns[-1].role)}, expected 'user'")
    if not turns[-1].content.strip():
        raise location.bad(f"{key} is blank, expected the user's question")
    return turns


def messages_of(row: Row, key: str, location: RowLocation) -> tuple[Message, ...]:
    """A column with a list of messages, one or more.

    Raises:
        BadRow: it is something else.
        LeftOut: a message holds what is no text.
    """
    turns = row.get(key)
    if not isinstance(turns, list):
        raise expected(row, key, "a list of messages", location)
    if not turns:
        raise location.bad(f"{key} is empty, expected at least one message")
    return tuple(
        _message(turn, f"{key}[{number}]", location)
        for number, turn in enumerate(cast("list[object]", turns))
    )


def answer_of(row: Row, key: str, location: RowLocation) -> str | tuple[Message, ...]:
    """A column with an answer: its text, also from one message of the assistant's; or the conversation it ends.

    Raises:
        BadRow: it is something else, or does not end in the assistant's words.
        LeftOut: a message holds what is no text.
    """
    value = row.get(key)
    if isinstance(value, str):
        return value
    if not isinstance(value, dict | list):
        raise expected(row, key, "a text, a message or a list of messages", location)
    messages = messages_of({key: [value] if isinstance(value, dict) else value}, key, location)
    *_, last = messages
    if last.role != "assistant":
        raise location.bad(f"the last message of {key} is from {shown(last.role)}, expected 'assistant'")
    return messages if len(messages) > 1 else last.content


def transcript_of(row: Row, key: str, location: RowLocation) -> tuple[Message, ...]:
    """A column with a transcript: blank line, "Human:" or "Assistant:", words, and so on.

    Raises:
        BadRow: it is no text, or does not begin as a transcript.
    """
    text = row.get(key)
    if not isinstance(text, str) or _TURN.match(text) is None:
        raise expected(row, key, r"a transcript that begins '\n\nHuman:'", location)
    # Split by a pattern with one group: what stands before the first, then speaker, words, speaker, words, ...
    _, *parts = _TURN.split(text)
    roles = ("user" if speaker == "Human" else "assistant" for speaker in parts[::2])
    return tuple(
        Message(role=role, content=words.strip()) for role, words in zip(roles, parts[1::2], strict=True)
    )


def is_transcript(value: object) -> bool:
    """Whether a value is a text that begins with somebody's turn."""
    return isinstance(value, str) and _TURN.match(value) is not None


def list_in_text(row: Row, key: str, location: RowLocation) -> list[object]:
    """A column with a list, or with the JSON of one: Arena's and all CSV files have lists as text.

    Raises:
        BadRow: it is neither.
    """
    value = row.get(key)
    if isinstance(value, str):
        try:
            value = json.loads(value)
            # Escaped twice, half a character comes to light only here.
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise location.bad(f"{key} holds half a surrogate pair, expected whole characters") from None
        except (ValueError, RecursionError):
            raise expected(row, key, "a list, or the JSON of one", location) from None
    if not isinstance(value, list):
        raise expected(row, key, "a list, or the JSON of one", location)
    return cast("list[object]", value)


def _message(turn: object, at: str, location: RowLocation) -> Message:
    if not isinstance(turn, Mapping):
        raise location.bad(f"{at} is {shown(turn)}, expected an object with role and content")
    turn = cast("Mapping[str, object]", turn)
    role_key, content_key = (
        ("from", "value") if "from" in turn and "role" not in turn else ("role", "content")
    )
    role = turn.get(role_key)
    if not isinstance(role, str):
        raise expected(turn, role_key, "a string", location, at=f"{at}.")
    texts = [_text(turn.get(content_key), f"{at}.{content_key}", location, may_be_missing=_calls(turn) != "")]
    texts.append(_calls(turn))
    unknown = {name: value for name, value in turn.items() if name not in (role_key, content_key)}
    return Message(
        role=_ROLES.get(role.lower(), role), content="\n".join(filter(None, texts)), unknown=unknown
    )


def _text(content: object, at: str, location: RowLocation, *, may_be_missing: bool = False) -> str:
    """The text of a content, its parts joined by line breaks."""
    if isinstance(content, str):
        return content
    if content is None and may_be_missing:
        return ""
    if not isinstance(content, list):
        raise location.bad(f"{at} is {shown(content)}, expected a string or a list of parts")
    texts: list[str] = []
    for number, part in enumerate(cast("list[object]", content)):
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, Mapping):
            raise location.bad(f"{at}[{number}] is {shown(part)}, expected a part of a content")
        part = cast("Mapping[str, object]", part)
        kind = part.get("type", "text")
        if kind in ("text", "input_text", "output_text"):
            texts.append(_text(part.get("text"), f"{at}[{number}].text", location))
        elif kind == "tool_result":
            texts.append(_text(part.get("content"), f"{at}[{number}].content", location))
        elif kind == "tool_use":
            texts.append(_call(part.get("name"), part.get("input")))
        else:
            raise LeftOut(f"a message has a part that is no text: {kind}")
    return "\n".join(texts)


def _calls(turn: Mapping[str, object]) -> str:
    """Calls of tools that a message makes beside its words, in words: a judge is to see them."""
    calls = turn.get("tool_calls")
    functions = [
        cast("Mapping[str, object]", call).get("function", call)
        for call in (cast("list[object]", calls) if isinstance(calls, list) else [])
        if isinstance(call, Mapping)
    ]
    functions.append(turn.get("function_call"))
    found = [cast("Mapping[str, object]", one) for one in functions if isinstance(one, Mapping)]
    return "\n".join(_call(one.get("name"), one.get("arguments")) for one in found)


def _call(name: object, arguments: object) -> str:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f"[calls {name}({written})]"
