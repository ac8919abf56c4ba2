import math

import pytest
from tests.training.gardens import said

from ralign.rewards.policy import policy_reward, unended_reward
from ralign.training.reward.reward_metrics import POLICY_METRICS, policy_metrics
from ralign.training.reward.scored import Completion, Grade, PolicyAnswer, ScoredAnswer


def scored(completion: Completion, grade: Grade, *, length_penalty: float = 0.0) -> ScoredAnswer:
    answer = PolicyAnswer.read(completion)
    parts = (
        policy_reward(grade.score, length_penalty=length_penalty)
        if answer.ended
        else unended_reward(format_penalty=0.5)
    )
    return ScoredAnswer(answer=answer, grade=grade, parts=parts)


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
    read = PolicyAnswer.read(completion)
    assert (read.text, read.ended) == (answer, ended)
    assert scored(completion, Grade(1.0)).graded().ended is ended


def test_a_policys_metrics_are_shares_of_what_they_say_they_are() -> None:
    batch = [
        scored(said("dig"), Grade(1.0, {"ab": "A", "ba": "A"}), length_penalty=0.25),
        scored(said("sow"), Grade(0.0, {"ab": "A", "ba": "B"})),
        scored(said("wait"), Grade(None, {"ab": "A", "ba": None}, "no verdict")),
        scored(said("", finish_reason="length"), Grade()),
    ]
    assert [each.reward for each in batch] == [0.75, 0.0, None, -1.5]
    assert policy_metrics(batch, seconds=2.0, length_coefficient=0.3) == {
        "score": 0.0, "unscored": 0.25, "order_disagreement": 0.5, "never_ended": 0.25, "length_penalty": 0.0625,
        "length_coefficient": 0.3, "seconds": 2.0, "paused_seconds": 0.0,
    }  # fmt: skip


def test_an_empty_batch_has_the_same_metrics_without_a_value() -> None:
    """TRL gathers the same keys over all ranks."""
    metrics = policy_metrics([], seconds=0.0)
    assert tuple(metrics) == POLICY_METRICS
    assert math.isnan(metrics["unscored"])
