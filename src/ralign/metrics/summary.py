"""Outcomes -> every measure with its interval, counts and bounds: one benchmark of `results.json`.

Measures of a judge: L-Acc, S-Corr, F-Score, order consistency, right in both orders, and the counts.

In: the codes of `outcomes`. Out: every pair's share in each sum (`pair_shares`), the measures that such sums
give (`values`), counts and bounds. The paper's section 2 defines the three measures for one judgment a pair:

    L-Acc = P(verdict = label)     S-Corr = P(misaligned | right)     F-Score = P(right and aligned)

Here a pair may have several judgments (orders, draws), and models fail. The rules, the same everywhere:

- A pair weighs one: each of its answered judgments weighs 1 / (how many of them were answered).
- A judgment that answered without a verdict is not right. One that was never answered is not counted, and a
  pair with none answered leaves the denominator: an outage must not look like a bad model.
  `label_accuracy_bounds` says how far the unanswered ones could move the figure.
- S-Corr is over the right judgments that the meta-judge answered; `spurious_correctness_bounds` and
  `fidelity_bounds` say how far its failures could move the figures.
- F-Score is L-Acc x (1 - S-Corr), always. Where nothing is right, S-Corr is undefined and F-Score is 0,
  because F-Score cannot exceed L-Acc.
- Two orders agree where both give the same verdict. Two missing verdicts are no agreement. With several
  draws, draw k of one order is compared with draw k of the other.

Measures that are undefined are NaN in the arrays here; they become None before anybody prints them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.metrics.intervals import RESAMPLES, Interval, interval, resampled_sums
from ralign.metrics.outcomes import (
    ALIGNED,
    META_FAILED,
    MISALIGNED,
    NO_VERDICT,
    NOT_META_JUDGED,
    UNANSWERED,
    VERDICT_A,
    VERDICT_B,
    Outcomes,
)
from ralign.records import Order

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class PairShares(NamedTuple):
    """Share of each pair in the sums that the measures are ratios of; or those sums. Arrays of one shape."""

    answered: Floats
    """1 where any judgment of the pair was answered, else 0."""
    right: Floats
    """Share of the pair's answered judgments that are right."""
    meta_judged: Floats
    """Share that are right and that the meta-judge answered."""
    misaligned: Floats
    """Share that are right and that the meta-judge called misaligned."""
    meta_failed: Floats
    """Share that are right and on which the meta-judge failed."""
    compared: Floats
    """1 where both orders were answered in any draw, else 0."""
    same_verdict: Floats
    """Share of the draws answered in both orders that have the same verdict in both."""
    right_in_both: Floats
    """Share of those draws that are right in both."""


class Values(NamedTuple):
    """The measures, NaN where undefined; arrays of one shape, between 0 and 1."""

    label_accuracy: Floats
    spurious_correctness: Floats
    fidelity_score: Floats
    order_consistency: Floats
    right_in_both_orders: Floats


class Bounds(NamedTuple):
    """The lowest and the highest a measure could be, had nothing failed. No sampling error in it."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many judgments are behind the measures. None: an order that was not run."""

    judgments: int
    """Answered, with or without a verdict."""
    no_verdict: int
    unanswered: int
    unanswered_pairs: int
    """Pairs none of whose judgments was answered."""
    right_ab: int | None
    right_ba: int | None
    right_in_both_orders: int | None
    same_verdict: int | None
    meta_judged: int
    """Right, and answered by the meta-judge. Meta-judgments of wrong verdicts count nowhere."""
    meta_failed: int
    """Right, asked of the meta-judge, and not answered."""
    not_meta_judged: int
    """Right, and never asked of the meta-judge: there is none, or the pair has no gold rationale."""
    aligned: int


class _Flags(NamedTuple):
    """Flags of each judgment; shape (pairs, orders, draws). The last three imply `right`."""

    answered: Flags
    right: Flags
    aligned: Flags
    misaligned: Flags
    meta_failed: Flags


def pair_shares(outcomes: Outcomes, orders: Sequence[Order]) -> PairShares:
    """Every pair's share in the sums; arrays of shape (pairs,). `orders` names axis 1 of the outcomes.

    Raises:
        ValueError: shapes, codes or orders that do not fit together.
    """
    flags = _flags(outcomes, orders)
    answered = flags.answered.sum(axis=(1, 2))
    both, same, right_in_both = _over_orders(outcomes, flags)
    draws = both.sum(axis=1)

    # A pair with nothing answered adds 0 to every sum, the denominators too.
    def share_of_judgments(what: Flags) -> Floats:
        return _ratio(what.sum(axis=(1, 2)), answered, undefined=0.0)

    def share_of_draws(what: Flags) -> Floats:
        return _ratio(what.sum(axis=1), draws, undefined=0.0)

    return PairShares(
        answered=(answered > 0).astype(np.float64),
        right=share_of_judgments(flags.right),
        meta_judged=share_of_judgments(flags.aligned | flags.misaligned),
        misaligned=share_of_judgments(flags.misaligned),
        meta_failed=share_of_judgments(flags.meta_failed),
        compared=(draws > 0).astype(np.float64),
        same_verdict=share_of_draws(same),
        right_in_both=share_of_draws(right_in_both),
    )


