import pytest
from tests.policy.gardens import against_reference, guard, longer, said
from tests.serving.judges import WordJudge, service

from ralign.policy.contests import Served
from ralign.policy.lengths import LengthKeeper
from ralign.policy.reward import JudgedReward, ServedReward
from ralign.serving.reward_call import reward_session


async def test_a_reward_is_the_score_less_the_penalties_and_none_where_there_is_no_score() -> None:
    """Pitfall 2. 14 characters against 7 at 0.2 lose 0.2; what never ended loses 0.5 on top of a loss."""
    lengths = LengthKeeper("fixed", coefficient=0.2)
    reward = JudgedReward(against_reference(WordJudge(longer)), lengths, format_penalty=0.5)
    batch = await reward.reward(
        [said("x" * 14), said("dig"), said("mute"), said("dig", finish_reason="length")]
    )
    assert batch.rewards == [pytest.approx(0.8), -1.0, None, -1.5]
    assert batch.rates["unscored"] == 0.25
    assert batch.length_coefficient == 0.2


async def test_running_into_the_limit_is_worse_than_losing_at_the_same_length() -> None:
    reward = JudgedReward(
        against_reference(WordJudge(longer)), LengthKeeper("fixed", coefficient=0.2), format_penalty=0.5
    )
    lost, unended = (await reward.reward([said("bad"), said("bad", finish_reason="length")])).rewards
    assert lost is not None
    assert unended is not None
    assert unended < lost


async def test_a_services_rewards_are_taken_as_they_are() -> None:
    async with (
        service(WordJudge(longer), format_penalty=0.25) as url,
        reward_session("RALIGN_SERVE_TOKEN") as session,
    ):
        reward = ServedReward(Served(session, url, guard(), concurrency=4, deadline=5.0))
        batch = await reward.reward([said("dig sow water"), said("mute"), said("", finish_reason="length")])
    assert batch.rewards == [1.0, None, -1.25]
    assert batch.graded[0].grade.verdicts == {"ab": "A", "ba": "A"}
    assert batch.graded[1].grade.problem is not None
