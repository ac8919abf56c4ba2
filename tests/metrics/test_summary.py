"""The summary in `results.json`: keys, no NaN, and intervals over prompts."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ralign.metrics.outcomes import Outcomes
from ralign.metrics.summary import summarise


def random_outcomes(pairs: int, orders: int, seed: int) -> Outcomes:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, pairs)
    verdict = np.where(rng.random((pairs, orders, 1)) < 0.75, label[:, None, None], 1 - label[:, None, None])
    aligned = np.where(rng.random((pairs, orders, 1)) < 0.6, 1, 0)
    label, verdict, aligned = (each.astype(np.int8) for each in (label, verdict, aligned))
    return Outcomes(label, np.arange(pairs), verdict, aligned)


def test_the_keys_are_those_that_the_design_fixes() -> None:
    summary = summarise(random_outcomes(40, 2, 0), ("ab", "ba")).as_dict()
    measures = {
        "label_accuracy",
        "spurious_correctness",
        "fidelity_score",
        "order_consistency",
        "right_in_both_orders",
    }
    assert measures | {"pairs", "prompts", "counts"} <= summary.keys()
    for name in measures:
        assert summary[name].keys() == {"value", "low", "high"}  # type: ignore[attr-defined]
    assert {
        "judgments",
        "no_verdict",
        "right_ab",
        "right_ba",
        "right_in_both_orders",
        "same_verdict",
        "meta_judged",
        "meta_failed",
        "aligned",
    } <= summary["counts"].keys()  # type: ignore[attr-defined]


def test_intervals_have_the_width_that_theory_gives() -> None:
    """Binomial: 1.96 sqrt(p (1 - p) / n) to either side."""
    outcomes = random_outcomes(4_000, 1, 1)
    found = summarise(outcomes, ("ab",)).measures
    for interval, n in (
        (found.label_accuracy, 4_000),
        (found.spurious_correctness, int((outcomes.verdict[:, 0, 0] == outcomes.label).sum())),
        (found.fidelity_score, 4_000),
    ):
        assert interval is not None
        half = 1.96 * (interval.value * (1 - interval.value) / n) ** 0.5
        assert interval.low == pytest.approx(interval.value - half, abs=half / 10)
        assert interval.high == pytest.approx(interval.value + half, abs=half / 10)


def test_both_orders_of_a_pair_are_one_observation_not_two() -> None:
    """A judge that answers alike in both orders has seen no more pairs, so it is no surer."""
    one = random_outcomes(500, 1, 2)
    twice = one._replace(verdict=np.repeat(one.verdict, 2, axis=1), aligned=np.repeat(one.aligned, 2, axis=1))
    single = summarise(one, ("ab",)).measures
    double = summarise(twice, ("ab", "ba")).measures
    assert double.label_accuracy == pytest.approx(single.label_accuracy, abs=5e-4)
    assert double.fidelity_score == pytest.approx(single.fidelity_score, abs=1e-3)


def test_pairs_that_share_a_prompt_make_the_intervals_wider() -> None:
    """Three copies of every pair under its prompt say no more than one; as prompts of their own they would."""
    one = random_outcomes(200, 1, 4)
    copies = Outcomes(*(np.repeat(each, 3, axis=0) for each in one))
    apart = copies._replace(prompt=np.arange(600))
    widths: list[float] = []
    for outcomes in (one, copies, apart):
        found = summarise(outcomes, ("ab",))
        interval = found.measures.label_accuracy
        assert interval is not None
        widths.append(interval.high - interval.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.02)
    assert widths[2] < 0.6 * widths[1]
    assert (summarise(copies, ("ab",)).pairs, summarise(copies, ("ab",)).prompts) == (600, 200)


def test_lost_calls_change_counts_and_bounds_but_no_figure_and_no_interval() -> None:
    outcomes = random_outcomes(100, 1, 3)
    lost = Outcomes(
        np.pad(outcomes.label, (0, 20)),
        np.arange(120),
        np.pad(outcomes.verdict, ((0, 20), (0, 0), (0, 0)), constant_values=-2),
        np.pad(outcomes.aligned, ((0, 20), (0, 0), (0, 0)), constant_values=-1),
    )
    whole = summarise(outcomes, ("ab",))
    partial = summarise(lost, ("ab",))
    assert partial.measures == whole.measures
    assert (whole.pairs, partial.pairs, partial.counts.unanswered_pairs) == (100, 120, 20)
    assert whole.label_accuracy_bounds is None
    value = whole.measures.label_accuracy
    assert value is not None
    assert partial.label_accuracy_bounds == pytest.approx(
        (value.value * 100 / 120, (value.value * 100 + 20) / 120)
    )


def test_a_subset_where_nothing_is_right_has_f_score_zero_only_if_there_was_a_meta_judge() -> None:
    wrong = Outcomes(
        np.zeros(3, np.int8), np.arange(3), np.ones((3, 1, 1), np.int8), np.full((3, 1, 1), -1, np.int8)
    )
    with_one = summarise(wrong, ("ab",), has_meta_judge=True).measures
    assert with_one.label_accuracy is not None
    assert with_one.fidelity_score == (0.0, 0.0, with_one.label_accuracy.high)
    assert with_one.spurious_correctness is None
    assert summarise(wrong, ("ab",)).measures.fidelity_score is None


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_outcomes_give_json_without_nan(data: st.DataObject) -> None:
    shape = (data.draw(st.integers(0, 6)), data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)))
    outcomes = Outcomes(
        data.draw(arrays(np.int8, shape[0], elements=st.integers(0, 1))),
        data.draw(arrays(np.intp, shape[0], elements=st.integers(0, 3))),
        data.draw(arrays(np.int8, shape, elements=st.integers(-2, 1))),
        data.draw(arrays(np.int8, shape, elements=st.integers(-2, 1))),
    )
    orders = ("ab",) if shape[1] == 1 else ("ab", "ba")
    summary = summarise(outcomes, orders)
    again = json.loads(json.dumps(summary.as_dict(), allow_nan=False))
    assert again["pairs"] == shape[0]
    for interval in summary.measures:
        assert interval is None or 0 <= interval.low <= interval.value <= interval.high <= 1
    for interval in summary.measures[:2]:
        assert interval is None or interval.high > interval.low
