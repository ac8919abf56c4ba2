"""Numbers worked by hand, properties that hold for any outcomes, and the published LLMBar judgments."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ralign.metrics.outcomes import (
    ALIGNED,
    META_FAILED,
    MISALIGNED,
    NO_VERDICT,
    NOT_META_JUDGED,
    UNANSWERED,
    VERDICT_A,
    VERDICT_B,
    Outcomes,
)
from ralign.metrics.summary import (
    Bounds,
    count,
    fidelity_bounds,
    label_accuracy_bounds,
    measures_of,
    pair_sums,
    shares,
    spurious_correctness_bounds,
    was_meta_judged,
)
from ralign.records import Order

SHARED = Path(__file__).parents[2].parent / "shared"
A, B, NONE, LOST = VERDICT_A, VERDICT_B, NO_VERDICT, UNANSWERED
YES, NO, NOT, FAILED = ALIGNED, MISALIGNED, NOT_META_JUDGED, META_FAILED
BOTH: tuple[Order, ...] = ("ab", "ba")
AB: tuple[Order, ...] = ("ab",)


def outcomes_of(label: list[int], verdict: object, aligned: object | None = None) -> Outcomes:
    """Nested lists (pairs, orders, draws), or (pairs,) for one order and one draw."""
    verdicts = np.array(verdict, dtype=np.int8)
    meta = np.full_like(verdicts, NOT) if aligned is None else np.array(aligned, dtype=np.int8)
    if verdicts.ndim == 1:
        verdicts, meta = verdicts[:, None, None], meta[:, None, None]
    return Outcomes(np.array(label, dtype=np.int8), np.arange(len(label)), verdicts, meta)


class Values(NamedTuple):
    """NaN where undefined."""

    label_accuracy: float
    spurious_correctness: float
    fidelity_score: float
    order_consistency: float
    right_in_both_orders: float


def measured(outcomes: Outcomes, orders: tuple[Order, ...], *, has_meta_judge: bool | None = None) -> Values:
    asked = was_meta_judged(outcomes) if has_meta_judge is None else has_meta_judge
    found = measures_of(shares(outcomes, orders), has_meta_judge=asked)
    return Values(*(np.nan if each is None else each.value for each in found))


@st.composite
def any_outcomes(draw: st.DrawFn, orders: int = 2) -> Outcomes:
    shape = (draw(st.integers(1, 12)), orders, draw(st.integers(1, 3)))
    label = draw(arrays(np.int8, shape[0], elements=st.sampled_from([A, B])))
    verdict = draw(arrays(np.int8, shape, elements=st.sampled_from([A, B, NONE, LOST])))
    aligned = draw(arrays(np.int8, shape, elements=st.sampled_from([YES, NO, NOT, FAILED])))
    prompt = draw(arrays(np.intp, shape[0], elements=st.integers(0, 5)))
    return Outcomes(label, prompt, verdict, aligned)


# Six pairs, one order, one draw.
#   label    A    A    B    B    A    B
#   verdict  A    A    B    A    none B      right: 1, 2, 3, 6  ->  L = 4/6
#   meta     yes  no   yes  -    -    no     S = 2/4, F = 4/6 x 2/4 = 1/3
SIX = outcomes_of([A, A, B, B, A, B], [A, A, B, A, NONE, B], [YES, NO, YES, NOT, NOT, NO])


def test_six_rows_give_the_numbers_worked_by_hand() -> None:
    got = measured(SIX, AB)
    assert got.label_accuracy == pytest.approx(4 / 6)
    assert got.spurious_correctness == pytest.approx(2 / 4)
    assert got.fidelity_score == pytest.approx(1 / 3)
    assert np.isnan(got.order_consistency)
    assert np.isnan(got.right_in_both_orders)
    counts = count(SIX, AB)
    assert (counts.judgments, counts.no_verdict, counts.unanswered) == (6, 1, 0)
    assert (counts.right_ab, counts.right_ba) == (4, None)
    assert (counts.same_verdict, counts.right_in_both_orders) == (None, None)
    assert (counts.meta_judged, counts.meta_failed, counts.not_meta_judged, counts.aligned) == (4, 0, 0, 2)
    assert label_accuracy_bounds(SIX) is None
    assert fidelity_bounds(pair_sums(SIX, AB)) is None


def test_a_failed_meta_judgment_leaves_the_denominator_of_s_corr_and_opens_bounds() -> None:
    """The six rows, the second meta-judgment failed: S = 1/3, from 1/4 to 2/4; L stays."""
    failed = SIX._replace(aligned=np.where(np.arange(6) == 1, FAILED, SIX.aligned[:, 0, 0])[:, None, None])
    got = measured(failed, AB)
    assert got.label_accuracy == pytest.approx(4 / 6)
    assert got.spurious_correctness == pytest.approx(1 / 3)
    assert got.fidelity_score == pytest.approx(4 / 6 * 2 / 3)
    sums = pair_sums(failed, AB)
    assert spurious_correctness_bounds(sums) == pytest.approx(Bounds(1 / 4, 2 / 4))
    assert fidelity_bounds(sums) == pytest.approx(Bounds(4 / 6 * 2 / 4, 4 / 6 * 3 / 4))
    assert (count(failed, AB).meta_judged, count(failed, AB).meta_failed) == (3, 1)


def test_an_unanswered_call_is_not_a_wrong_answer() -> None:
    """The six rows, the first call lost: L = 3/5, from 3/6 (it was wrong) to 4/6 (right)."""
    lost = SIX._replace(
        verdict=np.where(np.arange(6) == 0, LOST, SIX.verdict[:, 0, 0])[:, None, None],
        aligned=np.where(np.arange(6) == 0, NOT, SIX.aligned[:, 0, 0])[:, None, None],
    )
    assert measured(lost, AB).label_accuracy == pytest.approx(3 / 5)
    assert label_accuracy_bounds(lost) == pytest.approx(Bounds(3 / 6, 4 / 6))
    counts = count(lost, AB)
    assert (counts.judgments, counts.unanswered, counts.unanswered_pairs) == (5, 1, 1)


def test_each_pair_weighs_one_however_many_of_its_judgments_were_answered() -> None:
    """Three pairs, both orders, two draws; label A throughout. Worked by hand:

    pair 1  ab: A A     ba: A B       right 3/4, of which meta yes no yes -> misaligned 1/4, judged 3/4
    pair 2  ab: A lost  ba: none lost right 1/2, meta no                  -> misaligned 1/2, judged 1/2
    pair 3  ab: B B     ba: B B       right 0
    """
    outcomes = outcomes_of(
        [A, A, A],
        [[[A, A], [A, B]], [[A, LOST], [NONE, LOST]], [[B, B], [B, B]]],
        [[[YES, NO], [YES, NOT]], [[NO, NOT], [NOT, NOT]], [[NOT, NOT], [NOT, NOT]]],
    )
    got = measured(outcomes, BOTH)
    assert got.label_accuracy == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert got.spurious_correctness == pytest.approx((1 / 4 + 1 / 2) / (3 / 4 + 1 / 2))
    assert got.fidelity_score == pytest.approx(5 / 12 * 2 / 5)
    # Same verdict: pair 1 in one of two draws, pair 2 not in its one answered draw, pair 3 in both.
    assert got.order_consistency == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert got.right_in_both_orders == pytest.approx((1 / 2 + 0 + 0) / 3)
    counts = count(outcomes, BOTH)
    assert (counts.judgments, counts.no_verdict, counts.unanswered, counts.unanswered_pairs) == (10, 1, 2, 0)
    assert (counts.right_ab, counts.right_ba) == (3, 1)
    assert (counts.same_verdict, counts.right_in_both_orders) == (3, 1)
    assert label_accuracy_bounds(outcomes) == pytest.approx(Bounds((3 / 4 + 1 / 4) / 3, (3 / 4 + 3 / 4) / 3))


def test_without_any_meta_judging_s_corr_and_f_score_are_undefined() -> None:
    got = measured(outcomes_of([A, B], [A, A]), AB)
    assert got.label_accuracy == 0.5
    assert np.isnan(got.spurious_correctness)
    assert np.isnan(got.fidelity_score)


def test_where_nothing_is_right_f_score_is_zero_and_s_corr_undefined() -> None:
    nothing_right = outcomes_of([A, B], [B, A])
    got = measured(nothing_right, AB, has_meta_judge=True)
    assert got.fidelity_score == 0.0
    assert np.isnan(got.spurious_correctness)
    assert np.isnan(measured(nothing_right, AB, has_meta_judge=False).fidelity_score)


def test_where_every_meta_judgment_failed_only_bounds_are_known() -> None:
    all_failed = outcomes_of([A, B], [A, A], [FAILED, NOT])
    got = measured(all_failed, AB)
    assert np.isnan(got.spurious_correctness)
    assert np.isnan(got.fidelity_score)
    sums = pair_sums(all_failed, AB)
    assert spurious_correctness_bounds(sums) == Bounds(0.0, 1.0)
    assert fidelity_bounds(sums) == Bounds(0.0, 0.5)


def test_a_meta_judgment_of_a_wrong_verdict_counts_nowhere() -> None:
    """Recorded meta-judgments may have them; counting them is how F-Score gets above L-Acc."""
    outcomes = outcomes_of([A, A], [A, B], [NO, YES])
    got = measured(outcomes, AB)
    assert (got.label_accuracy, got.spurious_correctness, got.fidelity_score) == (0.5, 1.0, 0.0)
    assert (count(outcomes, AB).meta_judged, count(outcomes, AB).aligned) == (1, 0)


def test_two_missing_verdicts_are_no_agreement() -> None:
    outcomes = outcomes_of([A, A], [[[NONE], [NONE]], [[B], [B]]])
    assert count(outcomes, BOTH).same_verdict == 1
    assert measured(outcomes, BOTH).order_consistency == 0.5


@pytest.mark.parametrize(
    ("outcomes", "orders", "problem"),
    [
        (SIX, BOTH, "do not fit together"),
        (SIX, ("ba", "ab"), "orders are"),
        (SIX._replace(label=np.full(6, 7, dtype=np.int8)), AB, "label"),
        (SIX._replace(aligned=SIX.aligned[:5]), AB, "do not fit together"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    outcomes: Outcomes, orders: tuple[Order, ...], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        pair_sums(outcomes, orders)


@given(any_outcomes())
def test_f_score_is_l_acc_times_one_minus_s_corr_and_never_above_l_acc(outcomes: Outcomes) -> None:
    got = measured(outcomes, BOTH)
    if not np.isnan(got.spurious_correctness):
        assert got.fidelity_score == pytest.approx(got.label_accuracy * (1 - got.spurious_correctness))
    if not np.isnan(got.fidelity_score):
        assert got.fidelity_score <= got.label_accuracy


@given(any_outcomes())
def test_swapping_a_and_b_changes_nothing(outcomes: Outcomes) -> None:
    def swapped(codes: np.ndarray) -> np.ndarray:
        return np.where(codes >= 0, 1 - codes, codes).astype(np.int8)

    mirrored = outcomes._replace(label=swapped(outcomes.label), verdict=swapped(outcomes.verdict))
    np.testing.assert_array_equal(measured(mirrored, BOTH), measured(outcomes, BOTH))
    assert count(mirrored, BOTH) == count(outcomes, BOTH)


@given(any_outcomes(), st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(outcomes: Outcomes, random: object) -> None:
    shuffled = np.arange(len(outcomes.label))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    permuted = Outcomes(*(each[shuffled] for each in outcomes))
    np.testing.assert_allclose(measured(permuted, BOTH), measured(outcomes, BOTH))
    assert count(permuted, BOTH) == count(outcomes, BOTH)


@given(any_outcomes())
def test_bounds_contain_the_value(outcomes: Outcomes) -> None:
    got = measured(outcomes, BOTH)
    sums = pair_sums(outcomes, BOTH)
    for value, bounds in (
        (got.label_accuracy, label_accuracy_bounds(outcomes)),
        (got.spurious_correctness, spurious_correctness_bounds(sums)),
        (got.fidelity_score, fidelity_bounds(sums)),
    ):
        if bounds is not None:
            assert 0 <= bounds.low <= bounds.high <= 1
        if bounds is not None and not np.isnan(value):
            assert bounds.low - 1e-12 <= value <= bounds.high + 1e-12


@given(any_outcomes(), st.integers(1, 3))
def test_calls_that_were_never_answered_change_no_measure(outcomes: Outcomes, extra: int) -> None:
    """A lost draw of every pair, and lost pairs."""
    pairs, _, draws = outcomes.verdict.shape
    longer = ((0, extra), (0, 0), (0, 1))
    with_lost = Outcomes(
        label=np.pad(outcomes.label, (0, extra)),
        prompt=np.pad(outcomes.prompt, (0, extra)),
        verdict=np.pad(outcomes.verdict, longer, constant_values=LOST),
        aligned=np.pad(outcomes.aligned, longer, constant_values=NOT),
    )
    np.testing.assert_allclose(measured(with_lost, BOTH), measured(outcomes, BOTH), rtol=1e-12)
    before, after = count(outcomes, BOTH), count(with_lost, BOTH)
    assert after.unanswered == before.unanswered + 2 * pairs + 2 * extra * (draws + 1)
    assert after.unanswered_pairs == before.unanswered_pairs + extra
    assert (after.judgments, after.no_verdict, after.right_ab) == (
        before.judgments,
        before.no_verdict,
        before.right_ab,
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data beside the repository")
@pytest.mark.parametrize(
    ("judge", "right_ab", "right_ba", "right_in_both", "same_verdict", "no_verdict"),
    [
        ("gpt-4", 340, 341, 318, 374, 0),
        ("chatgpt", 168, 170, 82, 244, 5),
        ("palm2", 233, 258, 133, 192, 6),
    ],
)
def test_llmbar_judges_come_out_as_published(
    judge: str, right_ab: int, right_ba: int, right_in_both: int, same_verdict: int, no_verdict: int
) -> None:
    """Palm2 gives one pair no verdict in either order; the published 192 does not count it as the same."""
    folder = SHARED / "data" / "llmbar"
    codes = {"A": A, "B": B, None: NONE}
    label = {row["id"]: codes[row["gt_label"]] for row in _rows(folder / "pairs.jsonl")}
    index = {pair_id: i for i, pair_id in enumerate(label)}
    verdict = np.full((len(label), 2, 1), LOST, dtype=np.int8)
    for row in _rows(folder / f"judgments_{judge}.jsonl"):
        verdict[index[row["pair_id"]], BOTH.index(row["order"]), row["draw"]] = codes[row["verdict"]]
    outcomes = outcomes_of(list(label.values()), verdict)

    counts = count(outcomes, BOTH)
    assert (counts.judgments, counts.unanswered, counts.no_verdict) == (838, 0, no_verdict)
    assert (counts.right_ab, counts.right_ba) == (right_ab, right_ba)
    assert (counts.right_in_both_orders, counts.same_verdict) == (right_in_both, same_verdict)
    got = measured(outcomes, BOTH)
    assert got.label_accuracy == pytest.approx((right_ab + right_ba) / 838)
    assert got.order_consistency == pytest.approx(same_verdict / 419)
    assert got.right_in_both_orders == pytest.approx(right_in_both / 419)


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
