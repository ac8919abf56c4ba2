"""Correlation over models of a measure with what a policy is worth after RLHF: Pearson's r and Spearman's rho.

In: one figure per model for the measure and for the downstream result. The paper does this on seven models
(its figure of F-Score against downstream average); with so few, the interval and the leave-one-out range say
more than r.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ralign.metrics.intervals import RESAMPLES, Interval, interval

Floats = NDArray[np.float64]

FEWEST_MODELS = 3
"""Two points always lie on a line."""


class LeaveOneOut(NamedTuple):
    """The lowest and the highest r that leaving out one model gives, and which model (its index) that is."""

    low: float
    low_without: int
    high: float
    high_without: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Correlation of a measure and a result over models."""

    models: int
    pearson: Interval
    spearman: Interval
    degenerate_resamples: int
    """Resamples that drew one x, or one y, throughout: no correlation, left out of both intervals."""
    leave_one_out: LeaveOneOut | None
    """Of Pearson's r. None with three models, as any two lie on a line."""

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "models": self.models,
            "pearson": self.pearson._asdict(),
            "spearman": self.spearman._asdict(),
            "degenerate_resamples": self.degenerate_resamples,
            "leave_one_out": None if self.leave_one_out is None else self.leave_one_out._asdict(),
        }


def correlate(
    x: ArrayLike, y: ArrayLike, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Correlation:
    """Correlate two columns, one entry a model, with 95 % bootstrap intervals over models.

    Raises:
        ValueError: fewer than three models, columns of different length, a figure that is not finite, or a
            column that is constant. The message names x or y; which column that is, the caller knows.
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if xs.ndim != 1 or xs.shape != ys.shape:
        raise ValueError(f"x has shape {xs.shape} and y {ys.shape}, expected one figure a model in each")
    if len(xs) < FEWEST_MODELS:
        raise ValueError(f"{len(xs)} models, expected at least {FEWEST_MODELS}")
    for name, column in (("x", xs), ("y", ys)):
        if not np.isfinite(column).all():
            raise ValueError(f"{name} has a figure that is not finite")
        if np.ptp(column) == 0:
            raise ValueError(f"{name} is {column[0]:g} for every model: a constant correlates with nothing")
    # Of few models, a resample may draw one figure throughout: with three, one in nine does.
    drawn = rng.integers(len(xs), size=(resamples, len(xs)))
    x_drawn, y_drawn = xs[drawn], ys[drawn]
    usable = (np.ptp(x_drawn, axis=1) > 0) & (np.ptp(y_drawn, axis=1) > 0)
    x_drawn, y_drawn = x_drawn[usable], y_drawn[usable]
    pearson = interval(float(_pearson(xs[None], ys[None])[0]), _pearson(x_drawn, y_drawn))
    spearman = interval(float(_spearman(xs[None], ys[None])[0]), _spearman(x_drawn, y_drawn))
    if pearson is None or spearman is None:
        raise ValueError(f"none of {resamples} resamples has a correlation")
    return Correlation(
        models=len(xs),
        pearson=pearson,
        spearman=spearman,
        degenerate_resamples=int((~usable).sum()),
        leave_one_out=_leave_one_out(xs, ys),
    )


def _leave_one_out(xs: Floats, ys: Floats) -> LeaveOneOut | None:
    models = len(xs)
    if models <= FEWEST_MODELS:
        return None
    # Row i: every model but i.
    others = np.array([np.delete(np.arange(models), i) for i in range(models)])
    x_left, y_left = xs[others], ys[others]
    # Without one model all others may have the same figure, and no correlation.
    usable = np.flatnonzero((np.ptp(x_left, axis=1) > 0) & (np.ptp(y_left, axis=1) > 0))
    if usable.size == 0:
        return None
    r = _pearson(x_left[usable], y_left[usable])
    low, high = int(r.argmin()), int(r.argmax())
    return LeaveOneOut(float(r[low]), int(usable[low]), float(r[high]), int(usable[high]))


def _pearson(x: Floats, y: Floats) -> Floats:
    """Pearson's r of each row; shapes (rows, models)."""
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    # Rounding takes a perfect correlation to 1 + 2e-16, which is no correlation.
    return np.clip(r, -1.0, 1.0)


def _spearman(x: Floats, y: Floats) -> Floats:
    """Spearman's rho of each row: Pearson's r of the ranks, ties at their mean rank."""
    return _pearson(stats.rankdata(x, axis=1), stats.rankdata(y, axis=1))
