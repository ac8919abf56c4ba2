import pytest

from ralign.lab.schedule import share


def test_a_training_of_ten_steps_worked_by_hand():
    shares = [share(step, 10, warm_up=2, cooldown=0.5) for step in range(10)]
    assert shares == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


def test_without_a_cooldown_the_rate_stays_up():
    assert [share(step, 4, warm_up=1, cooldown=0.0) for step in range(4)] == [1.0] * 4


def test_the_last_steps_of_a_long_training_still_move():
    assert share(999, 1000, warm_up=5, cooldown=0.5) == 0.05
