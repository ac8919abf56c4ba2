"""What difference so many prompts can show: Miller's formula, and that such a difference is indeed found."""

import numpy as np
import pytest
from scipy import stats

from ralign.metrics.intervals import Interval
from ralign.metrics.power import prompts_needed, shown_by, smallest_difference


def test_the_formula_by_hand() -> None:
    """(1.96 + 0.84)^2 = 7.849; at p = 1/2 and no correlation the variance is 1/2: 3.92 / .02^2 = 9,812 prompts."""
    factor = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2
    assert prompts_needed(0.02) == int(np.ceil(factor * 0.5 / 0.0004)) == 9_812
    assert prompts_needed(0.02, correlation=0.5) == 4_906
    assert smallest_difference(1_000) == pytest.approx(np.sqrt(factor * 0.5 / 1_000))
    assert smallest_difference(1_000, share=0.9) == pytest.approx(0.6 * smallest_difference(1_000))


def test_the_prompts_that_a_difference_takes_show_that_difference() -> None:
    for difference in (0.01, 0.05, 0.2):
        assert smallest_difference(prompts_needed(difference)) <= difference + 1e-12
        assert smallest_difference(prompts_needed(difference) - 1) > difference


def test_a_handful_of_prompts_shows_at_most_everything() -> None:
    assert smallest_difference(1) == 1.0


def test_a_difference_of_that_size_is_found_eight_times_in_ten() -> None:
    rng = np.random.default_rng(0)
    prompts, runs, low = 1_000, 4_000, 0.5 - smallest_difference(1_000) / 2
    first = rng.binomial(prompts, low, size=runs) / prompts
    second = rng.binomial(prompts, 1 - low, size=runs) / prompts
    error = np.sqrt((first * (1 - first) + second * (1 - second)) / prompts)
    found = ((second - first) / error > stats.norm.ppf(0.975)).mean()
    assert found == pytest.approx(0.8, abs=0.02)


def test_a_comparison_shows_so_many_times_its_standard_error() -> None:
    assert shown_by(Interval(0.03, -0.0196, 0.0196)) == pytest.approx(0.01 * 2.8016, rel=1e-3)
