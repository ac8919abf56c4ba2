from pathlib import Path

import pytest
from tests.policy.gardens import said

from ralign.errors import InputError
from ralign.policy.lengths import LengthKeeper


def test_a_fixed_penalty_takes_its_coefficient_for_twice_the_length_and_never_moves() -> None:
    keeper = LengthKeeper("fixed", coefficient=0.2)
    twice = said("dig sow dig sow"[:14], reference="dig sow")
    assert keeper.penalty(twice) == pytest.approx(0.2)
    assert keeper.penalty(said("dig")) == 0.0
    keeper.step([twice] * 8)
    assert keeper.state.coefficient == 0.2


def test_none_takes_nothing_off() -> None:
    keeper = LengthKeeper("none", coefficient=0.2)
    keeper.step([said("dig sow dig sow dig sow")])
    assert keeper.penalty(said("dig sow dig sow dig sow")) == 0.0


def test_a_dynamic_one_rises_while_answers_are_too_long_and_falls_when_they_are_not() -> None:
    """Rate 0.05: a mean of twice the target's moves it by 0.05, one of half by -0.025."""
    keeper = LengthKeeper("dynamic", coefficient=0.1)
    keeper.step([said("x" * 14), said("x" * 14)])
    assert keeper.state.coefficient == pytest.approx(0.15)
    keeper.step([said("x" * 3), said("x" * 4)])
    assert keeper.state.coefficient == pytest.approx(0.125)


def test_the_target_is_in_lengths_of_the_references() -> None:
    keeper = LengthKeeper("dynamic", coefficient=0.1, target=2.0)
    keeper.step([said("x" * 14)])
    assert keeper.state.coefficient == pytest.approx(0.1)


def test_what_shows_nothing_is_no_short_answer() -> None:
    keeper = LengthKeeper("dynamic", coefficient=0.1)
    keeper.step([said("<think> x", finish_reason="length")] * 5)
    assert keeper.state.coefficient == 0.1


def test_its_state_goes_through_a_checkpoint(tmp_path: Path) -> None:
    keeper = LengthKeeper("dynamic", coefficient=0.1)
    keeper.step([said("x" * 21)])
    keeper.save(tmp_path)
    other = LengthKeeper("dynamic", coefficient=0.1)
    other.restore(tmp_path)
    assert other.state == keeper.state
    with pytest.raises(InputError, match="no state of a length penalty"):
        other.restore(tmp_path / "missing")
