"""Two runs on the same pairs: paired differences with intervals, and a test of each difference.

Paired throughout: what makes a prompt hard for both runs cancels out of the difference. The unit is the prompt, as in
`ralign.metrics.intervals`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.metrics.intervals import Floats, Interval, difference
from ralign.metrics.measures import Shares, Sums, pair_sums, prompt_sums, shares, was_meta_judged
from ralign.metrics.outcomes import Outcomes
from ralign.metrics.paired_tests import PairedTest, mcnemar, swap_test
from ralign.metrics.summary import Measures, measures_of
from ralign.records import Order


class Tests(NamedTuple):
    """A test of each difference; None where the difference is not known."""

    label_accuracy: PairedTest | None
    spurious_correctness: PairedTest | None
    fidelity_score: PairedTest | None
    order_consistency: PairedTest | None
    right_in_both_orders: PairedTest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two runs differ on the pairs that both answered."""

    pairs: int
    prompts: int
    left_out: int
    """Pairs that one of the runs, or both, did not answer at all."""
    first: Measures
    second: Measures
    difference: Measures
    """Second minus first, paired; an interval may reach from -1 to 1."""
    tests: Tests

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "pairs": self.pairs,
            "prompts": self.prompts,
            "left_out": self.left_out,
            "first": self.first.as_dict(),
            "second": self.second.as_dict(),
            "difference": self.difference.as_dict(),
            "tests": {
                name: None if test is None else test._asdict() for name, test in self.tests._asdict().items()
            },
        }


def compare(
    first: Outcomes, second: Outcomes, orders_first: Sequence[Order], orders_second: Sequence[Order]
) -> Comparison:
    """Compare two runs whose pairs are the same, in the same order. Orders and draws may differ.

    Raises:
        ValueError: the labels differ, so these are not the same pairs; or outcomes and orders do not fit
            together.
    """
    if not np.array_equal(first.label, second.label) or not np.array_equal(first.prompt, second.prompt):
        raise ValueError(
            "the two runs do not have the same labels and prompts: they are not about the same pairs"
        )
    in_both = (pair_sums(first, orders_first).answered > 0) & (pair_sums(second, orders_second).answered > 0)
    one, two = Outcomes(*(each[in_both] for each in first)), Outcomes(*(each[in_both] for each in second))
    shares_one, shares_two = shares(one, orders_first), shares(two, orders_second)
    measures_one = measures_of(shares_one, has_meta_judge=was_meta_judged(first))
    measures_two = measures_of(shares_two, has_meta_judge=was_meta_judged(second))
    differences = _differences(shares_one, shares_two, measures_one, measures_two)
    return Comparison(
        pairs=int(in_both.sum()),
        prompts=len(np.unique(one.prompt)),
        left_out=int((~in_both).sum()),
        first=measures_one,
        second=measures_two,
        difference=differences,
        tests=_tests(one, two, orders_first, orders_second, shares_one, shares_two, differences),
    )


def _differences(one: Shares, two: Shares, measured_one: Measures, measured_two: Measures) -> Measures:
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


def _fidelity_error(found: Shares) -> Floats:
    """Each prompt's part in the error of F = L (1 - S), to first order."""
    label_accuracy, spurious = found.label_accuracy, found.spurious_correctness
    error = label_accuracy.residuals / label_accuracy.denominator.mean()
    if not spurious.denominator.any():
        return error
    aligned = 1 - spurious.value
    spurious_error = spurious.residuals / spurious.denominator.mean()
    return aligned * error - label_accuracy.value * spurious_error


def _tests(
    one: Outcomes,
    two: Outcomes,
    orders_one: Sequence[Order],
    orders_two: Sequence[Order],
    shares_one: Shares,
    shares_two: Shares,
    differences: Measures,
) -> Tests:
    sums_one = prompt_sums(pair_sums(one, orders_one), one.prompt)
    sums_two = prompt_sums(pair_sums(two, orders_two), two.prompt)
    columns = {name: column for column, name in enumerate(Sums._fields)}

    def ratio(sums: Floats, part: str, whole: str) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return sums[:, columns[part]] / sums[:, columns[whole]]

    def swap(*figure: tuple[str, str]) -> PairedTest:
        def value(sums: Floats) -> Floats:
            found = ratio(sums, *figure[0])
            return found if len(figure) == 1 else found * (1 - np.nan_to_num(ratio(sums, *figure[1])))

        return swap_test(np.stack(sums_one, axis=1), np.stack(sums_two, axis=1), value)

    accuracy, spurious = ("right", "answered"), ("misaligned", "meta_judged")
    simple = shares_one.label_accuracy.simple and shares_two.label_accuracy.simple
    known = differences._asdict()
    return Tests(
        label_accuracy=None
        if known["label_accuracy"] is None
        else (mcnemar(_right(one), _right(two)) if simple else swap(accuracy)),
        spurious_correctness=swap(spurious) if known["spurious_correctness"] is not None else None,
        fidelity_score=swap(accuracy, spurious) if known["fidelity_score"] is not None else None,
        order_consistency=swap(("same_verdict", "compared"))
        if known["order_consistency"] is not None
        else None,
        right_in_both_orders=swap(("right_in_both", "compared"))
        if known["right_in_both_orders"] is not None
        else None,
    )


def _right(outcomes: Outcomes) -> NDArray[np.bool_]:
    """Whether each pair's one judgment is right."""
    return (outcomes.verdict == outcomes.label[:, None, None]).any(axis=(1, 2))
