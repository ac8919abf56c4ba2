"""A batch of a policy's answers -> their rewards: the contest's grade, less the penalties.

ended        score - length penalty           None where the score is None: not scored, never 0 (pitfall 2)
never ended  -1 - format penalty - length penalty, without a call
served       what `ralign serve` says, its own penalties included
"""

import time
from collections.abc import Sequence
from typing import Protocol

from ralign.policy.contests import Contest, Served, ServedAnswer
from ralign.policy.grading import Grade, Graded, GradedBatch, PolicyCompletion
from ralign.policy.lengths import LengthKeeper
from ralign.rewards.policy import PolicyReward, policy_reward, unended_reward


class Rewarder(Protocol):
    """Anything that rewards a batch of a policy's answers."""

    async def reward(self, completions: Sequence[PolicyCompletion]) -> GradedBatch:
        """The rewards; None where an answer is not scored.

        Raises:
            EndpointRefused: no call can succeed.
            MetaJudgeDown: the judge is down, and training is not to wait any longer.
        """
        ...


class JudgedReward:
    """By a judge that this process asks itself."""

    def __init__(self, contest: Contest, lengths: LengthKeeper, *, format_penalty: float) -> None:
        """`lengths`: the training steers it; here it is only read."""
        self._contest = contest
        self._lengths = lengths
        self._format_penalty = format_penalty

    async def reward(self, completions: Sequence[PolicyCompletion]) -> GradedBatch:
        """See `Rewarder`."""
        started, paused = time.monotonic(), self._contest.paused_seconds
        grades = await self._contest.grade(completions)
        return GradedBatch(
            graded=[
                Graded(completion=completion, grade=grade, parts=self._parts(completion, grade))
                for completion, grade in zip(completions, grades, strict=True)
            ],
            seconds=time.monotonic() - started,
            paused_seconds=self._contest.paused_seconds - paused,
            length_coefficient=self._lengths.state.coefficient,
        )

    def _parts(self, completion: PolicyCompletion, grade: Grade) -> PolicyReward:
        length_penalty = self._lengths.penalty(completion)
        if not completion.ended:
            return unended_reward(format_penalty=self._format_penalty, length_penalty=length_penalty)
        return policy_reward(grade.score, length_penalty=length_penalty)


class ServedReward:
    """By a running `ralign serve`."""

    def __init__(self, served: Served) -> None:
        self._served = served

    async def reward(self, completions: Sequence[PolicyCompletion]) -> GradedBatch:
        """See `Rewarder`."""
        started, paused = time.monotonic(), self._served.paused_seconds
        answers = await self._served.rewards(completions)
        return GradedBatch(
            graded=[
                _graded(completion, answer) for completion, answer in zip(completions, answers, strict=True)
            ],
            seconds=time.monotonic() - started,
            paused_seconds=self._served.paused_seconds - paused,
        )


def _graded(completion: PolicyCompletion, answer: ServedAnswer) -> Graded:
    reward = answer.reward
    if reward is None:
        return Graded(
            completion=completion,
            grade=Grade(problem=answer.detail),
            parts=PolicyReward(reward=None, score=None),
        )
    return Graded(
        completion=completion,
        grade=Grade(reward.score, reward.verdicts, answer.detail),
        parts=PolicyReward(
            reward=reward.reward,
            score=reward.score,
            length_penalty=reward.length_penalty,
            format_penalty=reward.format_penalty,
        ),
    )
