"""Runs on the same pairs: paired differences to the first, each with its interval and a test of that difference.

Paired throughout: what makes a prompt hard for both runs cancels out of the difference. The unit is the prompt, as in
`ralign.metrics.intervals`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.metrics.intervals import Floats, Interval, difference
from ralign.metrics.outcomes import VERDICT_A, VERDICT_B, Outcomes
from ralign.metrics.paired_tests import PairedTest, holm, mcnemar, swap_test
from ralign.metrics.power import shown_by
from ralign.metrics.summary import (
    Measures,
    Shares,
    Sums,
    measures_of,
    pair_sums,
    prompt_sums,
    shares,
    was_meta_judged,
)
from ralign.records import Order

_RATIOS = {
    "label_accuracy": ("right", "judged"),
    "spurious_correctness": ("misaligned", "meta_judged"),
    "order_consistency": ("same_verdict", "compared"),
    "right_in_both_orders": ("right_in_both", "both_judged"),
}
"""The measures that are one sum over another."""


class Tests(NamedTuple):
    """A test of each difference; None where the difference is not known."""

    label_accuracy: PairedTest | None
    spurious_correctness: PairedTest | None
    fidelity_score: PairedTest | None
    order_consistency: PairedTest | None
    right_in_both_orders: PairedTest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another run than the first."""

    measures: Measures
    difference: Measures
    """This run minus the first, paired; an interval may reach from -1 to 1."""
    tests: Tests

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON; `shown_by` is the difference that so many prompts show 8 times in 10."""
        return {
            "measures": self.measures.as_dict(),
            "difference": self.difference.as_dict(),
            "tests": {
                name: None if test is None else test._asdict() for name, test in self.tests._asdict().items()
            },
            "shown_by": {
                name: None if each is None else shown_by(each)
                for name, each in self.difference._asdict().items()
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How runs differ from the first on the pairs that all of them answered."""

    pairs: int
    prompts: int
    left_out: int
    """Pairs that one of the runs, or more, did not answer at all."""
    first: Measures
    others: tuple[Other, ...]

    def as_dict(self, names: Sequence[str]) -> dict[str, object]:
        """Ready for JSON; `names` of all runs, the first included."""
        return {
            "pairs": self.pairs,
            "prompts": self.prompts,
            "left_out": self.left_out,
            "first": {"run": names[0], "measures": self.first.as_dict()},
            "others": [
                {"run": name, **each.as_dict()} for name, each in zip(names[1:], self.others, strict=True)
            ],
        }


def compare(
    runs: Sequence[Outcomes],
    orders: Sequence[Sequence[Order]],
    *,
    has_meta_judge: Sequence[bool] | None = None,
) -> Comparison:
    """Compare runs with the first of them. Their pairs are the same, in the same order; orders and draws may differ.

    Where there are more than two, the p-values of each measure are adjusted over them (Holm).

    Args:
        runs: two or more.
        orders: of each run.
        has_meta_judge: whether each has one; None: those that ever asked it (see `summarise`).

    Raises:
        ValueError: the labels or prompts differ, so these are not the same pairs; or outcomes and orders do not fit
            together.
    """
    for run in runs[1:]:
        if not (np.array_equal(runs[0].label, run.label) and np.array_equal(runs[0].prompt, run.prompt)):
            raise ValueError(
                "the runs do not have the same labels and prompts: they are not about the same pairs"
            )
    in_all: NDArray[np.bool_] = np.all(
        [pair_sums(run, shown).answered > 0 for run, shown in zip(runs, orders, strict=True)], axis=0
    )
    kept = [run.of_pairs(in_all) for run in runs]
    found = [shares(run, shown) for run, shown in zip(kept, orders, strict=True)]
    meta_judges = [was_meta_judged(run) for run in runs] if has_meta_judge is None else has_meta_judge
    measures = [measures_of(one, has_meta_judge=meta) for one, meta in zip(found, meta_judges, strict=True)]
    differences = [
        measures_difference(found[0], other, measures[0], its)
        for other, its in zip(found[1:], measures[1:], strict=True)
    ]
    sums = [prompt_sums(pair_sums(run, shown), run.prompt) for run, shown in zip(kept, orders, strict=True)]
    tests = [
        Tests(
            *(None if each is None else _swap(name, sums[0], its) for name, each in known._asdict().items())
        )
        for known, its in zip(differences, sums[1:], strict=True)
    ]
    for at, (other, run) in enumerate(zip(found[1:], kept[1:], strict=True)):
        # With one judgment a pair and one pair a prompt the classical test is exact, and needs no draws.
        if tests[at].label_accuracy and found[0].label_accuracy.simple and other.label_accuracy.simple:
            tests[at] = tests[at]._replace(label_accuracy=mcnemar(_right(kept[0]), _right(run)))
    return Comparison(
        pairs=int(in_all.sum()),
        prompts=len(np.unique(kept[0].prompt)),
        left_out=int((~in_all).sum()),
        first=measures[0],
        others=tuple(
            Other(measures=its, difference=known, tests=of)
            for its, known, of in zip(measures[1:], differences, _adjusted(tests), strict=True)
        ),
    )


