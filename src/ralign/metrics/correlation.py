"""Does a measure predict what a policy is worth after RLHF? Pearson's r and Spearman's rho over models.

In: one figure per model for each measure and for the downstream result. The paper does this on seven models (its
figure of F-Score against the downstream average); with so few, the interval, the permutation p and the leave-one-out
range say more than r. Never decide by whether two intervals overlap: the difference of two correlations with the same
result has an interval of its own (`compare_correlations`).
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ralign.metrics.intervals import Floats, Interval, Z

FEWEST_MODELS = 4
"""Fisher's interval divides by models - 3."""

_FEWEST_FOR_RHO = 7
_ALL_PERMUTATIONS_UP_TO = 8
_PERMUTATIONS = 10_000


class LeaveOneOut(NamedTuple):
    """The lowest and the highest figure that leaving out one model gives, and which model (its index) that is."""

    low: float
    low_without: int
    high: float
    high_without: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How a measure and a result go together over models."""

    models: int
    pearson: float
    pearson_interval: Interval | None
    """Fisher's z. None below four models, with |r| = 1, or where models are not independent."""
    p_value: float | None
    """Of r, two-sided, by permutation: all orders up to eight models, else 10,000."""
    spearman: float
    spearman_interval: Interval | None
    """Bonett and Wright (2000); from seven models on."""
    leave_one_out: LeaveOneOut | None
    """Of Pearson's r. None with three models, as any two lie on a line."""

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON: tuples by their names."""
        return {
            name: value._asdict() if isinstance(value, Interval | LeaveOneOut) else value
            for name in type(self).__dataclass_fields__
            for value in [getattr(self, name)]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationDifference:
    """How much better one measure predicts the result than another, over the same models."""

    value: float
    """r of the first less r of the second."""
    difference: Interval | None
    """The same with its interval, by Zou (2007, Psychol. Methods 12:399); None where r has none."""
    williams_p: float | None
    """Williams' t test (1959) of two correlations that share a variable, n - 3 degrees of freedom."""
    leave_one_out: LeaveOneOut | None

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        found = asdict(self)
        found["difference"] = None if self.difference is None else self.difference._asdict()
        found["leave_one_out"] = None if self.leave_one_out is None else self.leave_one_out._asdict()
        return found


def correlate(x: ArrayLike, y: ArrayLike, *, independent: bool = True) -> Correlation:
    """Correlate two columns, one entry a model, with 95 % intervals.

    Args:
        x: a measure, one figure a model.
        y: the result.
        independent: False where models belong to families: r alone, for an interval would be too narrow.

    Raises:
        ValueError: fewer than three models, columns of different length, a figure that is not finite, or a
            column that is constant. The message names x or y; which column that is, the caller knows.
    """
    xs, ys = checked(x, y)
    models = len(xs)
    r = float(pearson(xs[None], ys[None])[0])
    # Spearman's rho is Pearson's r of the ranks, ties at their mean rank.
    rho = float(pearson(stats.rankdata(xs)[None], stats.rankdata(ys)[None])[0])
    known = independent and models >= FEWEST_MODELS
    return Correlation(
        models=models,
        pearson=r,
        pearson_interval=_fisher(r, Z / math.sqrt(models - 3)) if known else None,
        p_value=_permutation_p(xs, ys) if known else None,
        spearman=rho,
        spearman_interval=_fisher(rho, Z * math.sqrt((1 + rho**2 / 2) / (models - 3)))
        if known and models >= _FEWEST_FOR_RHO
        else None,
        leave_one_out=_leave_one_out(lambda kept: float(pearson(xs[None, kept], ys[None, kept])[0]), models),
    )


