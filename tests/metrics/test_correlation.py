"""The paper's two correlations, and what a handful of points can and cannot say."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ralign.files.table import read_table
from ralign.metrics.correlation import compare_correlations, correlate

SHARED = Path(__file__).parents[2].parent / "shared"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data beside the repository")


def papers_columns(without: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F-Score, L-Acc and the downstream average over the paper's models."""
    table = read_table(SHARED / "paper" / "metric_vs_downstream.csv")
    kept = [model != without for model in table.labels()]
    f_score, l_acc, downstream = (
        np.array(table.numbers(name))[kept]
        for name in ("helpsteer3_f_score", "helpsteer3_l_acc", "downstream_average")
    )
    return f_score, l_acc, downstream


@needs_shared
def test_the_papers_correlations_come_out_with_their_intervals_and_p() -> None:
    """From the CSV's figures F-Score's low end is .678; from r rounded to .947, as it is often quoted, .676."""
    f_score, l_acc, downstream = papers_columns()
    found = correlate(f_score, downstream)
    assert found.models == 7
    assert found.pearson == pytest.approx(0.947, abs=5e-4)
    assert found.pearson_interval is not None
    assert found.pearson_interval[1:] == pytest.approx((0.678, 0.992), abs=5e-4)
    assert found.p_value == pytest.approx(0.0052, abs=5e-5)
    rival = correlate(l_acc, downstream)
    assert rival.pearson_interval == pytest.approx((0.366, -0.534, 0.877), abs=5e-4)
    assert rival.p_value == pytest.approx(0.4294, abs=5e-5)


@needs_shared
def test_the_papers_difference_hangs_on_one_model() -> None:
    f_score, l_acc, downstream = papers_columns()
    found = compare_correlations(f_score, l_acc, downstream)
    assert found.difference == pytest.approx((0.581, 0.029, 1.478), abs=1e-3)
    assert found.williams_p == pytest.approx(0.069, abs=5e-4)
    assert found.leave_one_out is not None
    f_score, l_acc, downstream = papers_columns(without="RRM-32B")
    assert correlate(f_score, downstream).pearson == pytest.approx(0.896, abs=5e-4)
    assert correlate(l_acc, downstream).pearson == pytest.approx(0.812, abs=5e-4)
    assert found.leave_one_out.low == pytest.approx(0.896 - 0.812, abs=1e-3)


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


def test_r_rho_and_fishers_interval_are_those_of_scipy_ties_included() -> None:
    x = np.array([1.0, 2.0, 2.0, 5.0, 7.0, 7.5])
    y = np.array([2.0, 1.0, 3.0, 3.0, 9.0, 4.0])
    found = correlate(x, y)
    theirs = stats.pearsonr(x, y)
    assert found.pearson == pytest.approx(theirs.statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic)
    ends = theirs.confidence_interval(0.95)
    assert found.pearson_interval is not None
    assert found.pearson_interval[1:] == pytest.approx((ends.low, ends.high))
    # rho's comes from seven models on.
    assert found.spearman_interval is None
    assert correlate([*x, 8.0], [*y, 5.0]).spearman_interval is not None


def test_p_is_over_all_orders_up_to_eight_models_and_over_drawn_ones_beyond() -> None:
    """Four models in the same order: of 24 orders this one and its reverse are as extreme, 2/24."""
    assert correlate([1, 2, 3, 4], [1, 2, 3, 4.5]).p_value == pytest.approx(2 / 24)
    rng = np.random.default_rng(1)
    x = rng.normal(size=30)
    y = x / 3 + rng.normal(size=30)
    theirs = stats.pearsonr(x, y, method=stats.PermutationMethod(n_resamples=20_000, rng=rng)).pvalue
    assert correlate(x, y).p_value == pytest.approx(theirs, abs=0.012)


def test_the_intervals_cover_over_seven_normal_models() -> None:
    """As in section 9's kind of simulation: 95 % of Fisher's intervals and Zou's hold what they are of."""
    rng = np.random.default_rng(2)
    of = np.array([[1, 0.6, 0.8], [0.6, 1, 0.4], [0.8, 0.4, 1]])  # x1, x2, y
    runs, single, both = 500, 0, 0
    for x1, x2, y in np.swapaxes(rng.multivariate_normal(np.zeros(3), of, size=(runs, 7)), 1, 2):
        interval, difference = correlate(x1, y).pearson_interval, compare_correlations(x1, x2, y).difference
        assert interval is not None
        assert difference is not None
        single += interval.low <= 0.8 <= interval.high
        both += difference.low <= 0.4 <= difference.high
    assert 0.93 < single / runs < 0.97
    assert 0.93 < both / runs < 0.985


@pytest.mark.parametrize(
    ("x", "y"),
    [([1, 2, 3], [1, 3, 2]), ([1, 2, 3, 4], [2, 4, 6, 8])],
    ids=["three models", "all on one line"],
)
def test_where_an_interval_would_be_wrong_there_is_none(x: list[float], y: list[float]) -> None:
    found = correlate(x, y)
    assert found.pearson_interval is None
    if len(x) == 3:
        assert found.p_value is None
        assert found.leave_one_out is None
    json.dumps(found.as_dict(), allow_nan=False)


def test_models_of_one_family_are_not_independent_so_r_stands_alone() -> None:
    x, z, y = [1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [1, 3, 2, 5, 4]
    alone, difference = correlate(x, y, independent=False), compare_correlations(x, z, y, independent=False)
    assert alone.pearson == correlate(x, y).pearson
    assert (alone.pearson_interval, alone.p_value) == (None, None)
    assert (difference.difference, difference.williams_p) == (None, None)
    assert difference.value == pytest.approx(alone.pearson - correlate(z, y).pearson)


@given(st.integers(4, 12), st.integers(0, 10_000))
def test_swapping_the_measures_mirrors_their_difference(models: int, seed: int) -> None:
    one, two, y = np.random.default_rng(seed).normal(size=(3, models))
    there, back = compare_correlations(one, two, y), compare_correlations(two, one, y)
    assert there.difference is not None
    assert back.difference is not None
    value, low, high = there.difference
    assert low <= value <= high
    assert back.difference == pytest.approx((-value, -high, -low))
    assert back.williams_p == pytest.approx(there.williams_p)
    json.dumps(there.as_dict(), allow_nan=False)


def test_leaving_out_names_the_point_that_carries_the_correlation() -> None:
    """Four points on a square have r = 0; the fifth, far out on the diagonal, is all there is."""
    found = correlate([0, 0, 1, 1, 9], [0, 1, 0, 1, 9])
    assert found.leave_one_out is not None
    assert found.leave_one_out.low == pytest.approx(0.0)
    assert found.leave_one_out.low_without == 4
    assert found.leave_one_out.high > found.pearson


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
        correlate(x, y)
