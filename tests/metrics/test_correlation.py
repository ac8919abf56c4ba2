"""The paper's two correlations, and what a handful of points can and cannot say."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ralign.files.table import read_table
from ralign.metrics.correlation import correlate

SHARED = Path(__file__).parents[2].parent / "shared"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data beside the repository")


@needs_shared
@pytest.mark.parametrize(("x", "r"), [("helpsteer3_l_acc", 0.366), ("helpsteer3_f_score", 0.947)])
def test_the_papers_correlations_come_out(x: str, r: float) -> None:
    table = read_table(SHARED / "paper" / "metric_vs_downstream.csv")
    found = correlate(table.numbers(x), table.numbers("downstream_average"), rng=np.random.default_rng(0))
    assert found.models == 7
    assert round(found.pearson.value, 3) == r
    assert found.pearson.low < found.pearson.value < found.pearson.high


@needs_shared
def test_the_papers_table_satisfies_our_identity_but_in_the_two_cells_its_readme_names() -> None:
    table = read_table(SHARED / "paper" / "genrm_benchmark.csv")
    off = {
        (model, benchmark)
        for benchmark in ("helpsteer3", "rewardbench2", "ppe_preference")
        for model, l_acc, s_corr, f_score in zip(
            table.labels(),
            *(table.numbers(f"{benchmark}_{measure}") for measure in ("l_acc", "s_corr", "f_score")),
            strict=True,
        )
        if abs(l_acc * (1 - s_corr / 100) - f_score) > 0.15
    }
    assert off == {("DeepSeek-V3.2-thinking", "helpsteer3"), ("GPT-5-thinking", "ppe_preference")}


def test_r_and_rho_are_those_of_scipy_ties_included() -> None:
    x = np.array([1.0, 2.0, 2.0, 5.0, 7.0, 7.5])
    y = np.array([2.0, 1.0, 3.0, 3.0, 9.0, 4.0])
    found = correlate(x, y, rng=np.random.default_rng(0))
    assert found.pearson.value == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found.spearman.value == pytest.approx(stats.spearmanr(x, y).statistic)


def test_the_interval_is_that_of_a_plain_bootstrap_over_models() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=12)
    y = x + rng.normal(size=12) / 3  # a strong correlation: its lower tail is short
    found = correlate(x, y, rng=rng)
    drawn = rng.integers(12, size=(2_000, 12))
    plain = [stats.pearsonr(x[i], y[i]).statistic for i in drawn]
    assert (found.pearson.low, found.pearson.high) == pytest.approx(
        np.quantile(plain, (0.025, 0.975)), abs=0.03
    )


def test_leaving_out_names_the_point_that_carries_the_correlation() -> None:
    """Four points on a square have r = 0; the fifth, far out on the diagonal, is all there is."""
    found = correlate([0, 0, 1, 1, 9], [0, 1, 0, 1, 9], rng=np.random.default_rng(0))
    assert found.leave_one_out is not None
    assert found.leave_one_out.low == pytest.approx(0.0)
    assert found.leave_one_out.low_without == 4
    assert found.leave_one_out.high > found.pearson.value


def test_resamples_of_one_point_are_left_out_and_counted() -> None:
    """Three points: 3 of the 27 resamples draw one point only."""
    found = correlate([1, 2, 3], [1, 3, 2], rng=np.random.default_rng(0), resamples=9_000)
    assert found.degenerate_resamples == pytest.approx(1_000, abs=100)
    assert found.leave_one_out is None
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("x", "y", "problem"),
    [
        ([1, 2], [1, 2], "2 models, expected at least 3"),
        ([1, 2, 3], [4, 4, 4], "y is 4 for every model"),
        ([1, float("nan"), 3], [1, 2, 3], "x has a figure that is not finite"),
        ([1, 2, 3], [1, 2], "shape"),
    ],
)
def test_columns_that_cannot_correlate_are_refused(x: list[float], y: list[float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        correlate(x, y, rng=np.random.default_rng(0))
