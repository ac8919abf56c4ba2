"""Outcomes -> every measure with its interval, counts and bounds: one benchmark of `results.json`.

Measures of a judge: L-Acc, S-Corr, F-Score, order consistency, right in both orders, and the counts.

In: the codes of `outcomes`. Out: what every prompt adds to each sum, the measures as ratios of such sums (`shares`),
counts and bounds. The paper's section 2 defines the three measures for one judgment a pair:

    L-Acc = P(verdict = label)     S-Corr = P(misaligned | right)     F-Score = P(right and aligned)

Here a pair may have several judgments (orders, draws), and models fail. The rules, the same everywhere:

- A pair weighs one: each of its answered judgments weighs 1 / (how many of them were answered).
- The three measures are over pairs with a label of A or B. A tie is a verdict that is not right; a pair whose label is
  a tie, or that has none, counts in order consistency alone.
- A judgment that answered without a verdict is not right. One that was never answered is not counted, and a
  pair with none answered leaves the denominator: an outage must not look like a bad model.
  `label_accuracy_bounds` says how far the unanswered ones could move the figure.
- S-Corr is over the right judgments that the meta-judge answered; `spurious_correctness_bounds` and
  `fidelity_bounds` say how far its failures could move the figures.
- F-Score is L-Acc x (1 - S-Corr), always. Where nothing is right, S-Corr is undefined and F-Score is 0,
  because F-Score cannot exceed L-Acc.
- Two orders agree where both give the same verdict. Two missing verdicts are no agreement. With several
  draws, draw k of one order is compared with draw k of the other.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.metrics.intervals import Floats, Interval, Share, fidelity_interval
from ralign.metrics.outcomes import (
    ALIGNED,
    META_FAILED,
    MISALIGNED,
    NO_LABEL,
    NO_VERDICT,
    NOT_META_JUDGED,
    TIE,
    UNANSWERED,
    VERDICT_A,
    VERDICT_B,
    Outcomes,
)
from ralign.records import Order

Flags = NDArray[np.bool_]


class Sums(NamedTuple):
    """Share of each unit (a pair, or all pairs of a prompt) in the sums that the measures are ratios of.

    Arrays of one shape. A pair weighs one, so what it adds are shares of its answered judgments.
    """

    answered: Floats
    """Pairs with any answered judgment."""
    judged: Floats
    """Those of them with a label of A or B."""
    right: Floats
    """Right judgments, as a share of the pair's answered ones."""
    meta_judged: Floats
    """Right and answered by the meta-judge."""
    misaligned: Floats
    """Right and called misaligned by the meta-judge."""
    meta_failed: Floats
    """Right, and the meta-judge failed."""
    compared: Floats
    """Pairs with any draw answered in both orders."""
    same_verdict: Floats
    """Draws with the same verdict in both orders, as a share of those answered in both."""
    both_judged: Floats
    """Pairs with a label of A or B among those compared."""
    right_in_both: Floats
    """Draws right in both orders, as a share of those answered in both."""


class Shares(NamedTuple):
    """The measures that are ratios of sums, each with its units."""

    label_accuracy: Share
    spurious_correctness: Share
    order_consistency: Share
    right_in_both_orders: Share


class Bounds(NamedTuple):
    """The lowest and the highest a measure could be, had nothing failed. No sampling error in it."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many judgments are behind the measures. None: an order that was not run."""

    judgments: int
    """Answered, with or without a verdict."""
    tie: int
    """Ties. They are not right."""
    no_verdict: int
    unanswered: int
    unanswered_pairs: int
    """Pairs none of whose judgments was answered."""
    unlabelled_pairs: int
    """Pairs whose label is a tie, or that have none: no part of L-Acc, S-Corr and F-Score."""
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
    """Flags of each judgment; shape (pairs, orders, draws). The last three imply `right`, which implies `judged`."""

    answered: Flags
    judged: Flags
    """Answered, of a pair with a label of A or B."""
    right: Flags
    aligned: Flags
    misaligned: Flags
    meta_failed: Flags


