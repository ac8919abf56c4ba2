"""McNemar's exact test, the sign-flip permutation test, and Holm's adjustment."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ralign.metrics.paired_tests import holm, mcnemar, swap_test


def mean_difference(first: np.ndarray, second: np.ndarray) -> float:
    """p of the mean difference of one number a prompt."""
    ones = np.ones(len(first))
    return swap_test(
        np.stack([first, ones], axis=1),
        np.stack([second, ones], axis=1),
        lambda sums: sums[:, 0] / sums[:, 1],
    ).p_value


def test_mcnemar_gives_the_number_worked_by_hand() -> None:
    """Eight pairs differ, one against seven: p = 2 x (1 + 8) / 2^8 = 18/256."""
    first = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0], bool)
    second = np.array([1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0], bool)
    assert mcnemar(first, second).p_value == pytest.approx(18 / 256)
    assert mcnemar(first, first).p_value == 1.0


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=10))
def test_few_prompts_are_flipped_in_every_way(values: list[tuple[int, bool]]) -> None:
    change = np.array([value for value, _ in values], dtype=float)
    flips = np.array(list(itertools.product((1, -1), repeat=len(change))))
    expected = (np.abs(flips @ change) >= abs(change.sum()) - 1e-9).mean()
    assert mean_difference(np.zeros(len(change)), change) == pytest.approx(expected)


def test_with_zeros_and_ones_the_sign_flip_test_is_mcnemars() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(300) < 0.6, rng.random(300) < 0.68
    ours = mean_difference(first.astype(float), second.astype(float))
    # Drawn 10,000 times: three standard errors.
    assert ours == pytest.approx(mcnemar(first, second).p_value, abs=0.013)


def test_many_prompts_are_flipped_at_random_as_scipy_does() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=60), rng.normal(0.25, 1, size=60)
    theirs = stats.permutation_test(
        (first, second),
        lambda a, b, axis: (b - a).mean(axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        rng=rng,
        vectorized=True,
    )
    assert mean_difference(first, second) == pytest.approx(theirs.pvalue, abs=0.015)


def test_the_same_prompts_give_the_same_p_in_any_order_of_prompts_and_runs() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 4, 200) / 3, rng.integers(0, 4, 200) / 3
    p_value = mean_difference(first, second)
    shuffled = rng.permutation(200)
    assert mean_difference(first[shuffled], second[shuffled]) == p_value
    assert mean_difference(second, first) == pytest.approx(p_value, abs=0.02)


def test_p_is_below_five_per_cent_five_times_in_a_hundred_where_runs_are_alike() -> None:
    rng = np.random.default_rng(3)
    p_values = [mean_difference(*rng.integers(0, 4, (2, 40)) / 3) for _ in range(400)]
    # Four standard errors above.
    assert (np.array(p_values) < 0.05).mean() < 0.05 + 4 * (0.05 * 0.95 / 400) ** 0.5


def test_runs_that_do_not_differ_have_p_one() -> None:
    assert mean_difference(np.ones(5), np.ones(5)) == 1.0


def test_holm_by_hand() -> None:
    """.01 x 3, .02 x 2, then .03, which may not be below the one before."""
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
