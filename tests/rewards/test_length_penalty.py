import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.rewards.length_penalty import (
    AnswerLength,
    LengthControl,
    LengthPenalty,
    LengthState,
    SteeredLengthPenalty,
    steer,
)

lengths = st.integers(1, 100_000)
TWICE = AnswerLength(14, 7)


@pytest.mark.parametrize(
    ("length", "reference", "expected"),
    [
        (100, 100, 0.0),
        (50, 100, 0.0),
        (150, 100, 0.1),
        (200, 100, 0.2),
        (300, 100, 0.4),
        (900, 100, 0.4),
        (3, 0, 0.4),
    ],
)
def test_the_fixed_length_penalty_by_hand(length: int, reference: int, expected: float) -> None:
    """0.2 * min(max(0, length / reference - 1), 2); an empty reference counts as one long."""
    assert LengthPenalty(coefficient=0.2).of(length, reference) == pytest.approx(expected)


@given(lengths, lengths, lengths, st.floats(0, 5))
def test_the_same_length_more_for_both_never_costs_more(
    length: int, reference: int, more: int, coefficient: float
) -> None:
    penalty = LengthPenalty(coefficient=coefficient)
    assert 0 <= penalty.of(length + more, reference + more) <= penalty.of(length, reference) + 1e-12


@given(lengths, lengths, st.integers(2, 50), st.floats(0, 5))
def test_the_unit_of_length_does_not_matter(
    length: int, reference: int, factor: int, coefficient: float
) -> None:
    penalty = LengthPenalty(coefficient=coefficient)
    assert penalty.of(length * factor, reference * factor) == pytest.approx(penalty.of(length, reference))


def test_the_dynamic_coefficient_by_hand() -> None:
    """Answers of 300 and 100 against references of 100 and 100: ratio 2, one step of 0.1 * (2 - 1)."""
    control = LengthControl(rate=0.1, highest=0.15)
    first = steer(LengthState(), control, [300, 100], [100, 100])
    assert (first.coefficient, first.steps, first.ratio) == (pytest.approx(0.1), 1, 2.0)
    second = steer(first, control, [300, 100], [100, 100])
    assert second.coefficient == 0.15, "the bound holds"
    third = steer(second, control, [50, 50], [100, 100])
    assert third.coefficient == pytest.approx(0.10), "short answers let it down again"
    assert steer(third, control, [], []) is third
    assert steer(LengthState(), control, [10], [100]).coefficient == 0.0, "it never pays for being short"


def test_the_dynamic_coefficient_holds_the_mean_length_near_the_references() -> None:
    """A policy that wants 2,000 and gives way in proportion to the coefficient settles at the reference's 1,000."""
    state = LengthState()
    for _ in range(400):
        length = 2000 - 1600 * state.coefficient
        state = steer(state, LengthControl(), [length], [1000])
    assert state.coefficient == pytest.approx(1000 / 1600, abs=0.01)
    assert state.ratio == pytest.approx(1.0, abs=0.01)


def test_none_takes_nothing_off_and_never_moves() -> None:
    penalty = SteeredLengthPenalty("none", coefficient=0.5, window=1)
    for _ in range(3):
        assert penalty.penalty(TWICE) == 0.0
        penalty.observe(TWICE)
        penalty.step([TWICE])


def test_a_fixed_one_takes_its_coefficient_for_twice_the_length_and_never_moves() -> None:
    penalty = SteeredLengthPenalty("fixed", coefficient=0.2, window=1)
    assert penalty.penalty(TWICE) == pytest.approx(0.2)
    assert penalty.penalty(AnswerLength(3, 7)) == 0.0
    penalty.observe(TWICE)
    penalty.step([TWICE] * 8)
    assert penalty.state.coefficient == 0.2


def test_a_dynamic_one_rises_while_answers_are_too_long_and_falls_when_they_are_not() -> None:
    """Rate 0.05: a mean of twice the target's moves it by 0.05, one of half by -0.025."""
    penalty = SteeredLengthPenalty("dynamic", coefficient=0.1)
    penalty.step([TWICE, TWICE])
    assert penalty.state.coefficient == pytest.approx(0.15)
    penalty.step([AnswerLength(3, 7), AnswerLength(4, 7)])
    assert penalty.state.coefficient == pytest.approx(0.125)


def test_the_target_is_in_lengths_of_the_references() -> None:
    penalty = SteeredLengthPenalty("dynamic", coefficient=0.1, target=2.0)
    penalty.step([TWICE])
    assert penalty.state.coefficient == pytest.approx(0.1)


def test_what_shows_nothing_is_no_short_answer() -> None:
    penalty = SteeredLengthPenalty("dynamic", coefficient=0.1, window=1)
    penalty.step([AnswerLength(0, 7)] * 5)
    penalty.observe(AnswerLength(0, 7))
    assert penalty.state == LengthState(coefficient=0.1)


def test_without_steps_it_steps_after_each_window() -> None:
    """Windows of two, answers of twice their reference: 0.1, then 0.1 + 0.05 * (2 - 1)."""
    penalty = SteeredLengthPenalty("dynamic", coefficient=0.1, window=2)
    lost = []
    for length in (2, 0, 2, 2):
        lost.append(penalty.penalty(AnswerLength(length, 1)))
        penalty.observe(AnswerLength(length, 1))
    assert lost == pytest.approx([0.1, 0, 0.1, 0.15])
    assert penalty.state.steps == 1
