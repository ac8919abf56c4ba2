"""A meta-judge: a pair with its gold rationale and a judgment in, a meta-judgment out (m in section 2).

The gold rationale speaks in the letters of the pairs file, the judge in those of the order it was shown. With
order `ba` the same letter means two answers; the prompt therefore numbers the answers as the judge saw them
and says for each text which letter is which number. Where we differ from the authors' scripts: they show one
order only, and take every unreadable answer for Incorrect.

The answer of a meta-judge in, its decision and its points out. Pure.

Strict in both directions: only the end of the answer decides, so that a template or a forged tag quoted on
the way there does not, and whatever is neither Correct nor Incorrect (nor Wrong) is a failure, never
Incorrect. The authors' scripts take the first tag, and everything but `Correct` for Incorrect.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from ralign.errors import CallFailed
from ralign.judging import Prompt, PromptKind, call_seed, in_pair_letters, shown_responses, unread_reason
from ralign.models.calls import ask
from ralign.models.finish_reason import unfinished
from ralign.models.model import ChatModel, Reply, Request, Sampling
from ralign.models.python import PythonFunction
from ralign.records import GoldPoint, Judgment, MetaJudgment, PreferencePair

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
    if (problem := unfinished(finish_reason)) is not None:
        return ParsedMetaJudgment(None, (), problem)
    # The last line that says something decides; one that is too long says something, and is no decision.
    lines = (
        line.strip()
        for line in reversed(answer.splitlines())
        if len(line) > _LONGEST_LINE or _NO_CONTENT.fullmatch(line) is None
    )
    line = next(lines, "")
    if not line:
        return ParsedMetaJudgment(None, (), "empty answer")
    aligned = None
    # Before any pattern is tried on it: several of them would take quadratic time on a line of a megabyte.
    if len(line) <= _LONGEST_LINE:
        element = _LAST_ELEMENT.fullmatch(line)
        content = line if element is None else element[2]
        plain = " ".join(_MARKUP.sub(" ", content).lower().split()).rstrip(" .!")
        label = _LABEL.match(plain)
        aligned = _DECISIONS.get(plain[label.end() :] if label else plain)
    shown = line if len(line) <= 60 else f"...{line[-57:]}"
    problem = None if aligned is not None else f"no verdict at the end: {shown!r}"
    return ParsedMetaJudgment(aligned, _points(answer), problem)


def majority(votes: Iterable[bool | None]) -> bool | None:
    """The majority of the votes that answered; None where they are even, or none answered."""
    # A vote that failed counts for neither side: an outage must not make a judgment look misaligned.
    balance = sum(1 if vote else -1 for vote in votes if vote is not None)
    return None if balance == 0 else balance > 0


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


META_PROMPT = PromptKind(
    name="meta-judge prompt",
    texts=frozenset({"response_a", "response_b", "response_1", "response_2", "gold_rationale", "rationale"}),
    facts=frozenset(
        {"label", "preferred", "swapped_note"}
        | {f"{who}_letter_{number}" for who in ("gold", "judge") for number in (1, 2)}
    ),
    required=("gold_rationale", "rationale"),
    changing=frozenset({"rationale"}),
    default=Path(__file__).with_name("meta_prompt.txt"),
)
"""`{response_a}`, `{response_b}` and `{label}` are in the letters of the pairs file, which the gold rationale
uses; `{response_1}` and `{response_2}` are in the order the judge saw, and `{preferred}` is the better one's
number. `{gold_letter_1}` is what the gold rationale calls answer 1, `{judge_letter_1}` what the judge calls
it. `{swapped_note}` warns in one sentence where the letters differ, and is empty where they do not; in a
prompt that has neither it nor the letters, the warning is put in front of `{rationale}`."""

SWAPPED_NOTE = (
    "Note: this judge saw the two answers in the other order. What it calls A is B in the gold rationale, "
    "and what it calls B is A there."
)

# A prompt with one of these says itself which letter means which answer; any other gets the note.
_SAYS_LETTERS = frozenset({"swapped_note", "gold_letter_1", "gold_letter_2"})


class MetaJudge(Protocol):
    """Anything that compares a rationale with the gold rationale."""

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        """Say whether the judgment rests on the gold rationale's decisive points. A failure is in the result.

        Raises:
            EndpointRefused: no call can succeed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaJudgeCalls:
    """The calls of a meta-judge that is a chat model: what is sent, and how the reply is read. Pure."""

    RECORDS: ClassVar = (bool, MetaJudgment)

    prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the judgment and the vote."""

    def request(self, pair: PreferencePair, judgment: Judgment, vote: int) -> Request | MetaJudgment:
        """The messages of one meta-judgment.

        A rationale without a single letter or digit rests on no reason: it is misaligned, and no call is made.

        Raises:
            ValueError: the pair has no gold rationale; whoever asks has to check that first.
        """
        # Before the short cut: a pair without a gold rationale is the caller's mistake, whatever the judge wrote.
        messages = self.prompt.render(pair.conversation, meta_prompt_values(self.prompt, pair, judgment))
        if says_nothing(judgment.rationale):
            return _about(judgment, vote, aligned=False)
        return Request(
            messages,
            self.sampling,
            call_seed(self.seed, "meta-judge", pair.benchmark, pair.id, judgment.order, judgment.draw, vote),
        )

    def read(
        self,
        answer: Reply | CallFailed | MetaJudgment | bool,
        pair: PreferencePair,
        judgment: Judgment,
        vote: int,
    ) -> MetaJudgment:
        """The meta-judgment in a reply: `failure="call"` where there was none, `"parse"` where it says nothing.

        One that a Python function made keeps what it says.
        """
        del pair
        if isinstance(answer, bool):
            return _about(judgment, vote, aligned=answer)
        if isinstance(answer, MetaJudgment):
            undecided = answer.aligned is None and answer.failure is None
            failed = (
                {"failure": "parse", "failure_reason": "no_verdict", "detail": "no decision"}
                if undecided
                else {}
            )
            named = {name: getattr(judgment, name) for name in ("pair_id", "benchmark", "order", "draw")}
            return replace(answer, **named, vote=vote, **failed)
        if isinstance(answer, CallFailed):
            return _about(judgment, vote, failure="call", failure_reason=answer.reason, detail=str(answer))
        parsed = parse_meta_judgment(answer.text, answer.finish_reason)
        return _about(
            judgment,
            vote,
            aligned=parsed.aligned,
            points=parsed.points,
            text=answer.text,
            thinking=answer.thinking,
            failure="parse" if parsed.problem else None,
            failure_reason=unread_reason(answer.finish_reason) if parsed.problem else None,
            detail=parsed.problem,
            model=answer.model,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMetaJudge(MetaJudgeCalls):
    """A chat model that is asked with a prompt, or a Python function that needs none."""

    model: ChatModel | PythonFunction

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        """Ask the model once. An outage gives `failure="call"`, an unreadable answer `failure="parse"`.

        Raises:
            ValueError: see `request`.
            EndpointRefused: no call can succeed.
        """
        return await ask(self.model, self, pair, judgment, vote)


def says_nothing(rationale: str) -> bool:
    """Whether a rationale has no letter and no digit: nothing that a meta-judge would have to be asked about."""
    return not any(map(str.isalnum, rationale))


def meta_prompt_values(prompt: Prompt, pair: PreferencePair, judgment: Judgment) -> dict[str, str]:
    """Give the value of every placeholder of a meta-judge prompt but `conversation` and `nonce`.

    Raises:
        ValueError: the pair has no gold rationale.
    """
    gold, label = pair.gold_rationale, pair.label
    if gold is None or label is None or label == "tie":
        raise ValueError(
            f"pair {pair.id!r} has no gold rationale to compare with, or no label that it argues for"
        )
    first, second = shown_responses(pair, judgment.order)
    note = SWAPPED_NOTE if judgment.order == "ba" else ""
    noted = note and prompt.names.isdisjoint(_SAYS_LETTERS)
    return {
        "response_a": pair.response_a,
        "response_b": pair.response_b,
        "response_1": first,
        "response_2": second,
        "label": label,
        "preferred": "1" if in_pair_letters(label, judgment.order) == "A" else "2",
        "gold_letter_1": in_pair_letters("A", judgment.order),
        "gold_letter_2": in_pair_letters("B", judgment.order),
        "judge_letter_1": "A",
        "judge_letter_2": "B",
        "swapped_note": note,
        "gold_rationale": gold,
        "rationale": f"({note})\n\n{judgment.rationale}" if noted else judgment.rationale,
    }


def _about(judgment: Judgment, vote: int, **fields: Any) -> MetaJudgment:
    return MetaJudgment(
        pair_id=judgment.pair_id,
        benchmark=judgment.benchmark,
        order=judgment.order,
        draw=judgment.draw,
        vote=vote,
        **fields,
    )
