import pytest

from ralign.rewards.judge import HybridReward, PointsReward, ralign_reward
from ralign.training.engines.verl.score import FallbackScore


def test_a_fallback_is_first_the_middle_and_then_the_mean_of_what_was_as_right():
    """Neither 0 nor 1."""
    fallback = FallbackScore(ralign_reward)
    assert fallback.of(right=True) == 0.5
    for reward in (1.0, 1.0, 0.0):
        fallback.observe(reward, right=True)
    assert fallback.of(right=True) == (0.5 + 2) / 4
    assert fallback.of(right=False) == 0.0


def test_only_the_last_rewards_count():
    fallback = FallbackScore(ralign_reward)
    for reward in [1.0] * 1000 + [0.0] * 256:
        fallback.observe(reward, right=True)
    assert fallback.of(right=True) == 0.5 / 257


@pytest.mark.parametrize(
    ("formula", "right", "wrong"),
    [(HybridReward(weight=0.4), 0.8, 0.2), (PointsReward(weight=1.0), 1.5, 0.5)],
)
def test_the_middle_lies_between_the_best_and_the_worst_reason(formula, right, wrong):
    fallback = FallbackScore(formula)
    assert fallback.of(right=True) == pytest.approx(right)
    assert fallback.of(right=False) == pytest.approx(wrong)
