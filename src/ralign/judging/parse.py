"""The answer of a judge in, its rationale and its verdict out. Pure.

What comes in is the final answer: thinking has been split off, so that a format the model talks about while
it thinks cannot decide. Where a verdict may stand and how it is read is `ralign.judging.verdicts`. The authors' scripts
read the first box, and only `\\boxed{A}` and `\\boxed{B}` to the letter.
"""

import re
from typing import NamedTuple

from ralign.judging.verdicts import BOXED, VerdictFormat, plain, rationale_field, read_verdict
from ralign.models.finish_reason import read_finish_reason, unfinished
from ralign.records import FailureReason, Verdict


def unread_reason(finish_reason: str | None) -> FailureReason:
    """Why an answer that came gave no result: it is not finished, or says nothing that could be read."""
    if unfinished(finish_reason) is None:
        return "no_verdict"
    return "filtered" if read_finish_reason(finish_reason) == "content_filter" else "cut_off"


# Characters. A longer last line is part of the rationale, not a heading left without its verdict.
_LAST_LINE = 80
_HANGING = re.compile(
    r"\W*(?:(?:so|thus|therefore|hence|finally|in|my|the|a|final|overall)\W+)*"
    r"(?:(?:verdict|answer|decision|choice|judge?ment|conclusion|winner|preference|(?:better|preferred|best)\W+"
    r"(?:response|answer|assistant|output|one))\W*(?:is|goes\W+to)?(?:\W+(?:a\W+)?tie)?)?\W*",
    re.IGNORECASE,
)


class ParsedJudgment(NamedTuple):
    """A judge's answer as far as it could be read."""

    rationale: str
    """The answer without its verdict. May be empty: a bare verdict is a verdict, right or wrong, but
    gives a meta-judge nothing that could be aligned."""
    verdict: Verdict | None
    """In the letters the judge was shown."""
    problem: str | None = None
    """Why there is no verdict, in a few words."""
    reason: FailureReason | None = None
    """The same as a kind."""
    much: bool = False
    """Whether it says much better: `A>>B`."""


class UpToVerdict(NamedTuple):
    """The part of a judge's answer before its verdict."""

    rationale: str
    lead: str
    """The text between the rationale and the box: blank space, `Verdict:`, a `$`."""


def parse_verdict(
    answer: str, finish_reason: str | None = None, written_in: VerdictFormat = BOXED
) -> ParsedJudgment:
    """Read a judge's final answer; `finish_reason` is the endpoint's, where it is known."""
    if (problem := unfinished(finish_reason)) is not None:
        return ParsedJudgment(answer.strip(), None, problem, unread_reason(finish_reason))
    rationale = plain(answer).strip()
    if not rationale:
        return ParsedJudgment("", None, "empty answer", "no_verdict")
    if written_in is BOXED:
        before, box, last = rationale.rpartition("\\boxed{")
        # Nearly always: one box, at the end. In a training run this is called for every sample.
        # An answer of `A}` alone has no box: `rpartition` then gives all of it as the last part.
        if box and last in ("A}", "B}") and "oxed" not in before:
            return ParsedJudgment(_tidied(before.rstrip("\\$*")), "A" if last == "A}" else "B")
    # The slow way: a box in the middle, several boxes, one that is spelled in another way, another format.
    verdict, much, at, why, problem = read_verdict(rationale, written_in)
    if verdict is None:
        return ParsedJudgment(rationale, None, problem, why)
    if written_in.opening and (written := rationale_field(rationale)) is not None:
        return ParsedJudgment(written.strip(), verdict, much=much)
    # The rationale must not show its verdicts, nor the dollars and stars around them.
    starts = [0, *(each.end for each in at)]
    ends = [*(each.start for each in at), len(rationale)]
    kept = [rationale[start:end] for start, end in zip(starts, ends, strict=True)]
    kept[:-1] = [text.rstrip("\\$*") for text in kept[:-1]]
    kept[1:] = [text.lstrip("$*") for text in kept[1:]]
    return ParsedJudgment(_tidied("".join(kept)), verdict, much=much)


def up_to_verdict(answer: str, written_in: VerdictFormat = BOXED) -> UpToVerdict | None:
    """Take an answer apart where its verdict begins (the first of several that agree); None without a letter.

    Both parts together are the answer up to there, but for blank space at its beginning.
    """
    answer = plain(answer)
    votes = [each for each in written_in.find(answer) if each.verdict in ("A", "B")]
    if not votes:
        return None
    before = answer[: votes[-1 if written_in.last_counts else 0].start].lstrip()
    rationale = _tidied(before.rstrip("\\$*"))
    return UpToVerdict(rationale, before[len(rationale) :])


def _tidied(rationale: str) -> str:
    """Cut off last lines that only announce the verdict that stood behind them."""
    end = len(rationale)
    while end > 0:
        start = rationale.rfind("\n", 0, end) + 1
        if end - start > _LAST_LINE or _HANGING.fullmatch(rationale, start, end) is None:
            break
        end = start - 1
    return rationale[: max(end, 0)].strip()
