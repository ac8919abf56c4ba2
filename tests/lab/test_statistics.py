import math

import pytest
from tests.lab.made_results import arm, seed

from ralign.lab.results import SeedResult, read_result, write_result
from ralign.lab.statistics import advantage, by_arm, differences, over_seeds, predictions, within_judge

TWO = [
    seed(0, arm("base", 0.7, 0.5, 0.5), arm("outcome-only", 0.9, 0.6, 0.5), arm("r-align", 0.9, 0.1, 0.9)),
    seed(1, arm("base", 0.8, 0.7, 0.4), arm("outcome-only", 0.9, 0.8, 0.3), arm("r-align", 0.8, 0.1, 0.9)),
]


def test_a_t_interval_worked_by_hand():
    """Mean 2, standard deviation 1, n 3: 2 +- 4.303 / sqrt(3) (Student's t, two degrees of freedom)."""
    found = over_seeds([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert (found.low, found.high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)
    assert over_seeds([1.0])[1:4] == (None, None, None)


@pytest.mark.parametrize(
    ("values", "p"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], 2 / 32),  # all of one sign: 2^-(seeds - 1)
        (
            [0.1, 0.2, 0.3, 0.4, -0.1],
            6 / 32,
        ),  # sums of at least .9: none, .1, or the -.1 turned, and their mirrors
        ([1.0, -1.0], 1.0),
        ([0.3, 0.3, 0.3], 0.25),
    ],
)
def test_sign_flips_counted_by_hand(values, p):
    assert over_seeds(values).p_value == pytest.approx(p)


def test_seeds_that_are_all_alike_have_no_interval():
    assert over_seeds([0.3, 0.3, 0.3])[1:3] == (None, None)


def test_policies_of_one_judge_differ_by_their_pooled_deviation():
    """Variances .02 and .08 of two policies each: the root of their mean, .05."""
    two = [seed(0, arm("base", 0.7, 0.5, 0.4, 0.6)), seed(1, arm("base", 0.7, 0.5, 0.2, 0.6))]
    assert within_judge(two, "base") == pytest.approx(0.05**0.5)
    assert two[0].arms[0].policy.quality == pytest.approx(0.5)
    assert within_judge([seed(0, arm("base", 0.7, 0.5, 0.4))], "base") is None


def test_arms_are_compared_within_their_seed():
    found = differences(TWO, "r-align", "outcome-only")
    assert found["quality"].values == pytest.approx((0.4, 0.6))
    assert found["label_accuracy"].mean == pytest.approx(-0.05)
    assert by_arm(TWO)["base"]["label_accuracy"].values == (0.7, 0.8)


def four(number, shift, fidelities=(0.2, 0.3, 0.8, 0.9), qualities=(0.2, 0.4, 0.7, 0.9)):
    names = ("base", "outcome-only", "r-align", "r-align, 30 steps")
    arms = zip(names, fidelities, qualities, strict=True)
    return seed(number, *(arm(name, 0.9, 1 - f / 0.9, shift + 0.4 * quality) for name, f, quality in arms))


def test_a_correlation_within_seeds_is_the_mean_of_fishers_z_worked_by_hand():
    """r is .32 / sqrt(.37 x .29) in two seeds, whatever a seed adds to all, and .30 / sqrt(.37 x .29) in the third."""
    found = predictions([four(0, 0.0), four(1, 0.3), four(2, 0.1, qualities=(0.2, 0.4, 0.9, 0.7))])
    r = found["fidelity_score"].within
    assert r.values == pytest.approx((0.9769, 0.9769, 0.9158), abs=1e-4)
    z = [math.atanh(each) for each in r.values]
    assert r.mean == pytest.approx(math.tanh(sum(z) / 3))
    expected = over_seeds(z)
    assert (r.low, r.high) == pytest.approx((math.tanh(expected.low), math.tanh(expected.high)))
    assert found["label_accuracy"].within is None  # the same for every judge
    assert found["fidelity_score"].pooled < r.mean  # what a seed adds to all of its judges hides it
    assert found["fidelity_score"].by_reward > 0.9


def test_the_better_measure_has_the_greater_z():
    results = [four(0, 0.0), four(1, 0.3), four(2, 0.1, qualities=(0.2, 0.4, 0.9, 0.7))]
    assert advantage(results, "fidelity_score", "fidelity_score").mean == 0
    assert advantage(results, "fidelity_score", "spurious_correctness").low > 0
    assert advantage(results, "fidelity_score", "label_accuracy") is None
    assert advantage(results[:1], "fidelity_score", "spurious_correctness") is None


def test_one_seed_and_three_judges_have_no_correlation():
    assert set(predictions([four(0, 0.0)])["fidelity_score"]) == {None}
    assert predictions(TWO)["fidelity_score"].within is None


def test_a_judge_that_is_never_right_has_no_spurious_correctness_and_is_no_point_of_that_correlation():
    broken = seed(
        2, arm("base", 0.0, None, 0.1), arm("outcome-only", 0.9, 0.7, 0.4), arm("r-align", 0.9, 0.2, 0.8)
    )
    assert math.isnan(by_arm([broken])["base"]["spurious_correctness"].mean)
    found = predictions([*TWO, broken])
    assert found["spurious_correctness"].pooled < -0.8
    assert found["spurious_correctness"].by_reward is None  # two points in the third seed


def test_a_result_comes_back_from_its_file(tmp_path):
    write_result(TWO[0], tmp_path / "result.json")
    assert read_result(SeedResult, tmp_path / "result.json") == TWO[0]
