"""Intervals: reference values, and what must hold for any outcomes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ralign.metrics.intervals import (
    Interval,
    Share,
    difference,
    fidelity_interval,
    kappa_interval,
    mean_interval,
    product,
    wilson,
)


def simple(right: int, of: int) -> Share:
    """One judgment of one pair a prompt."""
    return Share((np.arange(of) < right).astype(float), np.ones(of), float(of), simple=True)


def found(share: Share) -> Interval:
    interval = share.interval()
    assert interval is not None
    return interval


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(8, 8, 0.6756, 1), (0, 3, 0, 0.5615), (7, 8, 0.5291, 0.9776), (980, 1000, 0.9693, 0.9870)],
)
def test_one_judgment_a_prompt_has_wilsons_interval(right: int, of: int, low: float, high: float) -> None:
    interval = found(simple(right, of))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    theirs = stats.binomtest(right, of).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high))


def test_several_judgments_a_pair_are_worth_less_than_as_many_pairs() -> None:
    shares = np.array([1, 1, 1, 0.5, 0.5, 1, 0, 1, 1, 0.5])
    assert found(Share(shares, np.ones(10), 20.0)) == pytest.approx((0.75, 0.4589, 0.9139), abs=5e-5)
    # Always the answer shown first: each pair is right once of twice, which varies not at all.
    assert found(Share(np.full(10, 0.5), np.ones(10), 20.0)) == pytest.approx((0.5, 0.2743, 0.7257), abs=5e-5)


def test_pairs_of_one_prompt_are_worth_less_than_as_many_prompts() -> None:
    clustered = Share(np.array([3.0, 2, 1, 3]), np.full(4, 3.0), 12.0)
    assert found(clustered) == pytest.approx((0.75, 0.2454, 0.9651), abs=5e-5)
    assert found(simple(9, 12))[1:] == pytest.approx((0.4677, 0.9111), abs=5e-5)


def test_one_prompt_alone_is_worth_one_judgment() -> None:
    assert found(Share(np.array([2.0]), np.array([3.0]), 3.0))[1:] == pytest.approx(wilson(2 / 3, 1.0))


def test_f_score_is_the_product_of_two_shares() -> None:
    label_accuracy, spurious = found(simple(75, 100)), found(simple(3, 30))
    f_score = fidelity_interval(label_accuracy, spurious)
    assert f_score == pytest.approx((0.675, 0.5310, 0.7581), abs=5e-5)
    aligned = Interval(1 - spurious.value, 1 - spurious.high, 1 - spurious.low)
    assert f_score == product(label_accuracy, aligned)


def test_where_nothing_is_aligned_f_score_may_be_as_high_as_a_share_of_zero() -> None:
    """One of 100 right, and for a wrong reason: 0/100 by Wilson ends at .0370; MOVER alone would say .0079."""
    f_score = fidelity_interval(found(simple(1, 100)), found(simple(1, 1)))
    assert f_score == pytest.approx((0, 0, 0.0362), abs=5e-5)
    assert found(simple(0, 100)).high == pytest.approx(0.0370, abs=5e-5)


def test_where_nothing_is_right_f_score_is_zero_and_otherwise_needs_s_corr() -> None:
    nothing = found(simple(0, 5))
    assert fidelity_interval(nothing, None) == Interval(0.0, 0.0, nothing.high)
    assert fidelity_interval(found(simple(1, 5)), None) is None


def paired(both: int, first: int, second: int, neither: int) -> Interval:
    one = np.repeat([1.0, 1, 0, 0], [both, first, second, neither])
    two = np.repeat([1.0, 0, 1, 0], [both, first, second, neither])
    a, b = (Share(each, np.ones(len(each)), float(len(each)), simple=True) for each in (one, two))
    return difference(found(a), found(b), a.residuals, b.residuals)


def test_a_paired_difference_has_newcombes_interval() -> None:
    # Altman (2000), p. 52: first less second.
    assert paired(14, 0, 5, 22) == pytest.approx((0.1220, 0.0115, 0.2265), abs=5e-5)
    assert paired(12, 0, 0, 0) == pytest.approx((0, -0.2425, 0.2425), abs=5e-5)
    assert paired(10, 0, 0, 1) == pytest.approx((0, -0.2615, 0.2615), abs=5e-5)


def test_a_mean_in_minus_one_to_one_has_an_interval_there() -> None:
    assert mean_interval(np.array([]), np.array([]), 0.0) is None
    ones = mean_interval(np.ones(8), np.ones(8), 8.0)
    assert ones is not None
    assert ones.value == ones.high == 1.0
    assert -1 < ones.low < 0.5
    even = mean_interval(np.array([-0.5, 0.5, 0.25, -0.25]), np.ones(4), 4.0)
    assert even is not None
    assert even.value == 0.0
    assert even.low == pytest.approx(-even.high)


def test_kappa_has_the_standard_error_of_fleiss_cohen_and_everitt() -> None:
    """By hand for 20, 5, 10, 15: kappa .4, chance .5, rows .5 .5, columns .6 .4; 1 - kappa = .6.

    On the diagonal .4 (1 - 1.1 x .6)^2 + .3 (1 - .9 x .6)^2 = .1097; off it .6^2 (.1 (.6 + .5)^2 + .2 (.4 + .5)^2)
    = .1019; less (.4 - .5 x .6)^2 = .01: .2016 / (50 x .5^2).
    """
    variance = 0.2016 / (50 * 0.25)
    half = 1.959964 * math.sqrt(variance) / (1 - 0.4**2)
    interval = kappa_interval(np.array([[20.0, 5.0], [10.0, 15.0]]))
    assert interval == pytest.approx(
        (0.4, math.tanh(math.atanh(0.4) - half), math.tanh(math.atanh(0.4) + half))
    )


def test_kappa_at_its_ends_leaves_the_other_side_open() -> None:
    assert kappa_interval(np.array([[3.0, 0.0], [0.0, 3.0]])) == (1.0, -1.0, 1.0)
    assert kappa_interval(np.array([[0.0, 3.0], [3.0, 0.0]])) == (-1.0, -1.0, 1.0)
    assert kappa_interval(np.array([[3.0, 0.0], [0.0, 0.0]])) is None
    assert kappa_interval(np.zeros((2, 2))) is None


UNITS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=1, max_size=15)
"""(right, judgments) of each prompt, the former cut to the latter."""


def share_of(units: list[tuple[int, int]], *, mirrored: bool = False) -> Share:
    judgments = np.array([of for _, of in units], dtype=float)
    right = np.array([min(right, of) for right, of in units], dtype=float)
    return Share(judgments - right if mirrored else right, judgments, float(judgments.sum()))


@given(UNITS)
def test_a_share_lies_in_an_interval_of_some_width_within_0_and_1(units: list[tuple[int, int]]) -> None:
    interval = found(share_of(units))
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.high > interval.low


@given(UNITS)
def test_swapping_right_and_wrong_mirrors_the_interval(units: list[tuple[int, int]]) -> None:
    value, low, high = found(share_of(units))
    assert found(share_of(units, mirrored=True)) == pytest.approx((1 - value, 1 - high, 1 - low))


@given(UNITS, st.randoms(use_true_random=False))
def test_the_order_of_the_prompts_changes_nothing(units: list[tuple[int, int]], random: object) -> None:
    shuffled = list(units)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert found(share_of(shuffled)) == pytest.approx(found(share_of(units)))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 4)), min_size=1, max_size=15))
def test_a_difference_has_some_width_and_mirrors_when_the_runs_are_swapped(
    units: list[tuple[int, int, int]],
) -> None:
    one = share_of([(a, of) for a, _, of in units])
    two = share_of([(b, of) for _, b, of in units])
    there = difference(found(one), found(two), one.residuals, two.residuals)
    back = difference(found(two), found(one), two.residuals, one.residuals)
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert there.high > there.low
    assert back == pytest.approx((-there.value, -there.high, -there.low))


def test_nothing_in_the_denominator_has_no_interval() -> None:
    assert Share(np.zeros(3), np.zeros(3), 0.0).interval() is None
    assert Share(np.array([]), np.array([]), 0.0).interval() is None
