import pytest

from ralign.errors import InputError
from ralign.rewards.judge import HybridReward, PointsReward, ralign_reward
from ralign.training.verl_worker import RewardSettings, StandIn, open_worker


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


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"reward": "praise"}, "reward is 'praise', expected one of outcome, ralign, hybrid, pointwise"),
        ({"reward": "ralign", "reward_weight": 0.5}, "reward_weight is for hybrid and pointwise"),
    ],
)
def test_a_reward_that_there_is_not_is_named(fields, complaint):
    with pytest.raises(InputError, match=complaint):
        RewardSettings(**fields).rule()


def test_a_weight_reaches_the_formula():
    assert RewardSettings(reward="hybrid", reward_weight=0.25).rule().formula == HybridReward(weight=0.25)


@pytest.mark.parametrize("fields", [{}, {"meta_judge": "m"}, {"meta_judge_url": "http://127.0.0.1:1"}])
async def test_a_reward_that_asks_needs_someone_to_ask(fields):
    with pytest.raises(InputError, match="needs meta_judge and meta_judge_url"):
        await open_worker(RewardSettings(**fields), None)
