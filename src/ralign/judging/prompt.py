"""A prompt file: plain text with placeholders in, the messages of one call out. Used by judge and meta-judge.

Only the names that a kind of prompt knows are placeholders; every other brace (`\\boxed{A}`, JSON) stays as
it is, and what is put in is never looked at again. A line `[system]` or `[user]` begins a message; a file
without such lines is one user message. `{{name}}` gives a literal `{name}`.

No text that is put in can close its section. A prompt that writes `{nonce}` into its tags gets a nonce that
occurs in none of the texts, and is trusted to delimit each of them with it. In a prompt without `{nonce}` the
copies of its own markers that a text contains are broken instead (`Markers`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from types import MappingProxyType
from typing import Self

from ralign.errors import InputError
from ralign.records import Message

_TAG = re.compile(r"<[^<>\n]+>|\[[^\[\]\n]+\]")
_ONLY_TAGS = re.compile(rf"(?:(?:{_TAG.pattern})\s*)+")
_NOT_A_NAME = re.compile(r"[^\w-]+")
_QUOTE_MARKS = ("> ", "| ", "~ ", "(quoted) ")


def fresh_nonce(hashed: Sequence[str], unhashed: Sequence[str], *, salt: bytes) -> str:
    """Give 8 hex digits that follow from the salt and the hashed texts alone, and occur in none of the texts.

    Only where the first choice occurs in one of them do the unhashed texts matter too.
    """
    together = "\0".join(hashed)
    # Once a call of every run, so one hash of one text: with the shared dict in `Prompt.render` this took a request
    # of 2,000 characters from 25.8 to 22.9 microseconds.
    digest = blake2b(salt + together.encode("utf-8", "surrogatepass"), digest_size=4)
    nonce = digest.hexdigest()
    everything = "\0".join((together, *unhashed)) if unhashed else together
    while nonce in everything:
        # The whole state goes on, so that this cannot run in a circle.
        digest.update(b"\0")
        nonce = digest.hexdigest()
    return nonce


def delimit_turns(conversation: Sequence[Message], nonce: str) -> str:
    """Write a conversation as one text, every turn between tags that name its role and carry the nonce."""
    turns: list[str] = []
    for message in conversation:
        # The role comes from the data, too: whatever is no name could close the tag itself.
        role = message.role if message.role.isidentifier() else _NOT_A_NAME.sub("_", message.role) or "turn"
        turns.append(f"<{role} {nonce}>\n{message.content}\n</{role} {nonce}>")
    return "\n".join(turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """The fixed parts of a prompt without a nonce, which must not be found in a text put into it."""

    lines: frozenset[str]
    """Whole lines of the prompt; case and the white space around them do not matter."""
    leads: tuple[str, ...]
    """The text before a placeholder on its line, such as `Answer A:`."""
    tags: re.Pattern[str] | None
    """`<...>` and `[...]` that stand on a line of their own or next to a placeholder."""
    all: tuple[str, ...]
    """Every line, lead and tag: a text that holds none of them, as nearly all do, is left alone."""
    quote: str
    """The mark before a quoted line; no line or lead begins with it."""

    @classmethod
    def of(cls, templates: Sequence[Sequence[str]]) -> Self:
        """Collect the markers of a prompt's messages, each given as fixed text, name, fixed text, ..."""
        lines: set[str] = set()
        leads: set[str] = set()
        tags: set[str] = set()
        for template in templates:
            # A zero byte stands for each placeholder, so that a line's pieces can be told apart.
            for line in "\0".join(template[::2]).splitlines():
                pieces = [piece.strip() for piece in line.split("\0")]
                tags.update(
                    tag for piece in pieces if _ONLY_TAGS.fullmatch(piece) for tag in _TAG.findall(piece)
                )
                if len(pieces) == 1:
                    lines.add(pieces[0].casefold())
                leads.update(piece.casefold() for piece in pieces[:-1])
        lines.discard("")
        leads.discard("")
        taken = tuple(mark for mark in _QUOTE_MARKS if any(s.startswith(mark.strip()) for s in lines | leads))
        return cls(
            lines=frozenset(lines),
            leads=tuple(sorted(leads)),
            tags=re.compile("|".join(map(re.escape, sorted(tags))), re.IGNORECASE) if tags else None,
            all=tuple(sorted(lines | leads | {tag.casefold() for tag in tags})),
            quote=next((mark for mark in _QUOTE_MARKS if mark not in taken), _QUOTE_MARKS[-1]),
        )

    def defuse(self, text: str) -> str:
        """Break every copy of a marker in a text, visibly: `[quoted: End of answer]`, `> Answer B:`."""
        folded = text.casefold()
        if not any(marker in folded for marker in self.all):
            return text
        if self.tags is not None:
            # Again where breaking one tag spelled another; every pass makes the tags longer, so it ends.
            while self.tags.search(text):
                text = self.tags.sub(lambda tag: f"{tag[0][0]}quoted: {tag[0][1:]}", text)
        lines = text.splitlines(keepends=True)
        found = False
        for i, line in enumerate(lines):
            probe = line.strip().casefold()
            if probe in self.lines or probe.startswith(self.leads):
                lines[i] = self.quote + line
                found = True
        return "".join(lines) if found else text