def pair_sums(outcomes: Outcomes, orders: Sequence[Order]) -> Sums:
    """Sums that every pair adds; arrays of shape (pairs,). `orders` names axis 1 of the outcomes.

    Raises:
        ValueError: shapes, codes or orders that do not fit together.
    """
    flags = _flags(outcomes, orders)
    answered = flags.answered.sum(axis=(1, 2))
    both, same, right_in_both = _over_orders(outcomes, flags)
    draws = both.sum(axis=1)

    # A pair with nothing answered adds 0 to every sum, the denominators too.
    def share_of_judgments(what: Flags) -> Floats:
        return _ratio(what.sum(axis=(1, 2)), answered)

    def share_of_draws(what: Flags) -> Floats:
        return _ratio(what.sum(axis=1), draws)

    return Sums(
        answered=(answered > 0).astype(np.float64),
        judged=(flags.judged.sum(axis=(1, 2)) > 0).astype(np.float64),
        right=share_of_judgments(flags.right),
        meta_judged=share_of_judgments(flags.aligned | flags.misaligned),
        misaligned=share_of_judgments(flags.misaligned),
        meta_failed=share_of_judgments(flags.meta_failed),
        compared=(draws > 0).astype(np.float64),
        same_verdict=share_of_draws(same),
        both_judged=((draws > 0) & _labelled(outcomes)).astype(np.float64),
        right_in_both=share_of_draws(right_in_both),
    )


def prompt_sums(sums: Sums, prompt: NDArray[np.intp]) -> Sums:
    """Sums that every prompt adds: those of its pairs; `prompt` numbers the prompts, shape (pairs,)."""
    _, unit = np.unique(prompt, return_inverse=True)
    return Sums(*(np.bincount(unit, weights=each, minlength=1).astype(np.float64) for each in sums))


def shares(outcomes: Outcomes, orders: Sequence[Order]) -> Shares:
    """The measures over prompts; F-Score follows from the first two.

    Raises:
        ValueError: as `pair_sums`.
    """
    sums = prompt_sums(pair_sums(outcomes, orders), outcomes.prompt)
    flags = _flags(outcomes, orders)
    both, _, _ = _over_orders(outcomes, flags)
    answered = flags.answered.sum(axis=(1, 2))
    # One judgment a unit: only then is it plain Wilson.
    simple = len(np.unique(outcomes.prompt)) == len(outcomes.prompt) and bool((answered <= 1).all())
    compared = float(both.sum())
    both_judged = float(both[_labelled(outcomes)].sum())
    return Shares(
        label_accuracy=Share(sums.right, sums.judged, float(flags.judged.sum()), simple),
        spurious_correctness=Share(
            sums.misaligned, sums.meta_judged, float((flags.aligned | flags.misaligned).sum()), simple
        ),
        order_consistency=Share(sums.same_verdict, sums.compared, compared, simple),
        right_in_both_orders=Share(sums.right_in_both, sums.both_judged, both_judged, simple),
    )


def was_meta_judged(outcomes: Outcomes) -> bool:
    """Whether any judgment was given to a meta-judge, answered or not."""
    return bool((outcomes.aligned != NOT_META_JUDGED).any())


