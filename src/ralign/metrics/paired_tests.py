"""Whether two runs differ: exact and permutation tests on the same prompts.

Each p-value tests the figure that it stands beside. With one judgment a pair L-Acc has McNemar's exact test; everything
else (both orders, draws, S-Corr, F-Score) has a permutation test: were the two runs alike, each prompt's results could
as well have been the other run's, so they are swapped at random, which for L-Acc flips the sign of the prompt's
difference. Exact over all swaps where few prompts differ, and deterministic (a fixed seed) otherwise.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ralign.metrics.intervals import Floats

SWAPS = 10_000
"""Random swaps where not all can be tried: a p of .05 is known to .004."""

_ALL_UP_TO = 13
"""So many differing prompts are tried in all 2^13 = 8,192 ways."""

_ROUNDING = 1e-12


class PairedTest(NamedTuple):
    """A two-sided test and its p-value."""

    name: str
    p_value: float
    adjusted: float | None = None
    """By Holm, where several runs are compared with the first."""


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> PairedTest:
    """McNemar's exact test (1947): pairs that only one run got right, binomial with p = 1/2."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differing = only_first + only_second
    p_value = float(stats.binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0
    return PairedTest("McNemar exact", p_value)


def swap_test(
    first: Floats, second: Floats, figure: Callable[[Floats], Floats], *, swaps: int = SWAPS
) -> PairedTest:
    """Permutation test of a figure's difference between two runs; p is 1 where no prompt differs.

    Args:
        first: what each prompt adds to the sums that the figure is made of; shape (prompts, sums).
        second: likewise, of the other run.
        figure: sums of shape (n, sums) -> the figure, shape (n,); NaN where undefined.
        swaps: random swaps where not all can be tried.
    """
    change = second - first
    # Prompts that differ alike are interchangeable: how many of them are swapped is all that matters.
    kinds, multiplicity = np.unique(change[(change != 0).any(axis=1)], axis=0, return_counts=True)
    differing = int(multiplicity.sum())
    exact = differing <= _ALL_UP_TO
    name = "sign-flip permutation, exact" if exact else "sign-flip permutation"
    if differing == 0:
        return PairedTest(name, 1.0)
    if exact:
        each = np.repeat(kinds, multiplicity, axis=0)
        swapped = ((np.arange(2**differing)[:, None] >> np.arange(differing)) & 1).astype(np.float64)
        moved = swapped @ each
    else:
        rng = np.random.default_rng(0)
        moved = np.zeros((swaps, first.shape[1]))
        for kind, count in zip(kinds, multiplicity.tolist(), strict=True):
            moved += rng.binomial(count, 0.5, size=swaps)[:, None] * kind
    one, two = first.sum(axis=0), second.sum(axis=0)
    observed = float((figure(two[None]) - figure(one[None]))[0])
    if np.isnan(observed):
        return PairedTest(name, float("nan"))
    drawn = figure(two - moved) - figure(one + moved)
    # A figure that a swap leaves undefined is no more extreme than any.
    extreme = int((np.abs(np.nan_to_num(drawn)) >= abs(observed) - _ROUNDING).sum())
    # The observed assignment is one of all where all are tried; else it is added (Phipson and Smyth 2010).
    p_value = extreme / len(drawn) if exact else (extreme + 1) / (swaps + 1)
    return PairedTest(name, min(1.0, p_value))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979): below .05 all at once no more often than 5 times in 100."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, at in enumerate(np.argsort(p_values).tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = largest
    return adjusted
