"""The benchmarks' own measures, worked by hand on ten pairs each."""

from collections.abc import Sequence

import numpy as np
import pytest

from ralign.metrics.official import (
    Game,
    agreement,
    best_of_n,
    consistency,
    netted_accuracy,
    official_measures,
    three_way,
    weighted_win_rate,
)
from ralign.metrics.outcomes import ALIGNED, NO_LABEL, NO_VERDICT, NOT_META_JUDGED, TIE, UNANSWERED, Outcomes
from ralign.metrics.summary import summarise

CODES = {"A": 0, "B": 1, "tie": TIE, "-": NO_VERDICT, "!": UNANSWERED, "?": NO_LABEL}
BOTH = ("ab", "ba")


def outcomes_of(rows: str, *, prompts: Sequence[int] | None = None) -> Outcomes:
    """Lines of `label verdict-ab [verdict-ba]`: `-` no verdict, `!` unanswered, `?` no label."""
    table = [[CODES[word] for word in line.split()] for line in rows.strip().splitlines()]
    label = np.array([row[0] for row in table], dtype=np.int8)
    verdict = np.array([row[1:] for row in table], dtype=np.int8)[:, :, None]
    aligned = np.where(verdict == label[:, None, None], ALIGNED, NOT_META_JUDGED).astype(np.int8)
    return Outcomes(label, np.arange(len(label)) if prompts is None else np.array(prompts), verdict, aligned)


JUDGEBENCH = """
A A A
A A tie
A tie A
A A B
A tie tie
A B B
B B -
B - -
B A -
B tie A
"""


def test_judgebench_nets_the_verdicts_of_both_orders() -> None:
    """Right: rows 1 to 3 and 7 (right and tie, right and none, too). Row 4 cancels out."""
    assert netted_accuracy(outcomes_of(JUDGEBENCH)) == (4 / 10, 10)


def test_ours_beside_it_counts_a_tie_as_not_right() -> None:
    """L-Acc: each row's share of right judgments, 1 + 1/2 + 1/2 + 1/2 + 0 + 0 + 1/2 + 0 + 0 + 0 of 10."""
    found = summarise(outcomes_of(JUDGEBENCH), BOTH)
    assert found.measures.label_accuracy is not None
    assert found.measures.label_accuracy.value == pytest.approx(3 / 10)
    assert (found.counts.tie, found.counts.no_verdict, found.counts.unlabelled_pairs) == (5, 4, 0)
    # Two ties are the same verdict: rows 1, 5 and 6.
    assert found.counts.same_verdict == 3


PANDALM = """
A A
A A
A B
A tie
B B
B B
B -
tie tie
tie A
tie -
"""


def test_pandalm_counts_three_classes_and_what_cannot_be_read_as_a_tie() -> None:
    """Confusion, rows the label A, B, tie: [2 1 1] [0 2 1] [1 0 2].

    Accuracy 6/10. Precision 2/3, 2/3, 2/4; recall 2/4, 2/3, 2/3; F1 4/7, 2/3, 4/7.
    """
    found = three_way(outcomes_of(PANDALM))
    assert found == pytest.approx(
        (6 / 10, (2 / 3 + 2 / 3 + 1 / 2) / 3, (1 / 2 + 2 / 3 + 2 / 3) / 3, (4 / 7 + 2 / 3 + 4 / 7) / 3, 10)
    )


def test_ours_beside_it_is_over_the_pairs_with_a_letter() -> None:
    found = summarise(outcomes_of(PANDALM), ("ab",))
    assert found.measures.label_accuracy is not None
    assert found.measures.label_accuracy.value == pytest.approx(4 / 7)
    assert found.counts.unlabelled_pairs == 3
    # A tie that is called a tie is no right judgment that a meta-judge could be asked about.
    assert found.counts.aligned == 4


AUTOJ = """
A A A
A A B
B B B
B tie tie
tie tie tie
tie tie A
tie A A
A - -
B B -
tie tie tie
"""


