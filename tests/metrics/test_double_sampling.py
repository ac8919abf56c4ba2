"""Correction by double sampling: the worked values, its refusals, its coverage, and people's labels of MR-GSM8K."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralign.metajudging import parse_meta_judgment
from ralign.metrics.double_sampling import DoubleSample, Labels, corrected_difference, from_elsewhere
from ralign.metrics.intervals import Interval, Share, fidelity_interval, wilson

MR_GSM8K = Path(__file__).parents[3] / "shared/data/mr_gsm8k/rationale_alignment.jsonl"
LABELS = Labels(both_misaligned=84, missed=30, false_alarms=11, both_aligned=75)


def test_the_worked_value_of_two_hundred_labels() -> None:
    found = DoubleSample(0.476, 1000, LABELS).interval()
    assert found == pytest.approx((0.5706, 0.512, 0.627), abs=3e-3)
    # By hand: 0.476 x 84 / 95 + 0.524 x 30 / 105.
    assert found.value == pytest.approx(0.476 * 84 / 95 + 0.524 * 30 / 105)
    fidelity = fidelity_interval(Interval(0.8, *wilson(0.8, 1250)), found)
    assert fidelity == pytest.approx((0.3435, 0.297, 0.391), abs=3e-3)


def test_a_rare_fault_with_nothing_missed_keeps_a_width() -> None:
    found = DoubleSample(0.02, 300, Labels(10, 0, 10, 40)).interval()
    assert found == pytest.approx((0.010, 0.006, 0.071), abs=3e-3)


@pytest.mark.parametrize(
    ("labels", "called"), [(Labels(10, 0, 5, 0), "aligned"), (Labels(0, 3, 0, 20), "misaligned")]
)
def test_a_stratum_without_labels_is_refused_by_name(labels: Labels, called: str) -> None:
    with pytest.raises(ValueError, match=f"calls {called} is labelled: label some of those"):
        DoubleSample(0.3, 300, labels)


def test_an_empty_stratum_needs_no_labels() -> None:
    assert DoubleSample(0.0, 50, Labels(0, 2, 0, 18)).value == pytest.approx(0.1)
    assert DoubleSample(1.0, 50, Labels(15, 0, 5, 0)).value == pytest.approx(0.75)


def test_recalls_are_weighted_back_to_the_run() -> None:
    """A label of the first stratum stands for .4 / 20 of the run, one of the second for .6 / 20."""
    found = DoubleSample(0.4, 100, Labels(15, 5, 5, 15)).recalls()
    assert found.misaligned is not None
    assert found.aligned is not None
    assert found.misaligned.value == pytest.approx(0.02 * 15 / (0.02 * 15 + 0.03 * 5))
    assert found.aligned.value == pytest.approx(0.03 * 15 / (0.03 * 15 + 0.02 * 5))
    assert found.misaligned.low < found.misaligned.value < found.misaligned.high


@settings(max_examples=40)
@given(
    st.floats(0, 1),
    st.floats(1, 5000),
    st.tuples(*[st.integers(0, 60)] * 4).filter(lambda t: t[0] + t[2] and t[1] + t[3]),
)
def test_the_corrected_share_is_one_and_lies_in_its_interval(
    raw: float, size: float, counts: tuple[int, int, int, int]
) -> None:
    sample = DoubleSample(raw, size, Labels(*counts))
    found = sample.interval(count=500)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert found == sample.interval(count=500)  # drawn from a fixed seed
    # People and meta-judge mean the opposite: misaligned becomes aligned throughout.
    a, b, c, d = counts
    assert DoubleSample(1 - raw, size, Labels(d, c, b, a)).value == pytest.approx(1 - sample.value)


def test_the_difference_of_a_run_to_itself_is_nothing_with_a_width() -> None:
    sample = DoubleSample(0.476, 1000, LABELS)
    found = corrected_difference(sample, sample)
    assert found.value == 0
    assert found.low == pytest.approx(-found.high, abs=2e-3)
    own = sample.interval()
    assert found.high - found.low == pytest.approx(2**0.5 * (own.high - own.low), rel=0.03)


def test_the_worked_value_of_labels_from_elsewhere() -> None:
    assert from_elsewhere(476, 1000, LABELS) == pytest.approx((0.5716, 0.4664, 0.6788), abs=1e-4)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (Labels(5, 4, 10, 90), "people call 9 misaligned and 100 aligned, expected 10 or more of each"),
        (Labels(13, 7, 8, 12), "sensitivity \\+ specificity - 1 is 0.25, and may be -0"),
        (Labels(50, 50, 50, 50), "tells too little apart"),
    ],
)
def test_labels_from_elsewhere_that_say_too_little_are_refused(labels: Labels, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_elsewhere(476, 1000, labels)


def test_labels_from_elsewhere_never_leave_the_shares() -> None:
    found = from_elsewhere(110, 1000, LABELS)
    assert (found.value, found.low) == (0, 0)
    assert 0 < found.high < 0.2
    with pytest.raises(ValueError, match="they do not carry over"):
        from_elsewhere(10, 1000, LABELS)


def coverage(misaligned: float, quality: float, labels: int, *, verdicts: int, repeats: int) -> float:
    """How often the interval holds the true share, for a meta-judge with Se = Sp = quality."""
    generator = np.random.default_rng([labels, round(1000 * misaligned), round(1000 * quality)])
    held = 0
    for _ in range(repeats):
        truth = generator.random(verdicts) < misaligned
        called = truth ^ (generator.random(verdicts) >= quality)
        strata = np.flatnonzero(called), np.flatnonzero(~called)
        # Half and half, or all there are; verdicts come in no order, so the first are a sample.
        first = strata[0][: max(labels // 2, labels - len(strata[1]))]
        second = strata[1][: labels - len(first)]
        counts = [int(truth[first].sum()), int(truth[second].sum())]
        sample = DoubleSample(
            float(called.mean()), verdicts, Labels(*counts, len(first) - counts[0], len(second) - counts[1])
        )
        found = sample.interval(count=4000)
        held += found.low <= misaligned <= found.high
    return held / repeats


@pytest.mark.parametrize("misaligned", [0.1, 0.5])
def test_the_interval_covers_in_a_short_simulation(misaligned: float) -> None:
    # 400 repeats: 1.96 standard errors of .95 are .021.
    assert 0.92 <= coverage(misaligned, 0.8, 100, verdicts=1000, repeats=400) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("labels", [50, 200])
@pytest.mark.parametrize("quality", [0.7, 0.9])
@pytest.mark.parametrize("misaligned", [0.1, 0.3, 0.5])
def test_the_interval_covers_in_every_cell(misaligned: float, quality: float, labels: int) -> None:
    assert 0.92 <= coverage(misaligned, quality, labels, verdicts=1000, repeats=1000) <= 0.975


def splits(labels: int, repeats: int) -> tuple[float, float, bool]:
    """MR-GSM8K as a run: coverage of people's share, width beside that of labels alone, whether raw covers it.

    One solution a prompt is labelled, as a sheet draws them; the raw figure and what it is worth are over prompts.
    """
    rows = [json.loads(line) for line in MR_GSM8K.read_text(encoding="utf-8").splitlines()]
    people = np.array([not row["human_aligned"] for row in rows])
    called = np.array([not parse_meta_judgment(row["meta_decision"]).aligned for row in rows])
    _, prompt = np.unique([row["question"] for row in rows], return_inverse=True)
    ones = np.ones(len(rows))
    by_prompt = [np.bincount(prompt, weights=each) for each in (called, ones)]
    raw = Share(by_prompt[0], by_prompt[1], float(len(rows)))
    raw_interval = raw.interval()
    assert raw_interval is not None
    truth, generator = float(people.mean()), np.random.default_rng(0)
    held, width, alone = 0, 0.0, 0.0
    for _ in range(repeats):
        order = generator.permutation(len(rows))
        order = order[np.sort(np.unique(prompt[order], return_index=True)[1])]
        first, second = order[called[order]][: labels // 2], order[~called[order]][: labels // 2]
        a, b = int(people[first].sum()), int(people[second].sum())
        counts = Labels(a, b, labels // 2 - a, labels // 2 - b)
        found = DoubleSample(raw.value, raw.effective_size, counts).interval()
        held += found.low <= truth <= found.high
        width += found.high - found.low
        low, high = wilson(float(people[order[:labels]].mean()), labels)
        alone += high - low
    return held / repeats, width / alone, raw_interval.low <= truth <= raw_interval.high


@pytest.mark.skipif(not MR_GSM8K.exists(), reason="the shared data is not there")
@pytest.mark.parametrize(
    ("labels", "repeats", "narrower"),
    [
        (200, 150, 0.90),
        pytest.param(200, 1000, 0.90, marks=pytest.mark.slow),
        pytest.param(50, 1000, 0.85, marks=pytest.mark.slow),
    ],
)
def test_people_are_covered_where_the_real_meta_judge_is_not(
    labels: int, repeats: int, narrower: float
) -> None:
    covered, width, raw_covers = splits(labels, repeats)
    assert covered >= 0.93
    assert width <= narrower
    assert not raw_covers


@pytest.mark.slow
@pytest.mark.skipif(not MR_GSM8K.exists(), reason="the shared data is not there")
@pytest.mark.parametrize(
    "labels",
    [
        50,
        # Declared, and not reached: .983 over 5,000 splits (.960 with 50). The labels are drawn from 550 prompts
        # without putting any back, which the interval takes no account of.
        pytest.param(200, marks=pytest.mark.xfail(reason="wider than declared", strict=True)),
    ],
)
def test_the_corrected_interval_is_no_wider_than_it_must_be(labels: int) -> None:
    covered, _, _ = splits(labels, 1000)
    assert covered <= 0.98
