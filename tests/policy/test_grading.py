import math

import pytest
from tests.policy.gardens import said

from ralign.policy.grading import RATE_NAMES, Grade, Graded, GradedBatch, PolicyCompletion
from ralign.rewards.policy import policy_reward, unended_reward


def graded(completion: PolicyCompletion, grade: Grade, *, length_penalty: float = 0.0) -> Graded:
    parts = (
        policy_reward(grade.score, length_penalty=length_penalty)
        if completion.ended
        else unended_reward(format_penalty=0.5)
    )
    return Graded(completion=completion, grade=grade, parts=parts)


@pytest.mark.parametrize(
    ("completion", "ended", "answer"),
    [
        (said("dig"), True, "dig"),
        (said("<think> sow </think> dig"), True, "dig"),
        (said("dig", finish_reason="length"), False, "dig"),
        (said("<think> dig"), False, ""),
        (said("sow </think> dig", thought_opened=True), True, "dig"),
        # The prompt opened the thought: all of it is thought, however much it looks like an answer.
        (said("dig", thought_opened=True), False, ""),
        (said(" "), False, ""),
    ],
)
def test_only_what_is_said_after_the_thinking_is_an_answer(completion, ended: bool, answer: str) -> None:
    assert completion.ended is ended
    assert completion.answer == answer
    assert graded(completion, Grade(1.0)).as_answer().ended is ended


def test_the_rates_are_shares_of_what_they_say_they_are() -> None:
    batch = GradedBatch(
        graded=[
            graded(said("dig"), Grade(1.0, {"ab": "A", "ba": "A"}), length_penalty=0.25),
            graded(said("sow"), Grade(0.0, {"ab": "A", "ba": "B"})),
            graded(said("wait"), Grade(None, {"ab": "A", "ba": None}, "no verdict")),
            graded(said("", finish_reason="length"), Grade()),
        ],
        seconds=2.0,
        length_coefficient=0.3,
    )
    assert batch.rewards == [0.75, 0.0, None, -1.5]
    assert batch.rates == {
        "score": 0.0, "unscored": 0.25, "order_disagreement": 0.5, "never_ended": 0.25, "length_penalty": 0.0625,
        "length_coefficient": 0.3, "seconds": 2.0, "paused_seconds": 0.0,
    }  # fmt: skip


def test_an_empty_batch_has_the_same_rates_without_a_value() -> None:
    """TRL gathers the same keys over all ranks."""
    rates = GradedBatch(graded=[]).rates
    assert tuple(rates) == RATE_NAMES
    assert math.isnan(rates["unscored"])
