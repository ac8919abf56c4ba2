"""A meta-judge's reward: the decision it comes to against the one that was recorded."""

import pytest
from tests.training.reward_pieces import make_pair

from ralign.training.reward.meta_judge_reward import MetaJudgeReward
from ralign.training.reward.scored import Completion

CORRECT = "POINT: the pier | STATED: yes\nVERDICT: Correct"
INCORRECT = "POINT: the pier | STATED: no\nVERDICT: Incorrect"


async def rewards(
    texts: list[str],
    decision: list[bool | None],
    *,
    finish_reason: str = "stop",
    thought_opened: bool = False,
) -> list[float | None]:
    completions = [
        Completion(
            pair=make_pair(),
            text=text,
            finish_reason=finish_reason,
            thought_opened=thought_opened,
            decision=each,
        )
        for text, each in zip(texts, decision, strict=True)
    ]
    return (await MetaJudgeReward().score(completions)).rewards


async def test_the_recorded_decision_earns_one_and_the_other_nothing() -> None:
    given = await rewards([CORRECT, CORRECT, INCORRECT, INCORRECT], [True, False, True, False])
    assert given == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("text", ["", "Both are fine.", f"{CORRECT}\nor so"])
async def test_no_decision_is_the_models_own_doing(text: str) -> None:
    """unreadable is neither Correct nor Incorrect, whichever was recorded."""
    assert await rewards([text, text], [True, False]) == [0.0, 0.0]


async def test_an_answer_that_was_cut_off_decides_nothing() -> None:
    assert await rewards([CORRECT], [True], finish_reason="length") == [0.0]


async def test_a_decision_in_the_thought_does_not_count() -> None:
    """Where the template opens the thought, a text without its end is all thought."""
    assert await rewards([f"<think>{CORRECT}</think>{INCORRECT}"], [True]) == [0.0]
    assert await rewards([CORRECT, f"Hm.</think>{CORRECT}"], [True, True], thought_opened=True) == [0.0, 1.0]


async def test_without_a_recorded_decision_nothing_is_scored() -> None:
    assert await rewards([CORRECT], [None]) == [None]


async def test_how_many_decide_and_how_is_logged_by_the_same_names_every_time() -> None:
    for texts, expected in (
        ([CORRECT, INCORRECT, "Hm.", CORRECT], {"decided": 3 / 4, "aligned": 2 / 3}),
        (["Hm."], {"decided": 0.0, "aligned": 0.0}),
    ):
        completions = [Completion(pair=make_pair(), text=text, decision=True) for text in texts]
        batch = await MetaJudgeReward().score(completions)
        assert batch.metrics == pytest.approx(expected)
