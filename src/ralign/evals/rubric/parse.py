"""The answer of a judge that grades one answer in, its yes or no or its score out. Pure.

Only the last line that says something decides, so that a verdict quoted on the way there does not. Anything else there
is a failure, never a no or a low score: a judge that rambles must not pass for one that is strict.
"""

import re
from typing import Literal, NamedTuple

from ralign.models.finish_reason import unfinished

Kind = Literal["question", "score"]
"""The form of a criterion: a question with the answer yes or no, or a score from 1 to 10."""

LOWEST, HIGHEST = 1, 10

# Characters. A longer last line is prose that happens to end in one of the words.
_LONGEST_LINE = 200
# Models set a verdict in bold, in tags or in LaTeX's \boxed{}, whatever the prompt asks for.
_MARKUP = re.compile(r"</?\w+>|\\[a-zA-Z]+|[{}()\[\]*_`$\"'“”‘’#>|]+")
_LABEL = r"(?:(?:the |my )?(?:final |overall )?(?:verdict|score|grade|rating|answer)(?: is)? ?[:=–—-]? ?)?"
_YES_OR_NO = re.compile(rf"{_LABEL}(yes|no)")
_SCORE = re.compile(rf"{_LABEL}(\d{{1,2}})(?: ?(?:/|out of|of) ?{HIGHEST})?")


class ParsedGrade(NamedTuple):
    """The grade in an answer."""

    found: int | None
    """1 for yes and 0 for no, or the score; None where there is none."""
    problem: str | None
    """Why there is none, in a few words."""


def parse_grade(answer: str, kind: Kind, finish_reason: str | None = None) -> ParsedGrade:
    """Read a judge's final answer; `finish_reason` is the endpoint's, where it is known."""
    # A text that was cut off may end in a line that the judge was about to take back.
    if (problem := unfinished(finish_reason)) is not None:
        return ParsedGrade(None, problem)
    plain = (
        " ".join(_MARKUP.sub(" ", line).lower().split()).strip(" .!-=")
        for line in reversed(answer.splitlines())
    )
    line = next(filter(None, plain), "")
    if not line:
        return ParsedGrade(None, "empty answer")
    pattern = _YES_OR_NO if kind == "question" else _SCORE
    match = pattern.fullmatch(line) if len(line) <= _LONGEST_LINE else None
    if match is None:
        wanted = "yes or no" if kind == "question" else f"score from {LOWEST} to {HIGHEST}"
        return ParsedGrade(None, f"no {wanted} at the end: {line[-60:]!r}")
    if kind == "question":
        return ParsedGrade(int(match[1] == "yes"), None)
    score = int(match[1])
    if not LOWEST <= score <= HIGHEST:
        return ParsedGrade(None, f"the score is {score}, expected {LOWEST} to {HIGHEST}")
    return ParsedGrade(score, None)