def compare_correlations(
    first: ArrayLike, second: ArrayLike, y: ArrayLike, *, independent: bool = True
) -> CorrelationDifference:
    """Compare how two measures of the same models correlate with the same result.

    Raises:
        ValueError: see `correlate`.
    """
    (one, ys), (two, _) = checked(first, y), checked(second, y)
    models = len(ys)

    def r(a: Floats, b: Floats) -> float:
        return float(pearson(a[None], b[None])[0])

    r1, r2, r12 = r(one, ys), r(two, ys), r(one, two)
    left_out = _leave_one_out(lambda kept: r(one[kept], ys[kept]) - r(two[kept], ys[kept]), models)
    if not independent or models < FEWEST_MODELS or max(abs(r1), abs(r2), abs(r12)) >= 1:
        return CorrelationDifference(value=r1 - r2, difference=None, williams_p=None, leave_one_out=left_out)
    half = Z / math.sqrt(models - 3)
    low1, high1 = math.tanh(math.atanh(r1) - half), math.tanh(math.atanh(r1) + half)
    low2, high2 = math.tanh(math.atanh(r2) - half), math.tanh(math.atanh(r2) + half)
    # The correlation of the two correlations, which share the result.
    determinant = 1 - r1**2 - r2**2 - r12**2
    c = ((r12 - r1 * r2 / 2) * determinant + r12**3) / ((1 - r1**2) * (1 - r2**2))
    c = min(max(c, -1.0), 1.0)
    below = (r1 - low1) ** 2 + (high2 - r2) ** 2 - 2 * c * (r1 - low1) * (high2 - r2)
    above = (high1 - r1) ** 2 + (r2 - low2) ** 2 - 2 * c * (high1 - r1) * (r2 - low2)
    value = r1 - r2
    area = determinant + 2 * r1 * r2 * r12
    t = value * math.sqrt(
        (models - 1)
        * (1 + r12)
        / (2 * (models - 1) / (models - 3) * area + (r1 + r2) ** 2 / 4 * (1 - r12) ** 3)
    )
    return CorrelationDifference(
        value=value,
        difference=Interval(value, value - math.sqrt(max(0.0, below)), value + math.sqrt(max(0.0, above))),
        williams_p=float(2 * stats.t.sf(abs(t), models - 3)),
        leave_one_out=left_out,
    )


def checked(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Two columns that can be correlated.

    Raises:
        ValueError: see `correlate`.
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if xs.ndim != 1 or xs.shape != ys.shape:
        raise ValueError(f"x has shape {xs.shape} and y {ys.shape}, expected one figure a model in each")
    if len(xs) < 3:  # two points always lie on a line
        raise ValueError(f"{len(xs)} models, expected at least 3")
    for name, column in (("x", xs), ("y", ys)):
        if not np.isfinite(column).all():
            raise ValueError(f"{name} has a figure that is not finite")
        if np.ptp(column) == 0:
            raise ValueError(f"{name} is {column[0]:g} for every model: a constant correlates with nothing")
    return xs, ys


def pearson(x: Floats, y: Floats) -> Floats:
    """Pearson's r of each row; shapes (rows, models). NaN where a row is constant."""
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    spread = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip((x * y).sum(axis=1) / spread, -1.0, 1.0)


def _fisher(r: float, half: float) -> Interval | None:
    """tanh(atanh r -+ half). With |r| = 1 [r, r] would be wrong, so there is none."""
    if abs(r) >= 1:
        return None
    return Interval(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def _permutation_p(xs: Floats, ys: Floats) -> float:
    models = len(xs)
    exact = models <= _ALL_PERMUTATIONS_UP_TO
    if exact:
        orders = _every_order(models)
    else:
        rng = np.random.default_rng(0)
        orders = rng.permuted(np.tile(np.arange(models), (_PERMUTATIONS, 1)), axis=1)
    observed = abs(float(pearson(xs[None], ys[None])[0]))
    extreme = int((np.abs(pearson(xs[orders], np.tile(ys, (len(orders), 1)))) >= observed - 1e-12).sum())
    return extreme / len(orders) if exact else (extreme + 1) / (len(orders) + 1)


@cache
def _every_order(models: int) -> NDArray[np.intp]:
    # Kept: a table of many measures over the same models takes it once a measure.
    return np.array(list(permutations(range(models))), dtype=np.intp)


def _leave_one_out(figure: Callable[[NDArray[np.intp]], float], models: int) -> LeaveOneOut | None:
    if models <= 3:
        return None
    without = np.array([figure(np.delete(np.arange(models), left)) for left in range(models)])
    usable = np.flatnonzero(np.isfinite(without))
    if usable.size == 0:
        return None
    low, high = usable[without[usable].argmin()], usable[without[usable].argmax()]
    return LeaveOneOut(float(without[low]), int(low), float(without[high]), int(high))
