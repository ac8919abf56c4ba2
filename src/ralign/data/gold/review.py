"""From the drafts of one pair to its gold rationale, to the next call that is owed, or to giving it up. Pure.

A draft is taken when it can be read, gives reasons, reaches the label by itself, does not say that it was told, and,
where there is a judge, when that judge, who does not know the label, is led to it too. Reviewing follows from
what is recorded alone: nothing else is remembered from one session to the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from ralign.data.gold.label_leak import find_label_leak
from ralign.models.finish_reason import unfinished
from ralign.records import Judgment, PreferencePair

Reason = Literal["cut_off", "unreadable", "no_reasons", "other_verdict", "label_leak", "not_confirmed"]
"""Why a draft is not taken. In this order: the first that applies is named."""

REASONS: tuple[Reason, ...] = get_args(Reason)


class Rejection(NamedTuple):
    """A draft that is not taken."""

    draw: int
    reason: Reason
    detail: str


class Owed(NamedTuple):
    """The next call that a pair needs."""

    call: Literal["draft", "check"]
    draw: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Where a pair stands. With neither `gold` nor `owed`, it has used up its draws."""

    gold: Judgment | None = None
    """The draft that was taken."""
    owed: Owed | None = None
    rejections: tuple[Rejection, ...] = ()


def review(
    pair: PreferencePair,
    drafts: Sequence[Judgment],
    checks: Mapping[int, Judgment] | None,
    *,
    draws_limit: int,
) -> Review:
    """Say where a pair stands.

    Args:
        pair: with its label.
        drafts: the answered drafts, `drafts[k]` being draw k.
        checks: by draw, what the judge said; None where there is no judge.
        draws_limit: drafts at most.
    """
    rejections: list[Rejection] = []
    for draw in range(draws_limit):
        if draw >= len(drafts):
            return Review(owed=Owed("draft", draw), rejections=tuple(rejections))
        rejection = review_draft(pair, drafts[draw])
        if rejection is None and checks is not None:
            if draw not in checks:
                return Review(owed=Owed("check", draw), rejections=tuple(rejections))
            rejection = review_check(pair, checks[draw])
        if rejection is None:
            return Review(gold=drafts[draw], rejections=tuple(rejections))
        rejections.append(rejection)
    return Review(rejections=tuple(rejections))


def review_draft(pair: PreferencePair, draft: Judgment) -> Rejection | None:
    """Why a draft is not taken, before anybody checks it."""
    # Before its verdict, which it lacks as well: the limit is what the user can raise.
    if (problem := unfinished(draft.finish_reason)) is not None:
        return Rejection(draft.draw, "cut_off", problem)
    if draft.verdict is None:
        return Rejection(draft.draw, "unreadable", draft.detail or "no verdict")
    if not any(map(str.isalnum, draft.rationale)):
        return Rejection(draft.draw, "no_reasons", "a verdict without a rationale")
    # Not the writer's fault alone: it is asked for an honest verdict, and where every draft argues for the other answer
    # the label is doubtful. left_out.jsonl says so.
    if draft.verdict != pair.label:
        return Rejection(
            draft.draw, "other_verdict", f"it argues for {draft.verdict}, the label is {pair.label}"
        )
    # An answer may speak of labels and of people; to quote it gives nothing away.
    quotable = [pair.response_a, pair.response_b, *(message.content for message in pair.conversation)]
    if (words := find_label_leak(draft.rationale, quotable)) is not None:
        return Rejection(draft.draw, "label_leak", f"it says {words!r}")
    return None


def review_check(pair: PreferencePair, check: Judgment) -> Rejection | None:
    """Why a draft is not taken after its check. A check that cannot be read vouches for nothing."""
    if check.verdict == pair.label:
        return None
    led_to = check.verdict or check.detail or "no verdict"
    return Rejection(check.draw, "not_confirmed", f"the judge was led to: {led_to}")