def count(outcomes: Outcomes, orders: Sequence[Order]) -> Counts:
    """Count judgments; `right_in_both_orders` and `same_verdict` count (pair, draw).

    Raises:
        ValueError: as `pair_sums`.
    """
    flags = _flags(outcomes, orders)
    _, same, right_in_both = _over_orders(outcomes, flags)
    right_by_order = dict(zip(orders, flags.right.sum(axis=(0, 2)).tolist(), strict=True))
    meta_judged = int((flags.aligned | flags.misaligned).sum())
    meta_failed = int(flags.meta_failed.sum())
    return Counts(
        judgments=int(flags.answered.sum()),
        tie=int((outcomes.verdict == TIE).sum()),
        no_verdict=int((outcomes.verdict == NO_VERDICT).sum()),
        unanswered=int((~flags.answered).sum()),
        unanswered_pairs=int((~flags.answered.any(axis=(1, 2))).sum()),
        unlabelled_pairs=int((~_labelled(outcomes)).sum()),
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
    outcomes = outcomes.of_pairs(_labelled(outcomes))
    unanswered = outcomes.verdict == UNANSWERED
    if not unanswered.any():
        return None
    right = outcomes.verdict == outcomes.label[:, None, None]
    return Bounds(float(right.mean()), float((right | unanswered).mean()))


def spurious_correctness_bounds(sums: Sums) -> Bounds | None:
    """S-Corr had every failed meta-judgment said aligned, and misaligned. None where none failed."""
    failed = float(sums.meta_failed.sum())
    if failed == 0:
        return None
    # min: sums of thirds and sevenths may end 1e-16 above what they are divided by.
    asked = float(sums.meta_judged.sum()) + failed
    misaligned = float(sums.misaligned.sum())
    return Bounds(misaligned / asked, min(1.0, (misaligned + failed) / asked))


def fidelity_bounds(sums: Sums) -> Bounds | None:
    """F-Score, at the measured L-Acc, had every failed meta-judgment said misaligned, and aligned."""
    spurious = spurious_correctness_bounds(sums)
    if spurious is None:
        return None
    # L-Acc has bounds of its own for its own failures: these are the meta-judge's alone.
    label_accuracy = float(sums.right.sum()) / float(sums.judged.sum())
    return Bounds(label_accuracy * (1.0 - spurious.high), label_accuracy * (1.0 - spurious.low))


def _flags(outcomes: Outcomes, orders: Sequence[Order]) -> _Flags:
    label, prompt, verdict, aligned = outcomes
    if tuple(orders) not in (("ab",), ("ba",), ("ab", "ba")):
        raise ValueError(f"orders are {tuple(orders)}, expected ('ab',), ('ba',) or ('ab', 'ba')")
    fits = verdict.ndim == 3 and verdict.shape[:2] == (len(label), len(orders))
    if not fits or aligned.shape != verdict.shape or prompt.shape != label.shape:
        raise ValueError(
            f"label {label.shape}, prompt {prompt.shape}, verdict {verdict.shape} and aligned {aligned.shape} do not "
            f"fit together: expected twice (pairs,) and twice (pairs, {len(orders)}, draws)"
        )
    if not np.isin(label, (VERDICT_A, VERDICT_B, TIE, NO_LABEL)).all():
        raise ValueError("a label is none of VERDICT_A, VERDICT_B, TIE and NO_LABEL")
    labelled = _labelled(outcomes)[:, None, None]
    right = labelled & (verdict == label[:, None, None])
    # What the meta-judge says of a wrong verdict counts nowhere: runs may have asked it all the same.
    return _Flags(
        answered=verdict != UNANSWERED,
        judged=labelled & (verdict != UNANSWERED),
        right=right,
        aligned=right & (aligned == ALIGNED),
        misaligned=right & (aligned == MISALIGNED),
        meta_failed=right & (aligned == META_FAILED),
    )


def _labelled(outcomes: Outcomes) -> Flags:
    """Pairs with a label of A or B; shape (pairs,)."""
    return np.isin(outcomes.label, (VERDICT_A, VERDICT_B))


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


def _ratio(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Floats:
    """Divide; 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0)


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
    prompts: int
    """Conversations that they are about: the units of the intervals."""
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
        bounds = {
            "label_accuracy_bounds": self.label_accuracy_bounds,
            "spurious_correctness_bounds": self.spurious_correctness_bounds,
            "fidelity_bounds": self.fidelity_bounds,
        }
        return {
            "pairs": self.pairs,
            "prompts": self.prompts,
            **self.measures.as_dict(),
            **{name: None if each is None else each._asdict() for name, each in bounds.items()},
            "counts": asdict(self.counts),
        }


def summarise(outcomes: Outcomes, orders: Sequence[Order], *, has_meta_judge: bool | None = None) -> Summary:
    """Measure everything there is to measure on these outcomes.

    Args:
        outcomes: one benchmark or subset.
        orders: what axis 1 of the outcomes is: ("ab",), ("ba",) or ("ab", "ba").
        has_meta_judge: whether the run has one. Where nothing is right nothing is meta-judged either, and
            only the caller can know whether F-Score is 0 or was not measured. None: there was one if it was
            ever asked.

    Raises:
        ValueError: outcomes and orders that do not fit together.
    """
    sums = pair_sums(outcomes, orders)
    if has_meta_judge is None:
        has_meta_judge = was_meta_judged(outcomes)
    return Summary(
        pairs=len(outcomes.label),
        prompts=len(np.unique(outcomes.prompt)),
        measures=measures_of(shares(outcomes, orders), has_meta_judge=has_meta_judge),
        counts=count(outcomes, orders),
        label_accuracy_bounds=label_accuracy_bounds(outcomes),
        spurious_correctness_bounds=spurious_correctness_bounds(sums),
        fidelity_bounds=fidelity_bounds(sums),
    )


def measures_of(found: Shares, *, has_meta_judge: bool) -> Measures:
    """Each measure with its interval; without a meta-judge no S-Corr and no F-Score, even where nothing is right."""
    label_accuracy = found.label_accuracy.interval()
    spurious = found.spurious_correctness.interval() if has_meta_judge else None
    return Measures(
        label_accuracy=label_accuracy,
        spurious_correctness=spurious,
        fidelity_score=fidelity_interval(label_accuracy, spurious)
        if label_accuracy is not None and has_meta_judge
        else None,
        order_consistency=found.order_consistency.interval(),
        right_in_both_orders=found.right_in_both_orders.interval(),
    )
