"""Differences to the first run: paired, over prompts, each with the test of that difference."""

import json

import numpy as np
import pytest

from ralign.metrics.comparison import compare
from ralign.metrics.outcomes import Outcomes

AB = ("ab",)


def one_judgment_a_pair(
    right: np.ndarray, aligned: np.ndarray | None = None, prompt: np.ndarray | None = None
) -> Outcomes:
    label = np.zeros(len(right), np.int8)
    meta = np.full(len(right), -1) if aligned is None else aligned
    return Outcomes(
        label,
        np.arange(len(right)) if prompt is None else prompt,
        np.where(right, 0, 1).astype(np.int8)[:, None, None],
        meta.astype(np.int8)[:, None, None],
    )


def test_mcnemar_tests_label_accuracy_with_one_judgment_a_pair() -> None:
    """Eight pairs differ, one against seven: p = 2 x (1 + 8) / 2^8 = 18/256."""
    first = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0], bool)
    second = np.array([1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0], bool)
    found = compare([one_judgment_a_pair(first), one_judgment_a_pair(second)], [AB, AB])
    test = found.others[0].tests.label_accuracy
    assert test is not None
    assert test.name == "McNemar exact"
    assert test.p_value == pytest.approx(18 / 256)
    assert test.adjusted is None
    assert found.others[0].difference.label_accuracy is not None
    assert found.others[0].difference.label_accuracy.value == pytest.approx(6 / 11)
    assert (found.pairs, found.prompts, found.left_out) == (11, 11, 0)


def test_a_run_that_is_never_right_has_an_f_score_to_compare_and_no_s_corr() -> None:
    nothing = one_judgment_a_pair(np.zeros(4, bool), np.full(4, -1))
    everything = one_judgment_a_pair(np.ones(4, bool), np.ones(4))
    found = compare([nothing, everything], [AB, AB], has_meta_judge=[True, True]).others[0]
    assert found.difference.spurious_correctness is None
    assert found.tests.spurious_correctness is None
    assert found.difference.fidelity_score is not None
    assert found.difference.fidelity_score.value == 1.0


@pytest.mark.parametrize("several", ["prompt", "orders"])
def test_with_several_judgments_a_prompt_the_test_is_of_the_mean_difference(several: str) -> None:
    """Two prompts gain one judgment each, one loses three: a sign test says 2 to 1, the mean says the loss."""
    first = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1], [1, 1, 1]], bool)
    second = np.array([[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1]], bool)
    if several == "prompt":
        prompt = np.repeat(np.arange(4), 3)
        runs = [one_judgment_a_pair(run.ravel(), prompt=prompt) for run in (first, second)]
    else:
        runs = [
            Outcomes(
                np.zeros(4, np.int8),
                np.arange(4),
                np.where(run, 0, 1).astype(np.int8)[:, None, :],
                np.full((4, 1, 3), -1, np.int8),
            )
            for run in (first, second)
        ]
    found = compare(runs, [AB, AB])
    test = found.others[0].tests.label_accuracy
    assert test is not None
    assert test.name == "sign-flip permutation, exact"
    # +1, +1, -3 of 3: of the eight ways to flip, |sum| >= 1 in all.
    assert test.p_value == 1.0
    assert found.prompts == 4
    assert found.others[0].difference.label_accuracy is not None
    assert found.others[0].difference.label_accuracy.value == pytest.approx(-1 / 12)


def test_a_run_against_itself_differs_by_nothing_with_an_interval_all_the_same() -> None:
    rng = np.random.default_rng(1)
    run = one_judgment_a_pair(rng.random(200) < 0.7, rng.integers(0, 2, 200))
    found = compare([run, run], [AB, AB])
    (other,) = found.others
    assert found.first == other.measures
    for difference, test in zip(other.difference[:3], other.tests[:3], strict=True):
        assert difference is not None
        assert test is not None
        assert difference.value == 0
        assert difference.low == pytest.approx(-difference.high)
        assert 0 < difference.high < 0.05
        assert test.p_value == 1.0


def test_pairing_takes_the_difficulty_of_the_pairs_out_of_the_difference() -> None:
    """The second run errs wherever the first does, and on 5 % more: the paired interval is the narrower."""
    rng = np.random.default_rng(2)
    first = rng.random(1_000) < 0.6
    second = first & (rng.random(1_000) < 0.95)
    found = compare([one_judgment_a_pair(first), one_judgment_a_pair(second)], [AB, AB])
    difference, single = found.others[0].difference.label_accuracy, found.first.label_accuracy
    assert difference is not None
    assert single is not None
    assert difference.high < 0
    assert difference.high - difference.low < 0.5 * (single.high - single.low)


