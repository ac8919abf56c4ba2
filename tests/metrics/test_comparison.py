"""Paired differences, and McNemar's exact test."""

import json

import numpy as np
import pytest

from ralign.metrics.comparison import compare, sign_test
from ralign.metrics.outcomes import Outcomes

AB = ("ab",)


def one_judgment_a_pair(right: np.ndarray, aligned: np.ndarray | None = None) -> Outcomes:
    label = np.zeros(len(right), np.int8)
    meta = np.full(len(right), -1) if aligned is None else aligned
    return Outcomes(
        label, np.where(right, 0, 1).astype(np.int8)[:, None, None], meta.astype(np.int8)[:, None, None]
    )


def test_mcnemar_gives_the_number_worked_by_hand() -> None:
    """Eight pairs differ, one against seven: p = 2 x (1 + 8) / 2^8 = 18/256."""
    first = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0], bool)
    second = np.array([1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0], bool)
    found = compare(
        one_judgment_a_pair(first), one_judgment_a_pair(second), AB, AB, rng=np.random.default_rng(0)
    )
    assert (found.mcnemar.more_right_in_first, found.mcnemar.more_right_in_second) == (1, 7)
    assert found.mcnemar.p_value == pytest.approx(18 / 256)
    assert found.difference.label_accuracy is not None
    assert found.difference.label_accuracy.value == pytest.approx(6 / 11)
    assert (found.pairs, found.left_out) == (11, 0)


def test_a_run_against_itself_differs_by_nothing_at_all() -> None:
    rng = np.random.default_rng(1)
    run = one_judgment_a_pair(rng.random(200) < 0.7, rng.integers(0, 2, 200))
    found = compare(run, run, AB, AB, rng=rng)
    assert found.first == found.second
    assert found.difference[:3] == ((0, 0, 0),) * 3
    assert found.mcnemar.p_value == 1.0


def test_pairing_takes_the_difficulty_of_the_pairs_out_of_the_difference() -> None:
    """The second run errs wherever the first does, and on 5 % more: the paired interval is the narrower."""
    rng = np.random.default_rng(2)
    first = rng.random(1_000) < 0.6
    second = first & (rng.random(1_000) < 0.95)
    found = compare(one_judgment_a_pair(first), one_judgment_a_pair(second), AB, AB, rng=rng)
    difference, single = found.difference.label_accuracy, found.first.label_accuracy
    assert difference is not None
    assert single is not None
    assert difference.high < 0
    assert difference.high - difference.low < 0.5 * (single.high - single.low)


def test_swapping_the_runs_negates_the_differences() -> None:
    rng = np.random.default_rng(3)
    one = one_judgment_a_pair(rng.random(300) < 0.7, rng.integers(0, 2, 300))
    other = one_judgment_a_pair(rng.random(300) < 0.6, rng.integers(0, 2, 300))
    there, back = compare(one, other, AB, AB, rng=rng), compare(other, one, AB, AB, rng=rng)
    for forward, backward in zip(there.difference[:3], back.difference[:3], strict=True):
        assert forward is not None
        assert backward is not None
        assert forward.value == pytest.approx(-backward.value)
        assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low), abs=0.006)
    assert there.mcnemar.p_value == back.mcnemar.p_value


def test_pairs_that_one_run_never_answered_are_left_out_of_both() -> None:
    first = one_judgment_a_pair(np.array([True, True, False]))
    second = one_judgment_a_pair(np.array([True, False, False]))
    first.verdict[1] = -2
    found = compare(first, second, AB, AB, rng=np.random.default_rng(0))
    assert (found.pairs, found.left_out) == (2, 1)
    assert found.second.label_accuracy is not None
    assert found.second.label_accuracy.value == 0.5


def test_with_several_judgments_a_pair_the_run_right_more_often_wins_the_pair() -> None:
    found = sign_test(np.array([0.5, 1.0, 0.0, 1 / 3]), np.array([1.0, 0.5, 0.25, 1 / 3]))
    assert (found.more_right_in_first, found.more_right_in_second) == (1, 2)
    assert found.p_value == 1.0


def test_runs_with_different_orders_are_compared_on_what_both_have() -> None:
    rng = np.random.default_rng(4)
    one = one_judgment_a_pair(rng.random(50) < 0.7)
    both = Outcomes(one.label, np.repeat(one.verdict, 2, axis=1), np.repeat(one.aligned, 2, axis=1))
    found = compare(one, both, AB, ("ab", "ba"), rng=rng)
    assert found.difference.label_accuracy == (0, 0, 0)
    assert found.second.order_consistency is not None
    assert found.difference.order_consistency is None
    json.dumps(found.as_dict(), allow_nan=False)


def test_runs_on_other_pairs_are_refused() -> None:
    one = one_judgment_a_pair(np.array([True, False]))
    with pytest.raises(ValueError, match="same pairs"):
        compare(one, one._replace(label=np.ones(2, np.int8)), AB, AB, rng=np.random.default_rng(0))


def test_no_pair_in_common_gives_no_figures() -> None:
    nothing = one_judgment_a_pair(np.array([], bool))
    found = compare(nothing, nothing, AB, AB, rng=np.random.default_rng(0))
    assert found.difference == (None,) * 5
    assert found.mcnemar.p_value == 1.0
