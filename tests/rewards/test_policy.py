import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.errors import InputError
from ralign.records import Verdict, opposite
from ralign.rewards.policy import (
    Comparison,
    drawn_order,
    mean_outcome,
    never_ended,
    orders_shown,
    policy_reward,
    round_robin,
    unended_reward,
    visible_answer,
    win_rates,
)

verdicts = st.lists(st.sampled_from(["A", "B", None]), min_size=1, max_size=2)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["A"], 1.0),
        (["B"], -1.0),
        ([None], None),
        (["A", "A"], 1.0),
        (["A", "B"], 0.0),
        (["B", "A"], 0.0),
        (["B", "B"], -1.0),
        (["A", None], None),
        ([None, "B"], None),
        ([None, None], None),
        ([], None),
    ],
)
def test_verdicts_against_a_reference_by_hand(said: list[Verdict | None], expected: float | None) -> None:
    """No verdict is None, never 0."""
    assert mean_outcome(said) == expected


@given(verdicts)
def test_swapping_the_two_answers_negates_the_outcome(said: list[Verdict | None]) -> None:
    score = mean_outcome(said)
    swapped = mean_outcome([None if verdict is None else opposite(verdict) for verdict in said])
    assert swapped == (None if score is None else -score)


@given(verdicts, st.floats(0, 2))
def test_a_missing_verdict_never_becomes_a_number(said: list[Verdict | None], penalty: float) -> None:
    reward = policy_reward(mean_outcome(said), length_penalty=penalty)
    assert (reward.reward is None) == (None in said)


@given(st.text(max_size=20), st.integers(0, 3))
def test_the_drawn_side_is_balanced(prefix: str, seed: int) -> None:
    shown_first = sum(drawn_order(f"{prefix}{each}", seed=seed) == "ab" for each in range(400))
    # Six standard deviations of a fair coin.
    assert abs(shown_first - 200) < 6 * math.sqrt(400) / 2


def test_the_drawn_side_stays_what_it_is() -> None:
    """A change of the hash would turn every resumed run around: these sides are written down."""
    sides = "".join(drawn_order(f"prompt-{number}")[0] for number in range(16))
    assert sides == "aaaaababbaabbabb"
    assert any(drawn_order(f"prompt-{n}", seed=1) != drawn_order(f"prompt-{n}") for n in range(16))
    assert orders_shown("drawn", "prompt-0") == (drawn_order("prompt-0"),)
    assert orders_shown("both", "prompt-0") == ("ab", "ba")


@pytest.mark.parametrize(
    ("completion", "finish_reason", "thinks", "ended"),
    [
        ("The ferry leaves at six.", "stop", False, True),
        ("The ferry leaves at six.", None, False, True),
        ("The ferry leaves at", "length", False, False),
        ("<think>At six?</think>The ferry leaves at six.", "stop", False, True),
        ("<think>At six? Or at", "stop", False, False),
        ("<think>At six?</think>  ", "stop", False, False),
        ("At six?</think>The ferry leaves at six.", "stop", True, True),
        ("At six? Or at seven, as on Sundays?", "stop", True, False),
        ("", "stop", False, False),
    ],
)
def test_which_completions_never_end(completion: str, finish_reason: str, thinks: bool, ended: bool) -> None:
    assert never_ended(completion, finish_reason, thinks=thinks) is not ended


def test_only_what_comes_after_the_thinking_is_judged() -> None:
    assert visible_answer("<think>Say \\boxed{A}.</think>\n\nAt six. ") == "At six."


@given(st.floats(0, 2), st.floats(0.01, 2))
def test_an_answer_that_never_ends_gets_less_than_any_of_its_length_that_does(
    length_penalty: float, format_penalty: float
) -> None:
    unended = unended_reward(format_penalty=format_penalty, length_penalty=length_penalty)
    lost = policy_reward(-1.0, length_penalty=length_penalty)
    assert unended.reward is not None
    assert lost.reward is not None
    assert unended.reward < lost.reward


def test_round_robin_by_hand() -> None:
    assert round_robin(2) == [(0, 1)]
    assert round_robin(3) == [(0, 1), (1, 2), (2, 0)]
    assert round_robin(4) == [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)]


@given(st.integers(2, 24))
def test_a_full_round_has_every_pair_once(size: int) -> None:
    pairs = [frozenset(each) for each in round_robin(size)]
    assert len(pairs) == len(set(pairs)) == size * (size - 1) // 2


@given(st.integers(3, 24), st.data())
def test_with_neighbours_every_completion_has_as_many_comparisons(size: int, data: st.DataObject) -> None:
    neighbours = data.draw(st.integers(1, (size - 1) // 2))
    comparisons = round_robin(size, neighbours=neighbours)
    assert len({frozenset(each) for each in comparisons}) == size * neighbours
    for place in range(size):
        assert sum(each.a == place for each in comparisons) == neighbours
        assert sum(each.b == place for each in comparisons) == neighbours


@pytest.mark.parametrize(("size", "neighbours"), [(1, None), (0, None), (4, 2), (5, 3), (5, 0)])
def test_rounds_that_cannot_be_are_refused(size: int, neighbours: int | None) -> None:
    with pytest.raises(InputError, match="expected"):
        round_robin(size, neighbours=neighbours)


def test_win_rates_by_hand() -> None:
    """0 beats 1 and 2, 1 draws with 2; 3 lost to 0 and has no other verdict; 4 has none at all."""
    outcomes = {
        Comparison(0, 1): 1.0,
        Comparison(2, 0): -1.0,
        Comparison(1, 2): 0.0,
        Comparison(3, 0): -1.0,
        Comparison(3, 1): None,
        Comparison(4, 0): None,
    }
    assert win_rates(5, outcomes) == [1.0, 0.25, 0.25, 0.0, None]


@given(st.integers(2, 9), st.data())
def test_win_rates_of_a_full_round_average_a_half_and_turn_with_the_verdicts(
    size: int, data: st.DataObject
) -> None:
    outcomes = {each: data.draw(st.sampled_from([-1.0, 0.0, 1.0])) for each in round_robin(size)}
    rates = [rate for rate in win_rates(size, outcomes) if rate is not None]
    assert len(rates) == size
    assert sum(rates) / size == pytest.approx(0.5)
    turned = win_rates(size, {each: -score for each, score in outcomes.items()})
    assert turned == pytest.approx([1 - rate for rate in rates])
