import pytest

from ralign.errors import InputError
from ralign.rewards.judge import HybridReward
from ralign.training.verl_worker import RewardSettings, open_worker


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"reward": "praise"}, "reward is 'praise', expected one of outcome, ralign, hybrid, points"),
        ({"reward": "ralign", "reward_weight": 0.5}, "reward_weight is for hybrid and points"),
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
