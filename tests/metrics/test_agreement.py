"""Agreement with a reference: golden numbers by hand, real meta-judgments, and what must hold for any."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ralign.metrics.agreement import Agreement, measure_agreement

MR_GSM8K = (
    Path(__file__).resolve().parents[2].parent / "shared" / "data" / "mr_gsm8k" / "rationale_alignment.jsonl"
)


def measure(reference: list[bool], decided: list[bool | None], prompts: list[str] | None = None) -> Agreement:
    return measure_agreement(reference, decided, prompts or list(map(str, range(len(reference)))))


def value(agreement: Agreement, name: str) -> float:
    found = getattr(agreement.measures, name)
    assert found is not None
    return found.value


def test_six_judgments_by_hand() -> None:
    """Reference + + + - - -, decided + + - + - -: 2, 1, 1, 2. Chance is 1/2, so kappa is (2/3 - 1/2) / (1/2)."""
    found = measure([True, True, True, False, False, False], [True, True, False, True, False, False])
    counts = (
        found.true_positives,
        found.false_positives,
        found.false_negatives,
        found.true_negatives,
    )
    assert counts == (2, 1, 1, 2)
    for name in ("agreement", "f1", "precision", "sensitivity", "specificity"):
        assert value(found, name) == pytest.approx(2 / 3)
    assert value(found, "kappa") == pytest.approx(1 / 3)


def test_an_asymmetric_case_tells_the_two_errors_apart() -> None:
    """8 aligned of which 6 are found, 2 misaligned of which 1: precision 6/7, sensitivity 6/8, specificity 1/2."""
    found = measure([True] * 8 + [False] * 2, [True] * 6 + [False] * 2 + [True, False])
    assert value(found, "precision") == pytest.approx(6 / 7)
    assert value(found, "sensitivity") == pytest.approx(6 / 8)
    assert value(found, "specificity") == pytest.approx(1 / 2)
    assert value(found, "f1") == pytest.approx(2 * 6 / (2 * 6 + 1 + 2))


def test_what_was_not_decided_is_counted_apart() -> None:
    """An unreadable answer is not Incorrect."""
    found = measure([True, True, False], [True, None, None])
    assert found.undecided == 2
    assert found.false_negatives == 0
    assert value(found, "agreement") == 1.0


def test_kappa_is_undefined_where_both_always_say_one_thing() -> None:
    found = measure([True, True], [True, True])
    assert found.measures.kappa is None
    assert found.measures.specificity is None
    assert value(found, "f1") == 1.0


def test_nothing_to_compare_is_undefined_throughout() -> None:
    found = measure([True], [None])
    assert found.measures.agreement is None
    assert found.measures.f1 is None


def test_a_share_of_single_judgments_has_wilsons_interval() -> None:
    found = measure([True] * 8 + [False] * 2, [True] * 6 + [False] * 2 + [True, False]).measures
    for interval, of, out_of in (
        (found.agreement, 7, 10),
        (found.precision, 6, 7),
        (found.sensitivity, 6, 8),
    ):
        assert interval is not None
        theirs = stats.binomtest(of, out_of).proportion_ci(method="wilson")
        assert interval[1:] == pytest.approx((theirs.low, theirs.high))


def test_intervals_are_over_prompts_not_over_judgments() -> None:
    """A hundred judgments of two prompts say as little as two."""
    reference: list[bool] = [True] * 50 + [False] * 50
    decided: list[bool | None] = [True] * 50 + [True] * 50
    found = measure(reference, decided, ["one"] * 50 + ["two"] * 50).measures.agreement
    assert found is not None
    assert found.low < 0.1
    assert found.high > 0.9
    # The same judgments twice over, of the same ten prompts: kappa is no surer for it.
    rng = np.random.default_rng(2)
    said = (rng.random((2, 10)) < 0.7).tolist()
    names = [str(prompt) for prompt in range(10)]
    once, twice = measure(*said, names).measures, measure(said[0] * 2, said[1] * 2, names * 2).measures
    assert once.kappa is not None
    assert twice.kappa is not None
    assert twice.kappa.high - twice.kappa.low > 0.9 * (once.kappa.high - once.kappa.low)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_swapping_the_two_sides_swaps_precision_and_sensitivity(said: list[tuple[bool, bool]]) -> None:
    there = measure([a for a, _ in said], [b for _, b in said])
    back = measure([b for _, b in said], [a for a, _ in said])
    assert (there.measures.precision is None) == (back.measures.sensitivity is None)
    for mine, theirs in (("agreement", "agreement"), ("kappa", "kappa"), ("precision", "sensitivity")):
        if getattr(there.measures, mine) is not None:
            assert value(there, mine) == pytest.approx(value(back, theirs))


def test_decisions_that_ignore_the_reference_have_no_kappa_to_speak_of() -> None:
    reference, decided = (np.random.default_rng(1).random((2, 20_000)) < 0.8).tolist()
    kappa = measure(reference, decided).measures.kappa
    assert kappa is not None
    assert kappa.value == pytest.approx(0.0, abs=0.03)
    assert kappa.low < 0 < kappa.high


@pytest.mark.skipif(not MR_GSM8K.exists(), reason="the shared data is not there")
def test_the_real_meta_judge_agrees_with_people_as_recorded() -> None:
    """Confusion, agreement, kappa and F1 as the data's own page has them."""
    rows = [json.loads(line) for line in MR_GSM8K.read_text().splitlines()]
    decided: list[bool | None] = [
        "correct" in row["meta_decision"].lower().replace("incorrect", "") for row in rows
    ]
    found = measure([row["human_aligned"] for row in rows], decided)
    counts = (
        found.true_positives,
        found.true_negatives,
        found.false_positives,
        found.false_negatives,
    )
    assert counts == (317, 357, 129, 48)
    assert value(found, "agreement") == pytest.approx(0.792, abs=5e-4)
    assert value(found, "kappa") == pytest.approx(0.587, abs=5e-4)
    assert value(found, "f1") == pytest.approx(0.782, abs=5e-4)


def test_it_is_ready_for_json() -> None:
    found = json.loads(json.dumps(measure([True, False], [True, False]).as_dict()))
    assert found["true_positives"] == 1
    assert found["kappa"]["value"] == 1.0
