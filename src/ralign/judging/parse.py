"""The answer of a judge in, its rationale and its verdict out. Pure.

What comes in is the final answer: thinking has been split off, so that a format the model talks about while
it thinks cannot decide. Every `\\boxed{...}` of the answer is read. A box that holds no verdict
(`\\boxed{42}`, a result quoted from a candidate; `\\boxed{A or B}`, the format quoted from the prompt) is
passed over; boxes that disagree give no verdict. The authors' scripts read the first box, and only
`\\boxed{A}` and `\\boxed{B}` to the letter.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ralign.records import Verdict

_BOX = re.compile(r"\\boxed\s{0,4}\{")
_LONGEST_BOX = 200
"""Characters. A verdict is short; the bound keeps a run of unclosed boxes from costing quadratic time."""

# Commands that only dress a text. Any other makes it a formula: the root of b is no vote for B.
_DRESS = re.compile(
    r"\\(?:text[a-z]*|math(?:bf|rm|it|sf|tt|normal)|operatorname|boldsymbol|bm|bf|rm|it|[mf]box|boxed|emph"
    r"|underline|[lL]arge|LARGE|[hH]uge|displaystyle|quad)(?![a-zA-Z])|\\[^a-zA-Z]"
)
_DECORATION = re.compile(r"[\s{}()\[\]*_`$~\"'“”‘’.,:;!#-]+")
_LETTER = re.compile(
    r"(?:the )?(?:(?:final|better|best|preferred|winning) )?"
    r"(?:(?:verdict|winner|assistant|response|answer|option|candidate|output|choice|model|completion)"
    r"(?: is)? )?"
    r"([ab])"
    r"(?: (?:is better|is preferred|wins))?"
)
_NO_LETTER = frozenset(
    {"tie", "tied", "a tie", "draw", "a draw", "equal", "both", "neither", "none", "a and b"}
)

_LAST_LINE = 80
"""Characters. A longer last line is part of the rationale, not a heading left without its verdict."""
_HANGING = re.compile(
    r"\W*(?:(?:so|thus|therefore|hence|finally|in|my|the|a|final|overall)\W+)*"
    r"(?:(?:verdict|answer|decision|choice|judge?ment|conclusion|winner|preference|(?:better|preferred|best)\W+"
    r"(?:response|answer|assistant|output|one))\W*(?:is|goes\W+to)?)?\W*",
    re.IGNORECASE,
)


class ParsedJudgment(NamedTuple):
    """What could be read from a judge's answer."""

    rationale: str
    """The answer without its boxed verdict. May be empty: a bare verdict is a verdict, right or wrong, but
    gives a meta-judge nothing that could be aligned."""
    verdict: Verdict | None
    """In the letters the judge was shown."""
    problem: str | None
    """Why there is no verdict, in a few words."""


class _Box(NamedTuple):
    start: int
    end: int
    content: str


def parse_verdict(answer: str) -> ParsedJudgment:
    """Read a judge's final answer."""
    rationale = answer.strip()
    if not rationale:
        return ParsedJudgment("", None, "empty answer")
    boxes = [(box, _read(box.content)) for box in _boxes(answer)]
    verdicts = {read for _, read in boxes if read is not None}
    if len(verdicts) > 1:
        return ParsedJudgment(rationale, None, f"two different verdicts: {', '.join(sorted(verdicts))}")
    verdict = verdicts.pop() if verdicts else None
    if verdict is None:
        found = f", but \\boxed{{{boxes[-1][0].content[:40]}}}" if boxes else ""
        return ParsedJudgment(rationale, None, f"no \\boxed verdict{found}")
    if verdict == "tie":
        return ParsedJudgment(rationale, None, "no \\boxed verdict, but a tie")
    return ParsedJudgment(_without(answer, [box for box, read in boxes if read]), verdict, None)


def _boxes(answer: str) -> Iterator[_Box]:
    """Find every closed box, its own braces matched."""
    end = 0
    while (match := _BOX.search(answer, end)) is not None:
        end = match.end()
        depth = 1
        for i in range(match.end(), min(match.end() + _LONGEST_BOX, len(answer))):
            if answer[i] == "{":
                depth += 1
            elif answer[i] == "}":
                depth -= 1
                if depth == 0:
                    end = i + 1
                    yield _Box(match.start(), end, answer[match.end() : i])
                    break


def _read(content: str) -> Literal["A", "B", "tie"] | None:
    """Read what is in a box, its spelling aside; None where it is no verdict at all."""
    plain = _DECORATION.sub(" ", _DRESS.sub(" ", content)).strip().lower()
    if plain in _NO_LETTER:
        return "tie"
    match = _LETTER.fullmatch(plain)
    if match is None:
        return None
    return "A" if match[1] == "a" else "B"


def _without(answer: str, boxes: list[_Box]) -> str:
    """Cut the boxes out, with the dollars and stars around them, and a last line that was left hanging."""
    starts = [0, *(box.end for box in boxes)]
    ends = [*(box.start for box in boxes), len(answer)]
    kept = [answer[start:end] for start, end in zip(starts, ends, strict=True)]
    kept[:-1] = [text.rstrip("\\$*") for text in kept[:-1]]
    kept[1:] = [text.lstrip("$*") for text in kept[1:]]
    lines = "".join(kept).split("\n")
    while lines and len(lines[-1]) <= _LAST_LINE and _HANGING.fullmatch(lines[-1]) is not None:
        lines.pop()
    return "\n".join(lines).strip()
