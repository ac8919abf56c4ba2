"""Interventions on a rationale: the text before a verdict in, the text that stands there instead out. Pure.

The question is whether a verdict hangs on its rationale: change the rationale, and see whether the verdict changes.
Lanham et al. (2023, arXiv:2307.13702) ask it of a chain of thought, and two of their tests are here. Early answering
cuts the reasoning off and asks for the answer at once: `truncate`, and at its limit `drop`. Adding mistakes changes
what the reasoning says: `swap`, with the largest mistake there is, every claim on the one answer said of the other.
They let the model reason on after the mistake; here the verdict comes right after the rationale, so that it is the
model's reading of exactly this text. `other`, the rationale of another pair that ends in the other verdict, is the
floor: what it moves, a text moves by its letters alone, whatever it says of these answers.

A rationale that closes with "so A is better" gives the verdict away, and a model may follow that sentence alone. The
first half seldom has it, hence `truncate_swap`, to be held against `truncate`.
"""

import json
import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal, get_args

from ralign.evals.probe.response_references import Swapped, WhyNot, swap_mentions
from ralign.judging import BOXED, VerdictFormat, up_to_verdict
from ralign.records import Judgment, PreferencePair

Version = Literal["own", "swap", "other", "truncate", "truncate_swap", "drop"]
"""The rationale as it was written; with the answers' names exchanged; another pair's; its first half; that with the
names exchanged; none."""

VERSIONS: tuple[Version, ...] = get_args(Version)
AGAINST: dict[Version, Version] = {
    "swap": "own",
    "other": "own",
    "truncate": "own",
    "truncate_swap": "truncate",
    "drop": "own",
}
"""Which version each is held against."""

# Between rationale and verdict, where the recorded judgment does not show it.
_LEAD = "\n\n"
_JSON_LEAD = '", '
# Quotation marks and asterisks behind the full stop belong to the sentence; a list has a line where it has no stop.
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])[\"”')*]*\s+|\n+")
_END_OF_WORD = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Text of a judge up to its verdict."""

    thinking: str | None
    """None where it does not think."""
    rationale: str
    lead: str
    """The text between rationale and verdict, such as `Verdict: `."""
    opening: str = ""
    """The text before the rationale, where the answer is JSON."""

    @property
    def text(self) -> str:
        """The answer so far."""
        if self.opening:
            return self.opening + json.dumps(self.rationale, ensure_ascii=False)[1:-1] + self.lead
        return self.rationale + (self.lead if self.rationale else self.lead.lstrip())

    @property
    def digest(self) -> str:
        """Digest of thinking and text."""
        return blake2b(repr((self.thinking, self.text)).encode(), digest_size=8).hexdigest()


def written(judgment: Judgment, written_in: VerdictFormat = BOXED) -> Written:
    """Text of a judgment before its verdict; one whose text has no verdict, recorded elsewhere, is all rationale."""
    if written_in.opening:
        return Written(
            thinking=judgment.thinking,
            rationale=judgment.rationale.strip(),
            lead=_JSON_LEAD,
            opening=written_in.opening,
        )
    parts = up_to_verdict(judgment.text, written_in)
    rationale, lead = (judgment.rationale.strip(), _LEAD) if parts is None else parts
    return Written(thinking=judgment.thinking, rationale=rationale, lead=lead)


def swapped(own: Written, pair: PreferencePair) -> Written | WhyNot:
    """With the two answers' names exchanged, in the thinking too."""
    rationale = swap_mentions(own.rationale, pair)
    thinking = swap_mentions(own.thinking, pair) if own.thinking else "no_mention"
    if "ambiguous" in (rationale, thinking):
        return "ambiguous"
    if not isinstance(rationale, Swapped) and not isinstance(thinking, Swapped):
        return "no_mention"
    return replace(
        own,
        thinking=thinking.text if isinstance(thinking, Swapped) else own.thinking,
        rationale=rationale.text if isinstance(rationale, Swapped) else own.rationale,
    )


def replaced(own: Written, other: Written) -> Written:
    """With another pair's thinking and rationale."""
    return replace(own, thinking=other.thinking, rationale=other.rationale)


def truncated(own: Written) -> Written:
    """The first half: of the thinking, which is then all there is, or else of the rationale."""
    if own.thinking:
        return replace(own, thinking=_first_half(own.thinking), rationale="")
    return replace(own, rationale=_first_half(own.rationale))


def dropped(own: Written) -> Written:
    """Nothing; where the judge thinks, an empty thought."""
    return replace(own, thinking=None if own.thinking is None else "", rationale="")


def _first_half(text: str) -> str:
    """The text up to the end of the sentence, or else of the word, that is nearest to its middle."""
    text = text.strip()
    for end in (_END_OF_SENTENCE, _END_OF_WORD):
        places = [match.start() for match in end.finditer(text)]
        if places:
            return text[: min(places, key=lambda place: abs(place - len(text) / 2))].rstrip()
    return ""
