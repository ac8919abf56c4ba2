import pytest

from ralign.rewards.judge import HybridReward, PointsReward, ralign_reward
from ralign.training.verl_score import StandIn


def test_a_stand_in_is_first_the_middle_and_then_the_mean_of_what_was_as_right():
    """Pitfall 2: neither 0 nor 1."""
    stand_in = StandIn(ralign_reward)
    assert stand_in.of(right=True) == 0.5
    for reward in (1.0, 1.0, 0.0):
        stand_in.note(reward, right=True)
    assert stand_in.of(right=True) == (0.5 + 2) / 4
    assert stand_in.of(right=False) == 0.0


def test_only_the_last_rewards_count():
    stand_in = StandIn(ralign_reward)
    for reward in [1.0] * 1000 + [0.0] * 256:
        stand_in.note(reward, right=True)
    assert stand_in.of(right=True) == 0.5 / 257


@pytest.mark.parametrize(
    ("formula", "right", "wrong"),
    [(HybridReward(weight=0.4), 0.8, 0.2), (PointsReward(weight=1.0), 1.5, 0.5)],
)
def test_the_middle_lies_between_the_best_and_the_worst_reason(formula, right, wrong):
    stand_in = StandIn(formula)
    assert stand_in.of(right=True) == pytest.approx(right)
    assert stand_in.of(right=False) == pytest.approx(wrong)
