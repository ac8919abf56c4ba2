"""Confidence of a figure: 95 % percentile bootstrap intervals, over pairs.

In: an array of what each pair adds to some sums. Out: those sums under resampling, all columns from the same
draws, so that whatever holds between the sums (F = L x (1 - S)) holds in every resample.

Pairs are the unit, never calls: the draws and orders of one pair are about the same text and are not
independent. Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13, has the percentile
interval. Its known weakness: where all pairs are alike (all right, say), every resample is too, and the
interval has no width.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 10_000
"""Enough for the ends of a 95 % interval to move by less than 2 % of its width from seed to seed."""

# Numbers held at a time while resampling: 32 MB.
_CHUNK = 4_000_000

# A binomial draw costs about as much as this many index draws (measured, numpy 2.4).
_INDEX_DRAWS_PER_BINOMIAL = 20


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def resampled_sums(shares: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Sums over as many pairs, drawn with replacement; (pairs, columns) -> (resamples, columns).

    Pairs take few distinct values. How often each distinct row comes up when n pairs are drawn is
    multinomial, so drawing those counts is the same bootstrap at a fraction of the cost. Where rows are
    mostly distinct (many draws a pair), pairs are drawn one by one. Rows are sorted first: the result does
    not depend on the order of the pairs.
    """
    pairs, columns = shares.shape
    if pairs == 0:
        return np.zeros((resamples, columns))
    rows, multiplicity = np.unique(shares, axis=0, return_counts=True)
    if len(rows) * _INDEX_DRAWS_PER_BINOMIAL <= pairs:
        counts = _multinomial_counts(multiplicity / pairs, pairs, resamples, rng)
    else:
        rows = np.repeat(rows, multiplicity, axis=0)
        counts = _index_counts(pairs, resamples, rng)
    return np.concatenate([chunk @ rows for chunk in counts])


def interval(value: float, samples: Floats) -> Interval | None:
    """The figure with the middle 95 % of its resamples; None where the figure is undefined (NaN).

    Resamples in which it is undefined (no right judgment was drawn, say) are left out.
    """
    defined = samples[~np.isnan(samples)]
    if np.isnan(value) or defined.size == 0:
        return None
    low, high = np.quantile(defined, (0.025, 0.975))
    return Interval(float(value), float(low), float(high))


def _multinomial_counts(
    probabilities: Floats, pairs: int, resamples: int, rng: np.random.Generator
) -> Iterator[Floats]:
    for size in _chunk_sizes(resamples, len(probabilities)):
        yield rng.multinomial(pairs, probabilities, size=size).astype(np.float64)


def _index_counts(pairs: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    for size in _chunk_sizes(resamples, pairs):
        chunk = np.empty((size, pairs))
        # One row at a time: counting within a row stays in the cache.
        for row in chunk:
            row[:] = np.bincount(rng.integers(pairs, size=pairs), minlength=pairs)
        yield chunk


def _chunk_sizes(resamples: int, width: int) -> Iterator[int]:
    size = max(1, _CHUNK // width)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)
