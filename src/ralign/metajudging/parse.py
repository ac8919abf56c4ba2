"""The answer of a meta-judge in, its decision and its points out. Pure.

Strict in both directions: only the end of the answer decides, so that a template or a forged tag quoted on
the way there does not, and whatever is neither Correct nor Incorrect (nor Wrong) is a failure, never
Incorrect. The authors' scripts take the first tag, and everything but `Correct` for Incorrect.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from ralign.judging import CUT_OFF
from ralign.records import GoldPoint

_DECISIONS = {"correct": True, "incorrect": False, "wrong": False}
# Characters. A longer last line is no decision.
_LONGEST_LINE = 200

# The lines that may stand below a decision: closing tags, code fences, rules, closing brackets.
_NO_CONTENT = re.compile(r"(?:</\w+>|\\?[\])}]|[\s`*_$\-=])*")
# `... </analysis><final_verdict>Correct</final_verdict>`: all on one line, the decision an element of its
# own.
_LAST_ELEMENT = re.compile(r".*</\w+>\s*<(\w+)>([^<>]*)</\1>")
_MARKUP = re.compile(r"</?\w+>|\\[a-zA-Z]+|\\.|[{}()\[\]*_`$\"'“”‘’#>•]+")
_LABEL = re.compile(
    r"(?:\d{1,2}[.:) ] *)?(?:- *)?"
    r"(?:(?:my |the )?(?:final |overall )?(?:verdict|decision|judge?ment|answer|conclusion|result)"
    r"(?: is)? ?[:=–—-] *)?"  # the sign is needed: "The verdict is correct" speaks of the judge's verdict
)
_STATED = re.compile(r"\W*stated\W+(yes|no)\W*", re.IGNORECASE)
_POINT = re.compile(r"[\s*_#>•-]*(?:\d{1,3}[.)]\s*)?[*_]*point(?:\s*\d{1,3})?[*_\s]*:[*_\s]*", re.IGNORECASE)


class ParsedMetaJudgment(NamedTuple):
    """A meta-judge's answer as far as it could be read."""

    aligned: bool | None
    points: tuple[GoldPoint, ...]
    """The decisive points it listed; shown, not counted."""
    problem: str | None
    """Why there is no decision, in a few words."""


def parse_meta_judgment(answer: str, finish_reason: str | None = None) -> ParsedMetaJudgment:
    """Read a meta-judge's final answer; `finish_reason` is the endpoint's, where it is known."""
    if finish_reason in CUT_OFF:
        return ParsedMetaJudgment(None, (), CUT_OFF[finish_reason])
    # The last line that says something decides; one that is too long says something, and is no decision.
    lines = (
        line.strip()
        for line in reversed(answer.splitlines())
        if len(line) > _LONGEST_LINE or _NO_CONTENT.fullmatch(line) is None
    )
    line = next(lines, "")
    if not line:
        return ParsedMetaJudgment(None, (), "empty answer")
    aligned = _decision(line)
    shown = line if len(line) <= 60 else f"...{line[-57:]}"
    problem = None if aligned is not None else f"no verdict at the end: {shown!r}"
    return ParsedMetaJudgment(aligned, _points(answer), problem)


def majority(votes: Iterable[bool | None]) -> bool | None:
    """The majority of the votes that answered; None where they are even, or none answered."""
    balance = sum(1 if vote else -1 for vote in votes if vote is not None)
    return None if balance == 0 else balance > 0


def _decision(line: str) -> bool | None:
    if len(line) > _LONGEST_LINE:
        return None
    if (element := _LAST_ELEMENT.fullmatch(line)) is not None:
        line = element[2]
    plain = " ".join(_MARKUP.sub(" ", line).lower().split()).rstrip(" .!")
    label = _LABEL.match(plain)
    return _DECISIONS.get(plain[label.end() :] if label else plain)


def _points(answer: str) -> tuple[GoldPoint, ...]:
    """Read the lines `POINT: ... | STATED: yes`; other lines are passed over."""
    points: list[GoldPoint] = []
    for line in answer.splitlines():
        head, bar, tail = line.rpartition("|")
        if not bar or len(tail) > _LONGEST_LINE:
            continue
        lead = _POINT.match(head)
        stated = _STATED.fullmatch(tail)
        if lead is not None and stated is not None:
            points.append(GoldPoint(text=head[lead.end() :].strip(), stated=stated[1].lower() == "yes"))
    return tuple(points)
