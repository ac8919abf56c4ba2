"""A rationale in, the same with the names of the two answers exchanged out. Pure.

What names an answer: a noun with a letter or a number (`Response A`, `Output (b)`, `answer_A`, `Assistant 2`), an
ordinal with a noun (`the second answer`), a letter on its own (`A`, `**B**`, `B's`). What belongs to the answers
themselves stays as it is: code, formulas, and quotes of their words. The article `A` is told from the letter by
what follows it; a letter that labels something else (`plan B`, `event A`) by what stands before it.

Where the conversation or an answer has lettered items of its own, as a multiple-choice question does, a bare letter in
the rationale may mean either, and so may `option B`. Such a rationale is not swapped at all: a half-swapped one
would contradict itself, and its verdict would say nothing.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ralign.records import PreferencePair

WhyNot = Literal["no_mention", "ambiguous"]
"""Why a text cannot be swapped: it names neither answer, or its letters may mean something else."""


class Swapped(NamedTuple):
    """A text with the two answers' names exchanged."""

    text: str
    mentions: int
    """How many names were exchanged; 0: the text is as it was."""


_CLEAR = "response|answer|assistant|candidate|completion|output|reply|model|ai|chatbot|agent"
# Nouns for an answer that just as well name the items of a question.
_UNCLEAR = "option|choice|solution|version|alternative"
_GAP = r"(?:[ \t*`\"'“(\[#]{1,4}|[_-])"
_NAMED = (
    rf"\b(?P<noun>{_CLEAR}|{_UNCLEAR})s?{_GAP}(?P<name>(?-i:[AB12])|(?<=[_(\[-])[ab])(?![\w+#]|[.,]\d|/[AB])"
)
_ORDINAL = rf"\b(?P<ordinal>first|second)[ -](?:(?P<ordinal_noun>{_CLEAR}|{_UNCLEAR})\b)"
_BARE = r"(?<!\w['’])(?<![\w.\\/{&+^-])(?P<bare>(?-i:[AB]))(?![\w+#/^(]|-\w|\s*[+×]|['’](?!s\b)\w)"
_NAME = re.compile(f"{_NAMED}|{_ORDINAL}|{_BARE}", re.IGNORECASE)

# Code and formulas stay as they are; two prices on one line are no formula. The bounds keep unclosed ones from
# quadratic time.
_KEPT = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`|\$\$.{1,2000}?\$\$|\$(?!\s)[^$\n]{1,200}(?<!\s)\$(?!\d)"
    r"|\\\(.{1,2000}?\\\)|\\\[.{1,2000}?\\\]",
    re.DOTALL,
)
_QUOTE = re.compile(r"\"[^\"\n]{3,}\"|“[^”\n]{3,}”|«[^»\n]{3,}»|^>[^\n]+", re.MULTILINE)

# Before a letter: it labels something that the answers speak of.
_LABELLED = re.compile(
    r"\b(?:angle|appendix|box|case|category|chapter|city|class|column|company|event|exhibit|figure|graph|grade|group"
    r"|hepatitis|item|label|line|matrix|node|part|person|plan|player|point|product|section|series|set|side|step|table"
    r"|team|type|variable|vector|vertex|vitamin)s?[\s*(]{1,3}$",
    re.IGNORECASE,
)
_FOLLOWING = re.compile(r"[ \t]+(?P<word>[A-Za-z][\w'’-]*)(?:[ \t]+(?P<next>[a-z][\w'’-]*))?")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n|][\s\"'“)*_]*|[-*•>#|]\s*)[\s*_(\[\"“]*$")
# Words that stand after the letter and not after the article; most verbs are told by their -s.
_VERBS = frozenset(
    {
        "is", "was", "has", "had", "does", "did", "do", "can", "could", "would", "will", "should", "might", "may",
        "and", "or", "but", "over", "than", "gave", "got", "said", "made", "went", "took", "met", "kept", "left", "put",
        "instead", "also", "only", "not", "isn't", "doesn't", "wasn't", "didn't", "hasn't", "won't", "can't",
    }
)  # fmt: skip
_EXCHANGED = {
    "A": "B", "B": "A", "a": "b", "b": "a", "1": "2", "2": "1",
    "first": "second", "second": "first", "First": "Second", "Second": "First", "FIRST": "SECOND", "SECOND": "FIRST",
}  # fmt: skip


def swap_mentions(text: str, pair: PreferencePair) -> Swapped | WhyNot:
    """Exchange the names of the two answers wherever a judge's text speaks of them."""
    material = _plain(" ".join([*(m.content for m in pair.conversation), pair.response_a, pair.response_b]))
    lettered = any(_is_bare_letter(match) for match in _NAME.finditer(material) if match["bare"])
    pieces: list[str] = []
    end = mentions = 0
    for match in _names(text, material):
        noun = (match["noun"] or match["ordinal_noun"] or "").lower()
        if noun and _plain(match[0]).lower() in material.lower():
            # The answers' own words: `Option B` of the question.
            continue
        if lettered and (not noun or noun in _UNCLEAR.split("|")):
            return "ambiguous"
        group = next(name for name in ("name", "ordinal", "bare") if match[name])
        pieces += (text[end : match.start(group)], _EXCHANGED[match[group]])
        end = match.end(group)
        mentions += 1
    return Swapped("".join([*pieces, text[end:]]), mentions) if mentions else "no_mention"


def _names(text: str, material: str) -> Iterator[re.Match[str]]:
    """Every name of an answer, outside code, formulas, and what is quoted from the pair."""
    kept = [match.span() for match in _KEPT.finditer(text)]
    kept += [match.span() for match in _QUOTE.finditer(text) if _plain(match[0]) in material]
    kept.sort()
    place = 0
    for match in _NAME.finditer(text):
        while place < len(kept) and kept[place][1] <= match.start():
            place += 1
        inside = place < len(kept) and kept[place][0] < match.end()
        if not inside and (not match["bare"] or _is_bare_letter(match)):
            yield match


def _is_bare_letter(match: re.Match[str]) -> bool:
    """Whether a letter on its own is a name: not the article, not a label."""
    letter, text = match["bare"], match.string
    before = text[max(0, match.start() - 40) : match.start()]
    if _LABELLED.search(before):
        return False
    following = _FOLLOWING.match(text, match.end())
    if letter == "B" or following is None:
        return True
    word, then = following["word"], following["next"] or ""
    if word.lower() in _VERBS or _is_verb(word) or (word.endswith("ly") and _is_verb(then)):
        return True
    # Within a sentence the article is not written with a capital, but for a title's.
    return word[0].islower() and _SENTENCE_START.search(before) is None


def _is_verb(word: str) -> bool:
    """Whether a word looks like a verb of the third person, which no article stands before."""
    return word.endswith("s") and not word.endswith(("ss", "us", "'s", "’s", "ous"))


def _plain(text: str) -> str:
    """A text without quotation marks around it and with single spaces, so that quotes are found."""
    return " ".join(text.strip('"“”«»> ').rstrip(".,;").split())
