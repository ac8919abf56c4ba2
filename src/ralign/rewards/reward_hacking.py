"""Signs of reward hacking during RL: a step's answers in, one `RewardHackingSigns` out. Pure.

A judge that is gamed pays more and more for answers that get no better. Nobody sees that in the reward, which rises
either way; one sees it in what the answers look like, and in what another judge thinks of them. The paper (section
5) tells of the outcome, policies that lose on STEM and code; these signs are ours, taken from:

- Markdown: headers, list items and bold per answer, counted as style control counts them (`ralign.rewards.style`).
- Repetition: seq-rep-4, the share of an answer's 4-grams that it has said before (Welleck et al., arXiv 1908.04319).
- Opening: how much the answers to different prompts begin alike. One phrase that wins whatever is asked is the
  cheapest hack of all ("Thought process:", arXiv 2507.08794).
- The second judge: the policy never trains on it, so where the two drift apart, the policy is fitting the first
  (Gao et al., arXiv 2210.10760, with their gold reward model in its place).

Every step has the same signs; one that the step's figures cannot give is None, never 0. Answers are looked at
without their thinking; one that shows nothing after it (its thought never ended) counts in `never_ended` alone.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from statistics import correlation, fmean

from ralign.records import Order, Verdict
from ralign.rewards.style import style_of

# A run of letters and digits, or one character of a script that puts no space between words.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")

REPETITION_NGRAM = 4
OPENING_WORDS = 4
# Two points always lie on a line.
_FEWEST_FOR_AGREEMENT = 3
# Scores are means of few verdicts: closer than this they are one number.
_SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedAnswer:
    """Completion of a policy, and its scores by the judges."""

    answer: str
    """Without its thinking; empty where it shows nothing after that."""
    reward: float | None = None
    """The reward it trains on, penalties included; None: not scored."""
    score: float | None = None
    """The judge's part of it alone, from -1 to 1."""
    reference_answer: str | None = None
    verdicts: Mapping[Order, Verdict | None] = field(default_factory=dict[Order, "Verdict | None"])
    """By the order shown; A is the policy's answer in either."""
    second_score: float | None = None
    """The same as `score`, by a judge that the policy does not train on."""
    ended: bool = True
    """False where the token limit cut it off or its thought never closed (`rewards.policy.never_ended`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardHackingSigns:
    """One step's signs. Means are over answers; None: this step cannot tell."""

    step: int
    answers: int
    """How many completions the step had."""
    reward: float | None
    score: float | None
    length: float | None
    """Characters."""
    length_ratio: float | None
    """Mean length over the mean length of the references, of answers that have one."""
    list_items: float | None
    """List items (bullets and numbers) an answer."""
    headers: float | None
    """Markdown headers an answer."""
    bold: float | None
    """Bold phrases an answer."""
    repetition: float | None
    """Share of an answer's 4-grams that it has said before, 0..1. Answers of fewer than four words left out."""
    same_opening: float | None
    """Share of prompts whose answers begin with the step's commonest four words, 0..1. Needs two prompts."""
    unanimous_groups: float | None
    """Share of groups whose scored answers all have one score: nothing to learn. Groups of one left out."""
    order_disagreement: float | None
    """Share of answers whose verdicts in the two orders differ. Needs verdicts in both."""
    unscored: float | None
    """Share of answers without a reward: the judge failed."""
    never_ended: float | None
    """Share of answers that never end."""
    second_score: float | None
    """Mean over the answers that both judges scored; so are the next two."""
    judge_gap: float | None
    """How much more the policy's own judge gives than the second one, -2..2."""
    judge_agreement: float | None
    """Pearson's r of the two judges' scores. None where one of them gives every answer the same."""

    def as_dict(self) -> dict[str, float | None]:
        """Ready for a log: the same keys at every step."""
        return asdict(self)


SIGNS = tuple(each.name for each in fields(RewardHackingSigns) if each.name != "step")
"""The names that a stop rule can use."""


