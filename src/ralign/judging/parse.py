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

from ralign.models.finish_reason import unfinished
from ralign.records import Verdict

_Vote = Literal["A", "B", "tie"]

_BOX = re.compile(r"\\boxed\s{0,4}\{")
# Characters. A verdict is short; the bound keeps a run of unclosed boxes from costing quadratic time.
_LONGEST_BOX = 200

# Commands that only dress a text. Any other makes it a formula: the root of b is no vote for B.
_DRESS = re.compile(
    r"\\(?:text[a-z]*|math(?:bf|rm|it|sf|tt|normal)|operatorname|boldsymbol|bm|bf|rm|it|[mf]box|boxed|emph"
    r"|underline|[lL]arge|LARGE|[hH]uge|displaystyle|quad)(?![a-zA-Z])|\\[^a-zA-Z]"
)
# Found around the letters of real judges: emphasis, quotes, brackets, a full stop.
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

# Characters. A longer last line is part of the rationale, not a heading left without its verdict.
_LAST_LINE = 80
_HANGING = re.compile(
    r"\W*(?:(?:so|thus|therefore|hence|finally|in|my|the|a|final|overall)\W+)*"
    r"(?:(?:verdict|answer|decision|choice|judge?ment|conclusion|winner|preference|(?:better|preferred|best)\W+"
    r"(?:response|answer|assistant|output|one))\W*(?:is|goes\W+to)?)?\W*",
    re.IGNORECASE,
)


class ParsedJudgment(NamedTuple):
    """A judge's answer as far as it could be read."""

    rationale: str
    """The answer without its boxed verdict. May be empty: a bare verdict is a verdict, right or wrong, but
    gives a meta-judge nothing that could be aligned."""
    verdict: Verdict | None
    """In the letters the judge was shown."""
    problem: str | None
    """Why there is no verdict, in a few words."""


class UpToVerdict(NamedTuple):
    """The part of a judge's answer before its verdict."""

    rationale: str
    lead: str
    """The text between the rationale and the box: blank space, `Verdict:`, a `$`."""


class _Box(NamedTuple):
    start: int
    end: int
    content: str
    vote: _Vote | None
    """The verdict of the content, its spelling aside; None where it holds none."""


def parse_verdict(answer: str, finish_reason: str | None = None) -> ParsedJudgment:
    """Read a judge's final answer; `finish_reason` is the endpoint's, where it is known."""
    if (problem := unfinished(finish_reason)) is not None:
        return ParsedJudgment(answer.strip(), None, problem)
    rationale = answer.strip()
    if not rationale:
        return ParsedJudgment("", None, "empty answer")
    before, box, last = rationale.rpartition("\\boxed{")
    # Nearly always: one box, at the end. In a training run this is called for every sample.
    # An answer of `A}` alone has no box: `rpartition` then gives all of it as the last part.
    if box and last in ("A}", "B}") and "\\boxed" not in before:
        return ParsedJudgment(_tidied(before.rstrip("\\$*")), "A" if last == "A}" else "B", None)
    # The slow way: a box in the middle, several boxes, or one that is spelled in another way.
    boxes = list(_boxes(answer))
    votes = [box for box in boxes if box.vote is not None]
    if not votes:
        other = f", but {' '.join(boxes[-1].content.split())[:40]!r} in a box" if boxes else ""
        return ParsedJudgment(rationale, None, f"no \\boxed verdict{other}")
    verdict = votes[-1].vote
    if len(different := {box.vote or "" for box in votes}) > 1:
        return ParsedJudgment(rationale, None, f"two different verdicts: {', '.join(sorted(different))}")
    if verdict is None or verdict == "tie":
        return ParsedJudgment(rationale, None, "no \\boxed verdict, but a tie")
    # The boxes are cut out, with the dollars and stars around them: the rationale must not show the verdict.
    starts = [0, *(box.end for box in votes)]
    ends = [*(box.start for box in votes), len(answer)]
    kept = [answer[start:end] for start, end in zip(starts, ends, strict=True)]
    kept[:-1] = [text.rstrip("\\$*") for text in kept[:-1]]
    kept[1:] = [text.lstrip("$*") for text in kept[1:]]
    return ParsedJudgment(_tidied("".join(kept)), verdict, None)


def up_to_verdict(answer: str) -> UpToVerdict | None:
    """Take an answer apart where its first verdict begins; None where it has no boxed verdict.

    Both parts together are the answer up to there, but for blank space at its beginning.
    """
    box = next((box for box in _boxes(answer) if box.vote in ("A", "B")), None)
    if box is None:
        return None
    before = answer[: box.start].lstrip()
    rationale = _tidied(before.rstrip("\\$*"))
    return UpToVerdict(rationale, before[len(rationale) :])


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
                    content = answer[match.end() : i]
                    yield _Box(match.start(), end, content, _read(content))
                    break


def _read(content: str) -> _Vote | None:
    if content == "A" or content == "B":  # nearly always
        return content
    plain = _DECORATION.sub(" ", _DRESS.sub(" ", content)).strip().lower()
    if plain in _NO_LETTER:
        return "tie"
    match = _LETTER.fullmatch(plain)
    if match is None:
        return None
    return "A" if match[1] == "a" else "B"


def _tidied(rationale: str) -> str:
    """Cut off last lines that only announce the verdict that stood behind them."""
    end = len(rationale)
    while end > 0:
        start = rationale.rfind("\n", 0, end) + 1
        if end - start > _LAST_LINE or _HANGING.fullmatch(rationale, start, end) is None:
            break
        end = start - 1
    return rationale[: max(end, 0)].strip()