_BRACES = re.compile(r"\{\{(?P<literal>[A-Za-z_]\w+)\}\}|\{(?P<name>[A-Za-z_]\w+)\}")
# One for all rendered messages: with a dict of its own a message takes 5.0 microseconds to make, with this one 2.8.
_NO_KEYS: dict[str, object] = {}
NOTHING_FIXED: Mapping[str, str] = MappingProxyType({})
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


class Prompt:
    """A prompt file, taken apart once and rendered once a call."""

    def __init__(self, text: str, kind: PromptKind, *, where: str = "prompt") -> None:
        """Take a prompt apart. `where` names it in errors.

        Raises:
            InputError: a placeholder is unknown or a required one is missing.
        """
        # By message: its role, fixed text at the even places, names of placeholders at the odd ones.
        self._templates = [(role, _parts(content, kind, where)) for role, content in _messages(text, where)]
        self.names = frozenset(name for _, parts in self._templates for name in parts[1::2])
        """The placeholders it uses."""
        if missing := [name for name in kind.required if name not in self.names]:
            raise InputError(
                f"{where}: no {_listed(missing)} in it; a {kind.name} needs {_listed(kind.required)}"
            )
        self.digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        """Names the wording in a run's configuration."""
        self._salt = self.digest.encode()
        # The nonce follows from these alone, so that a pair's prompt begins alike whatever else the call asks.
        self._hashed = tuple(sorted(self.names & kind.texts - kind.changing))
        self._unhashed = tuple(sorted(self.names & kind.texts & kind.changing))
        # With a nonce in its tags a prompt cannot be forged, and texts go in untouched.
        self._markers = None if "nonce" in self.names else Markers.of([parts for _, parts in self._templates])

    @classmethod
    def load(cls, path: Path | None, kind: PromptKind, *, fixed: Mapping[str, str] = NOTHING_FIXED) -> Self:
        """Read a prompt file; None is our own prompt of that kind. `fixed` are placeholders that no call changes.

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
        for name, value in fixed.items():
            text = text.replace(f"{{{name}}}", value)
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
        for role, parts in self._templates:
            content = parts.copy()
            content[1::2] = map(filled.__getitem__, parts[1::2])
            messages.append(Message(role=role, content="".join(content), unknown=_NO_KEYS))
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


def _parts(text: str, kind: PromptKind, where: str) -> list[str]:
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
    return parts


def _listed(names: Iterable[str]) -> str:
    """`{a}, {b} and {c}`."""
    *first, last = [f"{{{name}}}" for name in names]
    return f"{', '.join(first)} and {last}" if first else last