def measures_difference(one: Shares, two: Shares, measured_one: Measures, measured_two: Measures) -> Measures:
    """The second run's measures less the first's, from their sums by prompt and their own intervals."""
    errors: dict[str, tuple[Floats, Floats]] = {
        name: (a.residuals, b.residuals)
        for name, a, b in zip(Shares._fields, one, two, strict=True)
        if a.denominator.any() and b.denominator.any()
    }
    errors["fidelity_score"] = _fidelity_error(one), _fidelity_error(two)
    found: dict[str, Interval | None] = {}
    for name, a, b in zip(Measures._fields, measured_one, measured_two, strict=True):
        found[name] = None if a is None or b is None else difference(a, b, *errors[name])
    return Measures(**found)


def _adjusted(tests: Sequence[Tests]) -> list[Tests]:
    """The tests with p-values adjusted over the runs, each measure by itself; one run has nothing to adjust."""
    if len(tests) < 2:
        return list(tests)
    columns: list[list[PairedTest | None]] = []
    for column in zip(*tests, strict=True):
        p_values = iter(holm([test.p_value for test in column if test is not None]))
        columns.append([test and test._replace(adjusted=next(p_values)) for test in column])
    return [Tests(*row) for row in zip(*columns, strict=True)]


def _fidelity_error(found: Shares) -> Floats:
    """Each prompt's part in the error of F = L (1 - S), to first order."""
    label_accuracy, spurious = found.label_accuracy, found.spurious_correctness
    if not label_accuracy.denominator.any():
        return label_accuracy.denominator
    error = label_accuracy.residuals / label_accuracy.denominator.mean()
    if not spurious.denominator.any():
        return error
    aligned = 1 - spurious.value
    spurious_error = spurious.residuals / spurious.denominator.mean()
    return aligned * error - label_accuracy.value * spurious_error


def _swap(measure: str, one: Sums, two: Sums) -> PairedTest:
    """The permutation test of one measure, over the sums that it is made of alone."""
    ratios = (
        [_RATIOS[measure]]
        if measure in _RATIOS
        else [_RATIOS["label_accuracy"], _RATIOS["spurious_correctness"]]
    )
    columns = [name for ratio in ratios for name in ratio]

    def value(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = sums[:, 0] / sums[:, 1]
            # F-Score = L (1 - S); where nothing is right S is undefined and F is 0.
            return found if measure in _RATIOS else found * (1 - np.nan_to_num(sums[:, 2] / sums[:, 3]))

    return swap_test(
        np.stack([getattr(one, name) for name in columns], axis=1),
        np.stack([getattr(two, name) for name in columns], axis=1),
        value,
    )


def _right(outcomes: Outcomes) -> NDArray[np.bool_]:
    """Whether each pair's one judgment is right."""
    labelled = np.isin(outcomes.label, (VERDICT_A, VERDICT_B))
    return labelled & (outcomes.verdict == outcomes.label[:, None, None]).any(axis=(1, 2))
