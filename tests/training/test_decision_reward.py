"""A meta-judge's reward: the decision it comes to against the one that was recorded."""

import pytest

from ralign.training.decision_reward import DecisionReward

END = 7
CORRECT = "POINT: the pier | STATED: yes\nVERDICT: Correct"
INCORRECT = "POINT: the pier | STATED: no\nVERDICT: Incorrect"


async def rewards(
    texts: list[str], decision: list[bool | None], *, ends: int = END, thought_opened: bool = False
) -> list[float | None]:
    reward = DecisionReward(end_tokens=[END], thought_opened=thought_opened)
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    return await reward(completions, [[1, ends]] * len(texts), decision, row=[0] * len(texts))


async def test_the_recorded_decision_earns_one_and_the_other_nothing() -> None:
    given = await rewards([CORRECT, CORRECT, INCORRECT, INCORRECT], [True, False, True, False])
    assert given == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("text", ["", "Both are fine.", f"{CORRECT}\nor so"])
async def test_no_decision_is_the_models_own_doing(text: str) -> None:
    """Pitfall 8: unreadable is neither Correct nor Incorrect, whichever was recorded."""
    assert await rewards([text, text], [True, False]) == [0.0, 0.0]


async def test_an_answer_that_was_cut_off_decides_nothing() -> None:
    assert await rewards([CORRECT], [True], ends=3) == [0.0]


async def test_a_decision_in_the_thought_does_not_count() -> None:
    """Pitfall 6, for a meta-judge. Where the template opens the thought, a text without its end is all thought."""
    assert await rewards([f"<think>{CORRECT}</think>{INCORRECT}"], [True]) == [0.0]
    assert await rewards([CORRECT, f"Hm.</think>{CORRECT}"], [True, True], thought_opened=True) == [0.0, 1.0]


async def test_without_a_recorded_decision_nothing_is_scored() -> None:
    assert await rewards([CORRECT], [None]) == [None]


async def test_how_many_decide_and_how_is_logged_by_the_same_names_every_time() -> None:
    reward = DecisionReward(end_tokens=[END])
    for texts, expected in (
        ([CORRECT, INCORRECT, "Hm.", CORRECT], {"decision/decided": 3 / 4, "decision/aligned": 2 / 3}),
        (["Hm."], {"decision/decided": 0.0, "decision/aligned": 0.0}),
    ):
        logged: dict[str, float] = {}
        await reward(texts, [[END]] * len(texts), [True] * len(texts), log_metric=logged.__setitem__)
        assert logged == pytest.approx(expected)
