"""Worth of several decisions about one thing: the votes of one meta-judge, or several meta-judges. Pure.

Votes that are wrong about the same judgments add little. With n votes whose errors correlate by rho, their majority is
worth about n / (1 + (n - 1) rho) independent ones: Kish's design effect (1965, Survey Sampling, section 5.4), rho the
mean correlation of two votes' errors.
"""

from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ralign.metrics.intervals import Interval, Share


class PanelWorth(NamedTuple):
    """Worth of a panel, over what all of its members decided."""

    votes: int
    judged: int
    """How many decisions all of them made."""
    error_correlation: float
    """Mean correlation of two members' errors; below 0 counts as 0."""
    effective_votes: float
    """Between 1 (they err together) and their number (they err apart)."""


def panel_worth(reference: Sequence[bool], votes: Sequence[Sequence[bool | None]]) -> PanelWorth | None:
    """How many independent votes a panel is worth; None where no two members have errors that vary.

    Args:
        reference: what is right.
        votes: of each member, as many as `reference`; None where it decided nothing.

    Raises:
        ValueError: a member with another number of votes.
    """
    rows = [
        row for row in zip(reference, *votes, strict=True) if all(decision is not None for decision in row)
    ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(votes) + 1)
    errors = np.abs(table[:, 1:] - table[:, :1])
    # A member that is never wrong, or always, has no correlation with any other.
    varying = errors[:, errors.std(axis=0) > 0] if len(rows) else errors[:, :0]
    if varying.shape[1] < 2:
        return None
    table = np.corrcoef(varying, rowvar=False)
    rho = float(np.clip(table[np.triu_indices_from(table, 1)].mean(), 0.0, 1.0))
    return PanelWorth(len(votes), len(rows), rho, len(votes) / (1 + (len(votes) - 1) * rho))


def vote_agreement(votes: Sequence[Sequence[bool | None]], prompts: Sequence[Hashable]) -> Interval | None:
    """The share of two votes about one judgment that say the same, over prompts.

    Args:
        votes: by judgment, its votes; None where one decided nothing.
        prompts: which prompt each judgment is about.
    """
    sums: dict[Hashable, list[int]] = {}
    for own, prompt in zip(votes, prompts, strict=True):
        decided = [vote for vote in own if vote is not None]
        counts = sums.setdefault(prompt, [0, 0])
        for one, two in combinations(decided, 2):
            counts[0] += one == two
            counts[1] += 1
    table = np.array(list(sums.values()), dtype=np.float64).reshape(-1, 2)
    return Share(table[:, 0], table[:, 1], float(table[:, 1].sum())).interval()