def values(sums: PairShares, *, has_meta_judge: bool) -> Values:
    """The measures that sums over pairs give; any shape, one entry a sum (or a resample of it).

    Without a meta-judge S-Corr and F-Score are NaN, even where nothing is right.
    """
    # Clipped, because sums of thirds and sevenths may end 1e-16 above what they are divided by.
    label_accuracy = np.clip(_ratio(sums.right, sums.answered), 0.0, 1.0)
    spurious_correctness = np.clip(_ratio(sums.misaligned, sums.meta_judged), 0.0, 1.0)
    fidelity_score = label_accuracy * (1.0 - spurious_correctness)
    # Where nothing is right S-Corr is 0 / 0, and F-Score would be NaN with it.
    if has_meta_judge:
        fidelity_score = np.where(label_accuracy == 0.0, 0.0, fidelity_score)
    return Values(
        label_accuracy=label_accuracy,
        spurious_correctness=spurious_correctness,
        fidelity_score=fidelity_score,
        order_consistency=np.clip(_ratio(sums.same_verdict, sums.compared), 0.0, 1.0),
        right_in_both_orders=np.clip(_ratio(sums.right_in_both, sums.compared), 0.0, 1.0),
    )


def was_meta_judged(outcomes: Outcomes) -> bool:
    """Whether any judgment was given to a meta-judge, answered or not."""
    return bool((outcomes.aligned != NOT_META_JUDGED).any())


def count(outcomes: Outcomes, orders: Sequence[Order]) -> Counts:
    """Count judgments; `right_in_both_orders` and `same_verdict` count (pair, draw).

    Raises:
        ValueError: as `pair_shares`.
    """
    flags = _flags(outcomes, orders)
    _, same, right_in_both = _over_orders(outcomes, flags)
    right_by_order = dict(zip(orders, flags.right.sum(axis=(0, 2)).tolist(), strict=True))
    meta_judged = int((flags.aligned | flags.misaligned).sum())
    meta_failed = int(flags.meta_failed.sum())
    return Counts(
        judgments=int(flags.answered.sum()),
        no_verdict=int((outcomes.verdict == NO_VERDICT).sum()),
        unanswered=int((~flags.answered).sum()),
        unanswered_pairs=int((~flags.answered.any(axis=(1, 2))).sum()),
        right_ab=right_by_order.get("ab"),
        right_ba=right_by_order.get("ba"),
        right_in_both_orders=int(right_in_both.sum()) if len(orders) == 2 else None,
        same_verdict=int(same.sum()) if len(orders) == 2 else None,
        meta_judged=meta_judged,
        meta_failed=meta_failed,
        not_meta_judged=int(flags.right.sum()) - meta_judged - meta_failed,
        aligned=int(flags.aligned.sum()),
    )


def label_accuracy_bounds(outcomes: Outcomes) -> Bounds | None:
    """L-Acc had every unanswered judgment been wrong, and had every one been right. None without any."""
    unanswered = outcomes.verdict == UNANSWERED
    if not unanswered.any():
        return None
    right = outcomes.verdict == outcomes.label[:, None, None]
    return Bounds(float(right.mean()), float((right | unanswered).mean()))


def spurious_correctness_bounds(sums: PairShares) -> Bounds | None:
    """S-Corr had every failed meta-judgment said aligned, and misaligned. None where none failed.

    `sums` is one entry: the shares summed over all pairs.
    """
    failed = float(sums.meta_failed)
    if failed == 0:
        return None
    # min: sums of thirds and sevenths may end 1e-16 above what they are divided by.
    asked = float(sums.meta_judged) + failed
    misaligned = float(sums.misaligned)
    return Bounds(misaligned / asked, min(1.0, (misaligned + failed) / asked))


def fidelity_bounds(sums: PairShares) -> Bounds | None:
    """F-Score, at the measured L-Acc, had every failed meta-judgment said misaligned, and aligned."""
    spurious = spurious_correctness_bounds(sums)
    if spurious is None:
        return None
    # L-Acc has bounds of its own for its own failures: these are the meta-judge's alone.
    label_accuracy = float(sums.right) / float(sums.answered)
    return Bounds(label_accuracy * (1.0 - spurious.high), label_accuracy * (1.0 - spurious.low))


def _flags(outcomes: Outcomes, orders: Sequence[Order]) -> _Flags:
    label, verdict, aligned = outcomes
    if tuple(orders) not in (("ab",), ("ba",), ("ab", "ba")):
        raise ValueError(f"orders are {tuple(orders)}, expected ('ab',), ('ba',) or ('ab', 'ba')")
    if verdict.ndim != 3 or verdict.shape[:2] != (len(label), len(orders)) or aligned.shape != verdict.shape:
        raise ValueError(
            f"label {label.shape}, verdict {verdict.shape} and aligned {aligned.shape} do not fit together:"
            f" expected (pairs,) and twice (pairs, {len(orders)}, draws)"
        )
    if not np.isin(label, (VERDICT_A, VERDICT_B)).all():
        raise ValueError("a label is neither VERDICT_A nor VERDICT_B")
    right = verdict == label[:, None, None]
    # What the meta-judge says of a wrong verdict counts nowhere: runs may have asked it all the same.
    return _Flags(
        answered=verdict != UNANSWERED,
        right=right,
        aligned=right & (aligned == ALIGNED),
        misaligned=right & (aligned == MISALIGNED),
        meta_failed=right & (aligned == META_FAILED),
    )