def test_autoj_wants_the_label_in_both_orders() -> None:
    """Agreement: rows 1, 3, 5 and 10. Consistency: those and rows 4 and 7; two missing verdicts are none."""
    outcomes = outcomes_of(AUTOJ)
    assert agreement(outcomes) == (4 / 10, 10)
    assert consistency(outcomes) == (6 / 10, 10)
    found = summarise(outcomes, BOTH).measures
    assert found.order_consistency is not None
    assert found.order_consistency.value == pytest.approx(6 / 10)
    # Right in both orders: rows 1 and 3 of the six with a letter.
    assert found.right_in_both_orders is not None
    assert found.right_in_both_orders.value == pytest.approx(2 / 6)


def test_pairs_without_a_label_count_for_order_consistency_alone() -> None:
    outcomes = outcomes_of("? A A\n? A B\ntie B B\nA A A\n? tie !")
    found = summarise(outcomes, BOTH)
    assert found.measures.label_accuracy is not None
    assert found.measures.label_accuracy.value == 1.0
    assert found.measures.order_consistency is not None
    assert found.measures.order_consistency.value == pytest.approx(3 / 4)
    assert (found.pairs, found.counts.unlabelled_pairs) == (5, 4)
    # The one that is unanswered has no label either: it cannot move L-Acc.
    assert found.label_accuracy_bounds is None or found.label_accuracy_bounds.low == 1.0


def test_only_pairs_without_a_label_leave_the_measures_undefined() -> None:
    found = summarise(outcomes_of("? A A\ntie B B"), BOTH, has_meta_judge=True)
    assert (found.measures.label_accuracy, found.measures.spurious_correctness) == (None, None)
    assert found.measures.order_consistency is not None


def test_rewardbench_2_wants_the_chosen_answer_to_lose_to_none() -> None:
    """Four prompts of three pairs, and one that lost a pair: 1, 0, 1/2 (one tie), 1/4 (three ties), 1."""
    rows = "A A\nB B\nA A\nA A\nA B\nA A\nA A\nA A\nA tie\nA tie\nA -\nB tie\nA A\nA A"
    prompts = [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 2
    assert best_of_n(outcomes_of(rows, prompts=prompts)) == (
        pytest.approx((1 + 0 + 1 / 2 + 1 / 4 + 1) / 5),
        5,
    )
    assert best_of_n(outcomes_of("A A\nB B")) is None


def test_arena_hard_weighs_a_much_better_answer_three_times() -> None:
    """Games: 1 1 1 (>>), .5 | 0, 0 0 0 (<<) | left out: (3.5 + 0) / 8."""
    prompts = [
        (Game("A", True), Game("tie", False)),
        (Game("B", False), Game("B", True)),
        (Game("A", False), Game(None, False)),
    ]
    assert weighted_win_rate(prompts) == (3.5 / 8, 2)
    assert weighted_win_rate([(Game(None, False),)]) is None


def test_swapping_the_letters_leaves_every_measure_as_it_is() -> None:
    rng = np.random.default_rng(0)
    label = rng.choice([0, 1, TIE, NO_LABEL], 60).astype(np.int8)
    verdict = rng.choice([0, 1, TIE, NO_VERDICT], (60, 2, 1)).astype(np.int8)
    swapped = [
        np.where(each == 0, 1, np.where(each == 1, 0, each)).astype(np.int8) for each in (label, verdict)
    ]
    nothing = np.full((60, 2, 1), NOT_META_JUDGED, dtype=np.int8)
    prompts = np.repeat(np.arange(20), 3)
    one = official_measures(Outcomes(label, prompts, verdict, nothing), BOTH)
    other = official_measures(Outcomes(swapped[0], prompts, swapped[1], nothing), BOTH)
    assert {name: pytest.approx(each) for name, each in one.items()} == other


def test_with_one_order_there_is_nothing_to_net() -> None:
    found = official_measures(outcomes_of(PANDALM), ("ab",))
    assert found["judgebench"] is None
    assert found["autoj_consistency"] is None
    assert found["pandalm"] is not None