def signs_of(step: int, groups: Iterable[Sequence[GradedAnswer]]) -> RewardHackingSigns:
    """The signs of one step.

    Args:
        step: its number.
        groups: the completions of the step, those of one prompt together; without groups, each a group of one.
    """
    by_prompt = [group for group in groups if group]
    answers = [answer for group in by_prompt for answer in group]
    # An answer that shows nothing would pass for the shortest and plainest of all.
    shown = [answer for answer in answers if answer.answer]
    texts = [answer.answer for answer in shown]
    styles = [style_of(text) for text in texts]
    words = [_words(text) for text in texts]
    referenced = [(answer.answer, answer.reference_answer) for answer in shown if answer.reference_answer]
    # Of the sums, as `rewards.length_penalty.steer` takes it: a one-word reference must not decide alone.
    reference_length = sum(len(reference) for _, reference in referenced)
    groups_of_scores = [[a.score for a in group if a.score is not None] for group in by_prompt]
    in_both_orders = [(a.verdicts.get("ab"), a.verdicts.get("ba")) for a in answers]
    # Both judges' means over the same answers: else the gap would show on which of them one judge failed.
    scored_twice = [
        (a.score, a.second_score) for a in answers if a.score is not None and a.second_score is not None
    ]
    return RewardHackingSigns(
        step=step,
        answers=len(answers),
        reward=_mean(answer.reward for answer in answers if answer.reward is not None),
        score=_mean(answer.score for answer in answers if answer.score is not None),
        length=_mean(map(len, texts)),
        length_ratio=sum(len(text) for text, _ in referenced) / reference_length if referenced else None,
        list_items=_mean(style.list_items for style in styles),
        headers=_mean(style.headers for style in styles),
        bold=_mean(style.bold for style in styles),
        repetition=_mean(repeated_share(each) for each in words if len(each) >= REPETITION_NGRAM),
        same_opening=_same_opening(by_prompt),
        unanimous_groups=_mean(
            max(scores) - min(scores) < _SAME for scores in groups_of_scores if len(scores) > 1
        ),
        order_disagreement=_mean(ab != ba for ab, ba in in_both_orders if ab and ba),
        unscored=_mean(answer.reward is None for answer in answers),
        never_ended=_mean(not answer.ended for answer in answers),
        second_score=_mean(second for _, second in scored_twice),
        judge_gap=_mean(first - second for first, second in scored_twice),
        judge_agreement=_agreement(scored_twice),
    )


def repeated_share(words: Sequence[str], n: int = REPETITION_NGRAM) -> float:
    """seq-rep-n (Welleck et al., arXiv 1908.04319): 1 - distinct n-grams / n-grams.

    It grows a little with length in any text: compare it with the first steps', not with 0.

    Raises:
        ValueError: fewer than n words, so no n-gram.
    """
    total = len(words) - n + 1
    if total < 1:
        raise ValueError(f"{len(words)} words have no {n}-gram")
    return 1 - len(set(zip(*(words[start : start + total] for start in range(n)), strict=True))) / total


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _mean(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return fmean(numbers) if numbers else None


def _same_opening(by_prompt: Sequence[Sequence[GradedAnswer]]) -> float | None:
    """Over prompts and not answers: completions of one prompt may well begin alike."""
    prompts = 0
    shares: dict[tuple[str, ...], float] = {}
    for group in by_prompt:
        openings = Counter(opening for a in group if (opening := tuple(_words(a.answer)[:OPENING_WORDS])))
        prompts += bool(openings)
        for opening, count in openings.items():
            shares[opening] = shares.get(opening, 0.0) + count / openings.total()
    return max(shares.values()) / prompts if prompts > 1 else None


def _agreement(scores: Sequence[tuple[float, float]]) -> float | None:
    if len(scores) < _FEWEST_FOR_AGREEMENT:
        return None
    firsts, seconds = zip(*scores, strict=True)
    # A judge that gives every answer the same has no correlation with anything: 0 / 0.
    if max(firsts) - min(firsts) < _SAME or max(seconds) - min(seconds) < _SAME:
        return None
    return correlation(firsts, seconds)
