"""A prompt file: plain text with placeholders in, the messages of one call out. Used by judge and meta-judge.

Only the names that a kind of prompt knows are placeholders; every other brace (`\\boxed{A}`, JSON) stays as
it is, and what is put in is never looked at again. A line `[system]` or `[user]` begins a message; a file
without such lines is one user message. `{{name}}` gives a literal `{name}`.

No text that is put in can close its section. A prompt that writes `{nonce}` into its tags gets a nonce that
occurs in none of the texts, and is trusted to delimit each of them with it. In a prompt without `{nonce}` the
copies of its own markers that a text contains are broken instead (`ralign.judging.delimiters.Markers`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from ralign.errors import InputError
from ralign.judging.delimiters import Markers, delimit_turns, fresh_nonce
from ralign.records import Message

_BRACES = re.compile(r"\{\{(?P<literal>[A-Za-z_]\w+)\}\}|\{(?P<name>[A-Za-z_]\w+)\}")
_ROLE_LINE = re.compile(r"^\[(system|user)\][ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptKind:
    """The placeholders that one kind of prompt file may and must contain, besides `{conversation}` and `{nonce}`."""

    name: str
    texts: frozenset[str]
    """Placeholders for what others wrote."""
    facts: frozenset[str] = frozenset()
    """Placeholders for short values of our own, such as a letter."""
    required: tuple[str, ...]
    changing: frozenset[str] = frozenset()
    """Texts that differ between calls about the same pair. They come last in our own prompts and do not enter
    the nonce's hash, so that an endpoint's prefix cache serves everything before them."""
    default: Path
    """Our own prompt."""

    @property
    def known(self) -> frozenset[str]:
        """Every placeholder a file of this kind may have."""
        return self.texts | self.facts | {"conversation", "nonce"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """One message: fixed text at the even places, names of placeholders at the odd ones."""

    role: str
    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.parts[1::2]


class Prompt:
    """A prompt file, taken apart once and rendered once a call."""

    def __init__(self, text: str, kind: PromptKind, *, where: str = "prompt") -> None:
        """Take a prompt apart. `where` names it in errors.

        Raises:
            InputError: a placeholder is unknown or a required one is missing.
        """
        templates = [
            _Template(role=role, parts=_parts(content, kind, where))
            for role, content in _messages(text, where)
        ]
        self.names = frozenset(name for template in templates for name in template.names)
        """The placeholders it uses."""
        if missing := [name for name in kind.required if name not in self.names]:
            raise InputError(
                f"{where}: no {_listed(missing)} in it; a {kind.name} needs {_listed(kind.required)}"
            )
        self.digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        """Names the wording in a run's configuration."""
        self._salt = self.digest.encode()
        self._templates = tuple((template.role, template.parts, template.names) for template in templates)
        # The nonce follows from these alone, so that a pair's prompt begins alike whatever else the call asks.
        self._hashed = tuple(sorted(self.names & kind.texts - kind.changing))
        self._unhashed = tuple(sorted(self.names & kind.texts & kind.changing))
        # With a nonce in its tags a prompt cannot be forged, and texts go in untouched.
        self._markers = (
            None if "nonce" in self.names else Markers.of([template.parts for template in templates])
        )

    @classmethod
    def load(cls, path: Path | None, kind: PromptKind) -> Self:
        """Read a prompt file; None is our own prompt of that kind.

        Raises:
            InputError: the file cannot be read, a placeholder is unknown, or a required one is missing.
        """
        file = path or kind.default
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise InputError(f"{file}: cannot read the {kind.name}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: the {kind.name} is not UTF-8 (byte {error.start})") from error
        return cls(text, kind, where=str(file))

    def render(self, conversation: Sequence[Message], values: Mapping[str, str]) -> tuple[Message, ...]:
        """Fill the prompt in: the conversation, and a value for each of its other placeholders but `nonce`.

        The same values give the same messages. Values the prompt has no placeholder for are left out.
        """
        hashed = [values[name] for name in self._hashed]
        for turn in conversation:
            hashed += (turn.role, turn.content)
        unhashed = [values[name] for name in self._unhashed]
        nonce = fresh_nonce(hashed, unhashed, salt=self._salt)
        filled = dict(values)
        if (markers := self._markers) is not None:
            for name in (*self._hashed, *self._unhashed):
                filled[name] = markers.defuse(values[name])
            conversation = [Message(role=m.role, content=markers.defuse(m.content)) for m in conversation]
        filled["conversation"] = delimit_turns(conversation, nonce)
        filled["nonce"] = nonce
        messages: list[Message] = []
        for role, parts, names in self._templates:
            content = list(parts)
            content[1::2] = [filled[name] for name in names]
            messages.append(Message(role=role, content="".join(content)))
        return tuple(messages)


def _messages(text: str, where: str) -> list[tuple[str, str]]:
    """Split a file at its role lines into (role, content)."""
    marks = list(_ROLE_LINE.finditer(text))
    if not marks:
        return [("user", text.strip())]
    if before := text[: marks[0].start()].strip():
        raise InputError(
            f"{where}: {before.splitlines()[0][:40]!r} stands before the first [{marks[0][1]}] line; "
            f"put it below [system] or [user]"
        )
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [(mark[1], text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)]


def _parts(text: str, kind: PromptKind, where: str) -> tuple[str, ...]:
    """Take a message apart: fixed text, name, fixed text, ...; the first and the last are fixed text."""
    parts = [""]
    end = 0
    for match in _BRACES.finditer(text):
        parts[-1] += text[end : match.start()]
        end = match.end()
        if literal := match["literal"]:
            parts[-1] += f"{{{literal}}}"
        elif (name := match["name"]) in kind.known:
            parts += (name, "")
        elif (before := text[match.start() - 1 : match.start()]).isalnum() or before in {"}", "\\", "^", "_"}:
            # LaTeX: the braces of a command, as in `\\text{tie}` or the second pair of `\\frac{one}{two}`.
            parts[-1] += match.group()
        else:
            raise InputError(
                f"{where}: unknown placeholder {{{name}}}; a {kind.name} may have "
                f"{_listed(sorted(kind.known))} (write {{{{{name}}}}} for a literal {{{name}}})"
            )
    parts[-1] += text[end:]
    return tuple(parts)


def _listed(names: Iterable[str]) -> str:
    """`{a}, {b} and {c}`."""
    *first, last = [f"{{{name}}}" for name in names]
    return f"{', '.join(first)} and {last}" if first else last
