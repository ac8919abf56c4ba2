"""Keeping texts that others wrote inside the section of a prompt that they are put into.

In: the texts, and what is fixed in a prompt. Out: a nonce that no text contains, so that no text can close a
tag that carries it; or, for prompts without such tags, the texts with every copy of the prompt's own markers
broken.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

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
    digest = blake2b(salt, digest_size=4)
    digest.update(together.encode("utf-8", "surrogatepass"))
    nonce = digest.hexdigest()
    while nonce in together or any(nonce in text for text in unhashed):
        digest.update(b"\0")  # the whole state goes on, so that this cannot run in a circle
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
