import pytest

from ralign.serving.lengths import LengthKeeper


def test_none_takes_nothing_off() -> None:
    keeper = LengthKeeper("none", coefficient=0.5, window=1)
    assert [keeper.penalty("xxxx", "x") for _ in range(3)] == [0.0, 0.0, 0.0]


def test_a_fixed_one_stays() -> None:
    keeper = LengthKeeper("fixed", coefficient=0.5, window=1)
    assert [keeper.penalty("xx", "x") for _ in range(3)] == [0.5, 0.5, 0.5]


def test_a_dynamic_one_steps_after_each_window_and_passes_over_what_says_nothing() -> None:
    """Windows of two, answers of twice their reference: 0.1, then 0.1 + 0.05 * (2 - 1)."""
    keeper = LengthKeeper("dynamic", coefficient=0.1, window=2)
    answers = ["xx", "", "xx", "xx"]
    assert [keeper.penalty(answer, "x") for answer in answers] == pytest.approx([0.1, 0, 0.1, 0.15])
    assert keeper.state.steps == 1
