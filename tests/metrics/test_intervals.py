"""The multinomial bootstrap is the plain one, its intervals cover, and it is quick."""

import time

import numpy as np
import pytest
from scipy import stats

from ralign.metrics.intervals import Interval, interval, resampled_sums


def plain_bootstrap(shares: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.integers(len(shares), size=(resamples, len(shares)))
    return shares[drawn].sum(axis=1)


@pytest.mark.parametrize("distinct", [2, 60], ids=["drawn as counts", "drawn one by one"])
def test_resampled_sums_are_distributed_as_those_of_a_plain_bootstrap(distinct: int) -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(distinct, size=60) / distinct
    shares = np.stack([first, first**2], axis=1)
    ours, plain = resampled_sums(shares, 4_000, rng), plain_bootstrap(shares, 4_000, rng)
    for column in range(2):
        assert stats.ks_2samp(ours[:, column], plain[:, column]).pvalue > 0.01
    np.testing.assert_allclose(np.corrcoef(ours.T), np.corrcoef(plain.T), atol=0.02)


@pytest.mark.parametrize("distinct", [2, 1000])
def test_the_same_seed_gives_the_same_sums_whatever_the_order_of_the_pairs(distinct: int) -> None:
    shares = np.random.default_rng(2).integers(distinct, size=(200, 3)) / distinct
    ours = resampled_sums(shares, 50, np.random.default_rng(3))
    np.testing.assert_array_equal(resampled_sums(shares[::-1], 50, np.random.default_rng(3)), ours)
    assert not np.array_equal(resampled_sums(shares, 50, np.random.default_rng(4)), ours)


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(5)
    truth, pairs, runs = 0.7, 300, 600
    covered = 0
    for _ in range(runs):
        shares = (rng.random((pairs, 1)) < truth).astype(float)
        found = interval(shares.mean(), resampled_sums(shares, 400, rng)[:, 0] / pairs)
        assert found is not None
        covered += found.low <= truth <= found.high
    # Three standard errors of a share of 600 are 0.027; the percentile interval itself is about 0.005 short.
    assert 0.915 < covered / runs < 0.98


def test_an_undefined_figure_has_no_interval_and_undefined_resamples_are_left_out() -> None:
    assert interval(float("nan"), np.array([0.5])) is None
    assert interval(0.5, np.array([np.nan])) is None
    assert interval(0.5, np.array([np.nan, 0.25, 0.25, np.nan])) == Interval(0.5, 0.25, 0.25)


def test_no_pairs_give_empty_sums() -> None:
    assert resampled_sums(np.zeros((0, 2)), 3, np.random.default_rng(0)).tolist() == [[0.0, 0.0]] * 3


@pytest.mark.parametrize("distinct", [8, 20_000], ids=["few distinct pairs", "all pairs distinct"])
def test_ten_thousand_resamples_of_twenty_thousand_pairs_take_about_a_second(distinct: int) -> None:
    """Measured: 0.02 s and 1.3 s. CPU time is counted and the limit loose: machines may be busy."""
    rng = np.random.default_rng(6)
    shares = rng.integers(distinct, size=(20_000, 1)) * np.ones((1, 8)) / distinct
    started = time.process_time()
    resampled_sums(shares, 10_000, rng)
    assert time.process_time() - started < 6