def test_swapping_the_runs_mirrors_the_differences() -> None:
    rng = np.random.default_rng(3)
    one = one_judgment_a_pair(rng.random(300) < 0.7, rng.integers(0, 2, 300))
    other = one_judgment_a_pair(rng.random(300) < 0.6, rng.integers(0, 2, 300))
    there = compare([one, other], [AB, AB]).others[0]
    back = compare([other, one], [AB, AB]).others[0]
    for forward, backward in zip(there.difference[:3], back.difference[:3], strict=True):
        assert forward is not None
        assert backward is not None
        assert forward == pytest.approx((-backward.value, -backward.high, -backward.low))
    for forward, backward in zip(there.tests[:3], back.tests[:3], strict=True):
        assert forward is not None
        assert backward is not None
        assert forward.p_value == pytest.approx(backward.p_value, abs=0.02)


def test_an_interval_away_from_zero_has_a_small_p_and_the_other_way_round() -> None:
    """Both say the same of each measure, but for the border between them."""
    rng = np.random.default_rng(4)
    for shift in (0.0, 0.05, 0.1, 0.3):
        one = one_judgment_a_pair(rng.random(400) < 0.6, rng.integers(0, 2, 400))
        two = one_judgment_a_pair(rng.random(400) < 0.6 + shift, (rng.random(400) < 0.5 + shift).astype(int))
        found = compare([one, two], [AB, AB]).others[0]
        for difference, test in zip(found.difference[:3], found.tests[:3], strict=True):
            assert difference is not None
            assert test is not None
            if test.p_value < 0.03:
                assert not difference.low <= 0 <= difference.high
            if test.p_value > 0.08:
                assert difference.low <= 0 <= difference.high


def test_several_runs_are_compared_with_the_first_and_their_p_adjusted() -> None:
    rng = np.random.default_rng(5)
    runs = [one_judgment_a_pair(rng.random(500) < rate) for rate in (0.6, 0.68, 0.8)]
    found = compare(runs, [AB] * 3)
    tests = [other.tests.label_accuracy for other in found.others]
    assert [test.adjusted for test in tests if test] == pytest.approx(
        [tests[0].p_value, 2 * tests[1].p_value] if tests[0] and tests[1] else []
    )
    alone = compare([runs[0], runs[2]], [AB, AB]).others[0]
    assert found.others[1].difference == alone.difference


def test_pairs_that_one_run_never_answered_are_left_out_of_all() -> None:
    first = one_judgment_a_pair(np.array([True, True, False]))
    second = one_judgment_a_pair(np.array([True, False, False]))
    first.verdict[1] = -2
    found = compare([first, second, second], [AB] * 3)
    assert (found.pairs, found.left_out) == (2, 1)
    for other in found.others:
        assert other.measures.label_accuracy is not None
        assert other.measures.label_accuracy.value == 0.5


def test_runs_with_different_orders_are_compared_on_what_both_have() -> None:
    rng = np.random.default_rng(4)
    one = one_judgment_a_pair(rng.random(50) < 0.7)
    both = Outcomes(
        one.label, one.prompt, np.repeat(one.verdict, 2, axis=1), np.repeat(one.aligned, 2, axis=1)
    )
    found = compare([one, both], [AB, ("ab", "ba")])
    (other,) = found.others
    assert other.difference.label_accuracy is not None
    assert other.difference.label_accuracy.value == 0
    assert other.measures.order_consistency is not None
    assert other.difference.order_consistency is None
    json.dumps(found.as_dict(["one", "both"]), allow_nan=False)


def test_runs_on_other_pairs_are_refused() -> None:
    one = one_judgment_a_pair(np.array([True, False]))
    for other in (one._replace(label=np.ones(2, np.int8)), one._replace(prompt=np.array([0, 0]))):
        with pytest.raises(ValueError, match="same pairs"):
            compare([one, other], [AB, AB])


def test_no_pair_in_common_gives_no_figures() -> None:
    nothing = one_judgment_a_pair(np.array([], bool))
    found = compare([nothing, nothing], [AB, AB]).others[0]
    assert found.difference == (None,) * 5
    assert found.tests == (None,) * 5
