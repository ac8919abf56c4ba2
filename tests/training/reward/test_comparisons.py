import asyncio
from typing import Any

import pytest
from tests.serving.judges import WordJudge
from tests.training.gardens import against_reference, answers, longer, pair_judge, said

from ralign.rewards.policy import drawn_order
from ralign.training.reward.comparisons import GroupComparison


def against_group(
    judge: WordJudge, size: int, *, neighbors: int | None = None, **options: Any
) -> GroupComparison:
    return GroupComparison(pair_judge(judge, **options), group_size=size, neighbors=neighbors)


async def test_a_win_is_one_a_loss_less_one_and_a_judge_who_follows_the_position_nothing() -> None:
    judge = WordJudge(longer)
    grades = await against_reference(judge).grade(
        answers(said("dig sow water"), said("dig"), said("sow dig"))
    )
    assert [grade.score for grade in grades] == [1.0, -1.0, 0.0]
    assert grades[2].verdicts == {"ab": "A", "ba": "B"}


async def test_no_verdict_in_one_order_is_no_score_and_says_why() -> None:
    """Never 0."""
    mute, lost = await against_reference(WordJudge(longer)).grade(answers(said("mute"), said("lost")))
    assert mute.score is None
    assert mute.problem == "no box"
    assert lost.score is None
    assert lost.problem == "no answer in time"


async def test_what_never_ends_is_shown_to_nobody_and_equal_answers_are_judged_once() -> None:
    judge = WordJudge(longer)
    completions = [said("dig"), said("dig"), said("dig sow", finish_reason="length"), said("<think> sow")]
    grades = await against_reference(judge).grade(answers(*completions))
    assert [grade.score for grade in grades] == [-1.0, -1.0, None, None]
    assert grades[2].verdicts == {}
    assert judge.asked.total() == 2


async def test_on_a_drawn_side_every_answer_to_a_prompt_is_shown_alike() -> None:
    judge = WordJudge(longer)
    completions = [said(word, name) for name in ("rose", "fig", "leek", "plum") for word in ("dig", "water")]
    grades = await against_reference(judge, side="drawn", seed=3).grade(answers(*completions))
    for grade, completion in zip(grades, completions, strict=True):
        assert list(grade.verdicts) == [drawn_order(completion.pair.id, seed=3)]
    assert judge.asked.total() == 8


async def test_the_judge_sees_the_conversation_and_never_the_thinking() -> None:
    judge = WordJudge(longer)
    await against_reference(judge, side="drawn").grade(answers(said("<think> secret </think> dig")))
    assert judge.pairs[0].response_a == "dig"
    assert judge.pairs[0].response_b == "dig sow"
    assert judge.pairs[0].conversation[0].content == "what rose"


async def test_in_a_group_the_score_is_twice_the_win_rate_less_one() -> None:
    """Of three, the longest wins both, the middle one of two, the shortest none."""
    judge = WordJudge(longer)
    group = [said("dig sow water"), said("dig"), said("dig sow")]
    grades = await against_group(judge, 3).grade(answers(*group))
    assert [grade.score for grade in grades] == [1.0, -1.0, 0.0]
    assert judge.asked.total() == 6  # three pairs in both orders


async def test_in_a_group_the_unended_lose_and_equal_answers_draw_without_a_call() -> None:
    judge = WordJudge(longer)
    group = [
        said("dig"),
        said("dig"),
        said("water", finish_reason="length"),
        said("", finish_reason="length"),
    ]
    grades = await against_group(judge, 4).grade(answers(*group))
    # Each of the first two: won two, drawn one of three.
    assert [grade.score for grade in grades] == [pytest.approx(2 / 3), pytest.approx(2 / 3), None, None]
    assert judge.asked.total() == 0


async def test_groups_do_not_meet_and_a_missing_verdict_leaves_its_comparison_out() -> None:
    judge = WordJudge(longer)
    first = [said("dig sow", "rose"), said("dig", "rose"), said("mute", "rose")]
    second = [said("water water", "fig"), said("wait", "fig"), said("sow", "fig")]
    grades = await against_group(judge, 3).grade(answers(*first, *second))
    assert [grade.score for grade in grades[:3]] == [1.0, -1.0, None]
    assert grades[2].problem == "no box"
    assert [grade.score for grade in grades[3:]] == [1.0, 0.0, -1.0]
    own = {"rose": {"dig sow", "dig", "mute"}, "fig": {"water water", "wait", "sow"}}
    assert all({pair.response_a, pair.response_b} <= own[pair.id] for pair in judge.pairs)


async def test_neighbours_bound_the_calls() -> None:
    judge = WordJudge(longer)
    words = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"]
    await against_group(judge, 6, neighbors=1, side="drawn").grade(answers(*(said(word) for word in words)))
    assert judge.asked.total() == 6


async def test_a_judge_that_hangs_is_not_waited_for() -> None:
    comparison = against_reference(WordJudge(longer, latency=30), deadline=0.1)
    async with asyncio.timeout(5):
        (grade,) = await comparison.grade(answers(said("dig")))
    assert grade.score is None
    assert grade.problem == "no answer within 0.1 s"
