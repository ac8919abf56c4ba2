import pytest
from tests.serving.judges import WordJudge, service
from tests.training.gardens import against_reference, guard, longer, said

from ralign.errors import EndpointRefused
from ralign.rewards.length_penalty import SteeredLengthPenalty
from ralign.serving.reward_call import reward_session
from ralign.training.reward import scored
from ralign.training.reward.policy_reward import JudgedReward, SecondJudge, ServedReward


def judged(judge: WordJudge, **options) -> JudgedReward:
    lengths = SteeredLengthPenalty("fixed", coefficient=0.2)
    return JudgedReward(against_reference(judge), guard(), lengths, format_penalty=0.5, **options)


async def test_a_reward_is_the_score_less_the_penalties_and_none_where_there_is_no_score() -> None:
    """14 characters against 7 at 0.2 lose 0.2; what never ended loses 0.5 on top of a loss."""
    batch = await judged(WordJudge(longer)).score(
        [said("x" * 14), said("dig"), said("mute"), said("dig", finish_reason="length")]
    )
    assert batch.rewards == [pytest.approx(0.8), -1.0, None, -1.5]
    assert batch.metrics["unscored"] == 0.25
    assert batch.metrics["length_coefficient"] == 0.2


async def test_running_into_the_limit_is_worse_than_losing_at_the_same_length() -> None:
    reward = judged(WordJudge(longer))
    lost, unended = (await reward.score([said("bad"), said("bad", finish_reason="length")])).rewards
    assert lost is not None
    assert unended is not None
    assert unended < lost


async def test_a_completion_is_parsed_once_on_its_way_to_reward_metrics_and_signs(monkeypatch) -> None:
    """Thinking is split off thousands of characters: not again for every figure of a step."""
    parsed: list[str] = []
    parse = scored.parse_answer
    monkeypatch.setattr(
        scored,
        "parse_answer",
        lambda text, *more, **options: parsed.append(text) or parse(text, *more, **options),
    )
    texts = ["<think> long </think> dig sow water", "dig", "<think> sow"]
    batch = await judged(WordJudge(longer)).score([said(text) for text in texts])
    graded = [each.graded() for each in batch.scored]
    assert [each.answer for each in graded] == ["dig sow water", "dig", ""]
    assert parsed == texts


async def test_the_second_judge_is_asked_in_its_turn_beside_the_first() -> None:
    """Both are out at once: the first does not answer before the second has been asked."""
    second = WordJudge(lambda pair, order: "B" if order == "ab" else "A")
    reward = judged(WordJudge(longer), second=SecondJudge(against_reference(second), every=2))
    scores = []
    for step in range(3):
        batch = await reward.score([said("dig sow water")], step=step)
        scores.append(batch.scored[0].second_score)
    assert scores[1] is None
    assert scores[0] == scores[2] is not None


async def test_a_services_rewards_are_taken_as_they_are() -> None:
    async with (
        service(WordJudge(longer), format_penalty=0.25) as url,
        reward_session("RALIGN_SERVE_TOKEN") as session,
    ):
        reward = ServedReward(session, url, guard(), concurrency=4, deadline=5.0)
        batch = await reward.score([said("dig sow water"), said("mute"), said("", finish_reason="length")])
    assert batch.rewards == [1.0, None, -1.25]
    assert batch.scored[0].grade.verdicts == {"ab": "A", "ba": "A"}
    assert "no box" in (batch.scored[1].grade.problem or "")


async def test_a_service_whose_judge_is_down_is_waited_for_and_one_that_finds_no_verdict_is_not() -> None:
    async with (
        service(WordJudge(longer)) as url,
        reward_session("RALIGN_SERVE_TOKEN") as session,
    ):
        watched = guard()
        reward = ServedReward(session, url, watched, concurrency=4, deadline=5.0)
        await reward.score([said("mute"), said("lost")])
    assert watched.breaker.recent.count(False) == 1


async def test_a_service_that_refuses_ends_training() -> None:
    async with (
        service(WordJudge(longer), token="s3cret") as url,
        reward_session("RALIGN_SERVE_TOKEN") as session,
    ):
        with pytest.raises(EndpointRefused, match="401"):
            await ServedReward(session, url, guard(), concurrency=4, deadline=5.0).score([said("dig")])
