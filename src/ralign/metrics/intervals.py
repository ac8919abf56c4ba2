"""How sure a figure is: deterministic 95 % intervals that cover, also at 0 and 100 %, in small and clustered samples.

In: one number a unit, and what it is a share of. Out: the share with its interval. A unit is a prompt: all pairs of
one conversation, never a call, since the draws and orders of one pair, and the pairs of one prompt, are not
independent. The rules, with their coverage by simulation, are in docs/decisions/intervals.md:

- a share: Wilson's interval (1927) with an effective sample size, as Franco, Little, Louis and Slud (2019, J. Surv.
  Stat. Methodol. 7:334) recommend for clustered samples, with Korn and Graubard's (1998) correction for few clusters;
- a product or a difference of shares: MOVER (Zou and Donner 2008, Stat. Med. 27:1693), from the shares' own intervals;
  with one judgment a pair the difference is Newcombe's (1998) method 10.

A percentile bootstrap is none of this: at 0 and 100 % it has no width, and over pairs of one prompt 95 % meant 80.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """A ratio of two sums over units: L-Acc is right / answered, S-Corr misaligned / meta-judged."""

    numerator: Floats
    """Shape (units,); what each unit adds to the numerator."""
    denominator: Floats
    """Shape (units,); what it adds to the denominator, 0 where it has no part in the figure."""
    judgments: float
    """Judgments behind the denominator: more than that many independent ones it cannot be worth."""
    simple: bool = False
    """Whether each unit is one judgment of one pair."""

    @property
    def value(self) -> float:
        """The share; NaN where nothing is in the denominator. Clipped: sums of thirds may end 1e-16 above 1."""
        total = float(self.denominator.sum())
        return min(max(float(self.numerator.sum()) / total, 0.0), 1.0) if total > 0 else math.nan

    @property
    def residuals(self) -> Floats:
        """Each unit's part in the share's error; shape (units,), summing to 0."""
        return self.numerator - self.value * self.denominator

    @property
    def effective_size(self) -> float:
        """The number of independent judgments that would be as sure as these.

        R (1 - R) / v with v the linearised variance of the ratio over units, times (z / t)^2 for few units.
        """
        units = int((self.denominator > 0).sum())
        share = self.value
        if self.simple or units == 1:
            return float(units)
        if share in (0.0, 1.0):
            # Nothing varies, so nothing says how much the judgments of a unit hang together.
            size = float(units)
        else:
            spread = float((self.residuals**2).sum()) * units / (units - 1)
            variance = spread / float(self.denominator.sum()) ** 2
            size = min(self.judgments, share * (1 - share) / variance) if variance > 0 else self.judgments
        return size * (Z / float(stdtrit(units - 1, 0.975))) ** 2

    def interval(self) -> Interval | None:
        """The share with its interval; None where it is undefined."""
        value = self.value
        return None if math.isnan(value) else Interval(value, *wilson(value, self.effective_size))


def wilson(share: float, size: float) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of `size` judgments, which need not be a whole number."""
    centre = (share + Z**2 / (2 * size)) / (1 + Z**2 / size)
    half = Z / (1 + Z**2 / size) * math.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2))
    # By formula the end is the share itself there, and rounding must not put it a hair inside.
    return (0.0 if share == 0 else centre - half), (1.0 if share == 1 else centre + half)


def mean_interval(numerator: Floats, denominator: Floats, judgments: float) -> Interval | None:
    """The mean of numbers in [-1, 1] as a share of (x + 1) / 2, sums by unit as in `Share`; None without any."""
    found = Share((numerator + denominator) / 2, denominator, judgments).interval()
    return None if found is None else Interval(*(2 * end - 1 for end in found))


def product(first: Interval, second: Interval) -> Interval:
    """The product of two shares by MOVER: of what was answered, that part of which another share holds."""
    value = first.value * second.value
    below = math.hypot(second.value * (first.value - first.low), first.value * (second.value - second.low))
    above = math.hypot(second.value * (first.high - first.value), first.value * (second.high - second.value))
    # Of a second share of 0 MOVER's end is that of the first share's value, as if that were known: L-Acc 1/100 and
    # S-Corr 1/1 gave F-Score [0, .008], where a share 0/100 has [0, .037]. The term of second order restores it.
    if second.value == 0:
        above = second.high * math.hypot(first.value, first.high - first.value)
    return Interval(value, max(0.0, value - below), min(first.high, value + above))


def fidelity_interval(label_accuracy: Interval, spurious_correctness: Interval | None) -> Interval | None:
    """F-Score = L-Acc x (1 - S-Corr). 0 where nothing is right; None where S-Corr is not known."""
    if label_accuracy.value == 0:
        return Interval(0.0, 0.0, label_accuracy.high)
    if spurious_correctness is None:
        return None
    value, low, high = spurious_correctness
    return product(label_accuracy, Interval(1 - value, 1 - high, 1 - low))


def difference(first: Interval, second: Interval, first_error: Floats, second_error: Floats) -> Interval:
    """The second figure less the first on the same units, by MOVER with their correlation.

    Args:
        first: a figure with its interval on these units.
        second: likewise.
        first_error: each unit's part in the first figure's error (`Share.residuals`); shape (units,).
        second_error: likewise.
    """
    rho = _correlation(first_error, second_error)
    value = second.value - first.value
    down_second, up_second = second.value - second.low, second.high - second.value
    down_first, up_first = first.value - first.low, first.high - first.value
    below = down_second**2 + up_first**2 - 2 * rho * down_second * up_first
    above = up_second**2 + down_first**2 - 2 * rho * up_second * down_first
    return Interval(
        value,
        max(-1.0, value - math.sqrt(max(0.0, below))),
        min(1.0, value + math.sqrt(max(0.0, above))),
    )


def kappa_interval(table: Floats) -> Interval | None:
    """Cohen's kappa of a square table of counts, on the atanh scale; None where it is undefined.

    The standard error is that of Fleiss, Cohen and Everitt (1969, Psychol. Bull. 72:323). Where it is 0, or kappa
    is 1 or -1, the interval is all that the other side leaves open.
    """
    total = float(table.sum())
    if total == 0:
        return None
    shares = table / total
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, chance = float(np.trace(shares)), float(rows @ columns)
    if chance >= 1:
        return None
    kappa = (observed - chance) / (1 - chance)
    scale = 1 - kappa
    on_diagonal = (np.diag(shares) * (1 - (rows + columns) * scale) ** 2).sum()
    off = shares * (columns[:, None] + rows[None, :]) ** 2
    off_diagonal = scale**2 * (off.sum() - np.trace(off))
    variance = (on_diagonal + off_diagonal - (kappa - chance * scale) ** 2) / (total * (1 - chance) ** 2)
    if abs(kappa) >= 1 or variance <= 0:
        return Interval(kappa, min(kappa, -1.0), max(kappa, 1.0)) if kappa < 1 else Interval(1.0, -1.0, 1.0)
    half = Z * math.sqrt(float(variance)) / (1 - kappa**2)
    return Interval(kappa, math.tanh(math.atanh(kappa) - half), math.tanh(math.atanh(kappa) + half))


def _correlation(first: Floats, second: Floats) -> float:
    """The correlation of two figures' errors over units, with Newcombe's continuity correction."""
    units = len(first)
    if units == 0:
        return 0.0
    covariance = float((first * second).mean())
    if covariance > 0:
        covariance = max(0.0, covariance - 1 / (2 * units))
    spread = math.sqrt(float((first**2).mean()) * float((second**2).mean()))
    return 0.0 if spread == 0 else min(max(covariance / spread, -1.0), 1.0)
