"""Reward of a policy by a pairwise judge: verdicts in, a number or None out. Pure.

The paper (section 4, RLHF) has the judge compare the policy's answer with a fixed reference answer: a win is +1, a
loss -1, with a dynamic length penalty that it does not define. Everything else here is ours:

- In both orders, the reward is the mean of the two: +1, 0 (the judge follows the position), or -1. Where one order
  gave no verdict there is no reward. The verdict that is left would be another, position-biased estimate of twice
  the size, and which answers get it would depend on which answers make the judge fail.
- In one order, the side is drawn by a hash of the prompt's id: half the prompts each way, and the same side for
  every completion of a prompt, so that the judge's taste for a position falls out of a group's baseline.
- A tie is 0, a draw.
- No verdict is None, never 0: a 0 would be a draw, and would move the baseline of its whole group.
- Only what the policy says after its thinking is judged. An answer that never ends is not judged at all: it counts
  as lost, less a format penalty, so that running into the limit is worse than losing at the same length.
- The length penalty is `ralign.rewards.length_penalty`.

Without reference answers, a completion's reward is its win rate among the completions of its own group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple

from ralign.errors import InputError
from ralign.models.finish_reason import unfinished
from ralign.records import Order, Verdict
from ralign.thinking import split_thinking

WIN = 1.0
DRAW = 0.0
LOSS = -1.0
_OUTCOMES: dict[Verdict, float] = {"A": WIN, "B": LOSS, "tie": DRAW}

Side = Literal["both", "drawn"]
"""Where the policy's answer is shown: once each way, or once, on a side drawn by the prompt's id."""


def visible_answer(completion: str) -> str:
    """Text that is judged: the completion without its thinking and the blank space around it."""
    return split_thinking(completion).answer.strip()


class ParsedAnswer(NamedTuple):
    """A policy's completion, read."""

    text: str
    """What is judged; see `visible_answer`."""
    ended: bool
    """False where the token limit cut it off, its thought is not closed, or it says nothing after it."""


def parse_answer(completion: str, finish_reason: str | None = None, *, thinks: bool = False) -> ParsedAnswer:
    """The visible answer of a completion, and whether it has an end that could be judged.

    Args:
        completion: the policy's text, thinking included.
        finish_reason: as the engine gives it; one that is not known to be an end is none.
        thinks: the prompt has already opened the thought, so a text without `</think>` is all thought.
    """
    # A thought that the chat template opened has no opener in the completion: only its end tells.
    thinking, text = split_thinking(completion)
    if thinks and thinking is None and text == completion:
        return ParsedAnswer("", ended=False)
    text = text.strip()
    return ParsedAnswer(text, ended=bool(text) and unfinished(finish_reason) is None)


def never_ended(completion: str, finish_reason: str | None = None, *, thinks: bool = False) -> bool:
    """Whether the completion has no end that could be judged; arguments as of `parse_answer`."""
    return not parse_answer(completion, finish_reason, thinks=thinks).ended


def orders_shown(side: Side, prompt_id: str, *, seed: int = 0) -> tuple[Order, ...]:
    """The orders in which answer (a) and reference (b) are shown."""
    return ("ab", "ba") if side == "both" else (drawn_order(prompt_id, seed=seed),)


def drawn_order(prompt_id: str, *, seed: int = 0) -> Order:
    """One order, from a hash of the id: the same in every process, and half of all ids each way."""
    # Python's own hash differs from process to process.
    key = f"{seed}:{prompt_id}".encode("utf-8", "backslashreplace")
    return "ab" if blake2b(key, digest_size=1).digest()[0] & 1 else "ba"


def outcome(verdict: Verdict | None) -> float | None:
    """+1 where the policy's answer (A) is better, -1 where the other (B) is, 0 for a tie; None without a verdict."""
    return None if verdict is None else _OUTCOMES[verdict]


def mean_outcome(verdicts: Sequence[Verdict | None]) -> float | None:
    """The mean over the orders; None where any of them, or all, are missing. Verdicts: A is the policy's answer."""
    outcomes = [score for verdict in verdicts if (score := outcome(verdict)) is not None]
    if not outcomes or len(outcomes) < len(verdicts):
        return None
    return sum(outcomes) / len(outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReward:
    """Reward of one completion, and its parts."""

    reward: float | None
    """score - length_penalty - format_penalty; None where there is no score."""
    score: float | None
    """The judge's part alone: from -1 to 1."""
    length_penalty: float = 0.0
    format_penalty: float = 0.0


def policy_reward(score: float | None, *, length_penalty: float = 0.0) -> PolicyReward:
    """The reward of a completion that ended. `score` is its mean outcome."""
    reward = None if score is None else score - length_penalty
    return PolicyReward(reward=reward, score=score, length_penalty=length_penalty)


def unended_reward(*, format_penalty: float, length_penalty: float = 0.0) -> PolicyReward:
    """The reward of a completion that never ended: lost, less the format penalty."""
    return PolicyReward(
        reward=LOSS - format_penalty - length_penalty,
        score=LOSS,
        length_penalty=length_penalty,
        format_penalty=format_penalty,
    )


class Comparison(NamedTuple):
    """Comparison of two completions of a group, by their index in it; `a` is the one whose win is +1."""

    a: int
    b: int


def round_robin(group_size: int, *, neighbours: int | None = None) -> list[Comparison]:
    """Comparisons to make within a group.

    Args:
        group_size: how many completions the prompt has.
        neighbours: compare each with so many of the next ones on a circle, which makes group_size * neighbours
            comparisons and gives every completion 2 * neighbours of them, half as `a`. None: every pair once.

    Raises:
        InputError: fewer than two completions, or so many neighbours that a pair would come twice.
    """
    if group_size < 2:
        raise InputError(f"the group has {group_size} completions, expected 2 or more to compare them")
    furthest = (group_size - 1) // 2
    if neighbours is None:
        # On an even circle, comparing each with the one opposite would make every such pair twice.
        opposite = [Comparison(each, each + group_size // 2) for each in range(group_size // 2)]
        rest = round_robin(group_size, neighbours=furthest) if furthest else []
        return rest + (opposite if group_size % 2 == 0 else [])
    if not 1 <= neighbours <= furthest:
        raise InputError(
            f"{neighbours} neighbours in a group of {group_size}, expected 1 to {furthest}; "
            "leave it out to compare every pair"
        )
    return [
        Comparison(each, (each + distance) % group_size)
        for distance in range(1, neighbours + 1)
        for each in range(group_size)
    ]


def win_rates(group_size: int, outcomes: Mapping[Comparison, float | None]) -> list[float | None]:
    """Each completion's win rate among those it was compared with, from 0 to 1; a draw is half a win.

    Args:
        group_size: how many completions the group has.
        outcomes: of each comparison, from -1 (b won) to 1 (a won), such as `mean_outcome` gives; None: no verdict.

    Returns:
        One number a completion; None where none of its comparisons has an outcome.
    """
    wins: list[list[float]] = [[] for _ in range(group_size)]
    for (a, b), score in outcomes.items():
        # Without a verdict it counts for neither: as a draw it would pull both towards one half.
        if score is not None:
            wins[a].append((1.0 + score) / 2)
            wins[b].append((1.0 - score) / 2)
    return [sum(each) / len(each) if each else None for each in wins]