def _over_orders(outcomes: Outcomes, flags: _Flags) -> tuple[Flags, Flags, Flags]:
    """Answered, same verdict, and right in both orders; shape (pairs, draws), all False with one order."""
    pairs, orders, draws = outcomes.verdict.shape
    if orders < 2:
        nothing = np.zeros((pairs, draws), dtype=np.bool_)
        return nothing, nothing, nothing
    # Verdicts are in the letters of the pairs file, so the same one in both orders is the same code.
    ab, ba = outcomes.verdict[:, 0], outcomes.verdict[:, 1]
    same: Flags = (ab == ba) & (ab != NO_VERDICT) & (ab != UNANSWERED)
    both: Flags = np.logical_and(*np.moveaxis(flags.answered, 1, 0))
    right: Flags = np.logical_and(*np.moveaxis(flags.right, 1, 0))
    return both, same, right


def _ratio(part: NDArray[np.generic], whole: NDArray[np.generic], *, undefined: float = np.nan) -> Floats:
    """Divide; `undefined` where the whole is 0."""
    result = np.full(np.shape(whole), undefined)
    np.divide(part, whole, out=result, where=np.asarray(whole) != 0)
    return result


class Measures(NamedTuple):
    """The measures with their 95 % intervals; None where undefined."""

    label_accuracy: Interval | None
    spurious_correctness: Interval | None
    fidelity_score: Interval | None
    order_consistency: Interval | None
    right_in_both_orders: Interval | None

    def as_dict(self) -> dict[str, dict[str, float] | None]:
        """Measure -> {value, low, high}, or None."""
        return {name: None if each is None else each._asdict() for name, each in self._asdict().items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Summary of one benchmark, or of one subset of it."""

    pairs: int
    """All pairs, those without an answer included."""
    measures: Measures
    counts: Counts
    label_accuracy_bounds: Bounds | None
    """Where judgments are unanswered."""
    spurious_correctness_bounds: Bounds | None
    """Where meta-judgments failed."""
    fidelity_bounds: Bounds | None
    """Where meta-judgments failed."""

    def as_dict(self) -> dict[str, object]:
        """The keys of `results.json`; ready for JSON (None, never NaN)."""
        bounds: dict[str, dict[str, float] | None] = {}
        for name in ("label_accuracy_bounds", "spurious_correctness_bounds", "fidelity_bounds"):
            each: Bounds | None = getattr(self, name)
            bounds[name] = None if each is None else each._asdict()
        return {"pairs": self.pairs, **self.measures.as_dict(), **bounds, "counts": asdict(self.counts)}


def summarise(
    outcomes: Outcomes,
    orders: Sequence[Order],
    *,
    rng: np.random.Generator,
    has_meta_judge: bool | None = None,
    resamples: int = RESAMPLES,
) -> Summary:
    """Measure everything there is to measure on these outcomes.

    Args:
        outcomes: one benchmark or subset.
        orders: what axis 1 of the outcomes is: ("ab",), ("ba",) or ("ab", "ba").
        rng: draws the resamples.
        has_meta_judge: whether the run has one. Where nothing is right nothing is meta-judged either, and
            only the caller can know whether F-Score is 0 or was not measured. None: there was one if it was
            ever asked.
        resamples: of the bootstrap over pairs.

    Raises:
        ValueError: outcomes and orders that do not fit together.
    """
    shares = pair_shares(outcomes, orders)
    sums = sum_over_pairs(shares)
    if has_meta_judge is None:
        has_meta_judge = was_meta_judged(outcomes)
    # A pair without an answer is no part of the sample, so it is no part of the resamples.
    answered = np.stack(shares, axis=1)[shares.answered > 0]
    resampled = PairShares(*resampled_sums(answered, resamples, rng).T)
    return Summary(
        pairs=len(outcomes.label),
        measures=with_intervals(
            values(sums, has_meta_judge=has_meta_judge), values(resampled, has_meta_judge=has_meta_judge)
        ),
        counts=count(outcomes, orders),
        label_accuracy_bounds=label_accuracy_bounds(outcomes),
        spurious_correctness_bounds=spurious_correctness_bounds(sums),
        fidelity_bounds=fidelity_bounds(sums),
    )


def sum_over_pairs(shares: PairShares) -> PairShares:
    """The sums that the measures are ratios of; scalar arrays."""
    return PairShares(*(np.asarray(each.sum()) for each in shares))


def with_intervals(estimates: Values, resampled: Values) -> Measures:
    """Each measure (scalar arrays) with the interval its resamples give (shape (resamples,))."""
    pairs_of_arrays = zip(estimates, resampled, strict=True)
    return Measures(*(interval(float(value), samples) for value, samples in pairs_of_arrays))
