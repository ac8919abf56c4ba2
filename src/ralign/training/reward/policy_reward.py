"""Reward of a policy in training: a batch of answers -> their rewards, by a judge or by a running `ralign serve`.

ended        score - length penalty           None where the score is None: not scored, never 0
never ended  -1 - format penalty - length penalty, without a call
served       as the service says, its own penalties included
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import NamedTuple

import aiohttp

from ralign.errors import CallFailed
from ralign.judging import ChatJudge
from ralign.models import LoadLocalModel, ModelSpec
from ralign.models.pool import ModelPool
from ralign.models.retry import RetryPolicy
from ralign.records import Failure
from ralign.rewards.length_penalty import SteeredLengthPenalty
from ralign.rewards.policy import PolicyReward, policy_reward, unended_reward
from ralign.serving.reward_call import Reward, post_reward, request_body, reward_session
from ralign.training.config import PolicyConfig
from ralign.training.reward.batched_calls import BatchedCalls
from ralign.training.reward.comparisons import (
    AnswerGrader,
    GroupComparison,
    PairJudge,
    ReferenceComparison,
)
from ralign.training.reward.outage import Guard, OutagePlan, Unguarded, named, problem_of
from ralign.training.reward.reward_metrics import policy_metrics
from ralign.training.reward.scored import Completion, Grade, PolicyAnswer, ScoredAnswer, ScoredBatch


class SecondJudge(NamedTuple):
    """A judge that the policy does not train on, asked at every so many steps."""

    grader: AnswerGrader
    every: int = 1


class JudgedReward:
    """Reward by a judge that this process asks itself.

    Args:
        grader: compares the answers.
        guard: of the judge, whose pauses are logged.
        lengths: the length penalty; the training steers it, here it is only read.
        format_penalty: of an answer that never ends.
        second: asked beside the judge, without a part in the reward.
    """

    def __init__(
        self,
        grader: AnswerGrader,
        guard: Guard,
        lengths: SteeredLengthPenalty,
        *,
        format_penalty: float,
        second: SecondJudge | None = None,
    ) -> None:
        self._grader = grader
        self._guard = guard
        self._lengths = lengths
        self._format_penalty = format_penalty
        self._second = second

    async def score(self, completions: Sequence[Completion], *, step: int = 0) -> ScoredBatch[ScoredAnswer]:
        """Score a batch; see `BatchReward`."""
        started, paused = time.monotonic(), self._guard.paused_seconds
        answers = list(map(PolicyAnswer.read, completions))
        graders = [self._grader]
        if self._second is not None and step % self._second.every == 0:
            graders.append(self._second.grader)
        # Both judges at once: the second must not add its own waiting to the step.
        grades = await asyncio.gather(*(grader.grade(answers) for grader in graders))
        scored: list[ScoredAnswer] = []
        for answer, grade, *second in zip(answers, *grades, strict=True):
            penalty = self._lengths.penalty(answer.length)
            if answer.ended:
                parts = policy_reward(grade.score, length_penalty=penalty)
            else:
                parts = unended_reward(format_penalty=self._format_penalty, length_penalty=penalty)
            second_score = second[0].score if second else None
            scored.append(ScoredAnswer(answer=answer, grade=grade, parts=parts, second_score=second_score))
        metrics = policy_metrics(
            scored,
            length_coefficient=self._lengths.state.coefficient,
            seconds=time.monotonic() - started,
            paused_seconds=self._guard.paused_seconds - paused,
        )
        return ScoredBatch(scored=scored, metrics=metrics)


class ServedAnswer(NamedTuple):
    """A running service's answer about one completion."""

    reward: Reward | None
    failure: Failure | None = None
    detail: str | None = None


class ServedReward:
    """Reward by a running `ralign serve`."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, guard: Guard, *, concurrency: int, deadline: float
    ) -> None:
        self._session = session
        self._url = url
        self._guard = guard
        self._retry = RetryPolicy(deadline=deadline)
        self._calls = BatchedCalls[bytes, bytes, ServedAnswer](
            self._ask,
            lambda body, why: ServedAnswer(None, "call", why),
            lambda answer: problem_of(answer) if answer.failure == "call" else None,
            guard,
            concurrency=concurrency,
            deadline=deadline,
        )

    async def score(self, completions: Sequence[Completion], *, step: int = 0) -> ScoredBatch[ScoredAnswer]:
        """Score a batch; see `BatchReward`."""
        del step
        started, paused = time.monotonic(), self._guard.paused_seconds
        answers = list(map(PolicyAnswer.read, completions))
        async with self._calls.batch() as batch:
            bodies: list[bytes] = []
            for completion in completions:
                pair = completion.pair
                turns = [{"role": turn.role, "content": turn.content} for turn in pair.conversation]
                # With its thinking marked where the prompt opened it: the service has not seen the chat template.
                text, reason = completion.marked, completion.finish_reason
                bodies.append(request_body(turns, text, pair.response_b, pair.id, reason))
                batch.ask(bodies[-1], bodies[-1])
            await batch.finish()
        scored = [_scored(answer, batch.answers[body]) for answer, body in zip(answers, bodies, strict=True)]
        metrics = policy_metrics(
            scored,
            seconds=time.monotonic() - started,
            paused_seconds=self._guard.paused_seconds - paused,
        )
        return ScoredBatch(scored=scored, metrics=metrics)

    async def _ask(self, body: bytes) -> ServedAnswer:
        try:
            reward = await post_reward(self._session, self._url, body, self._retry)
        except CallFailed as error:
            return ServedAnswer(None, "call", str(error))
        if reward.reward is None:
            # The service says of each order without a verdict whether its judge's call failed.
            failed = reward.reason is not None and "(call)" in reward.reason
            return ServedAnswer(reward, "call" if failed else "parse", reward.reason)
        return ServedAnswer(reward)


@asynccontextmanager
async def open_policy_reward(
    config: PolicyConfig,
    lengths: SteeredLengthPenalty,
    local_model: LoadLocalModel,
    *,
    processes: int,
    log: Callable[[str], object],
) -> AsyncGenerator[JudgedReward | ServedReward]:
    """The reward of one of so many processes, with its judges' connections open, in the event loop it is used in.

    Raises:
        InputError: an address, a key, a prompt or a body that cannot be used.
    """
    calls = config.calls
    concurrency = max(1, calls.concurrency // processes)
    plan = OutagePlan(policy=calls.on_outage, patience=calls.outage_patience)
    async with AsyncExitStack() as stack:
        if (url := config.reward_url) is not None:
            session = await stack.enter_async_context(reward_session(config.token_variable))
            guard = Guard(plan, name=f"the reward service at {url}", log=log)
            yield ServedReward(session, url, guard, concurrency=concurrency, deadline=calls.deadline)
            return
        pool = await stack.enter_async_context(
            ModelPool(
                local_model, concurrency=concurrency, deadline=calls.deadline, try_timeout=calls.try_timeout
            )
        )
        judge = config.judge
        prompt = judge.prompt

        async def grader(spec: ModelSpec, guard: Guard) -> AnswerGrader:
            chat_judge = ChatJudge(
                model=await pool.open(spec),
                prompt=prompt,
                sampling=judge.sampling,
                seed=config.training.seed,
                written_in=judge.written_in,
            )
            asked = PairJudge(
                chat_judge,
                guard,
                concurrency=concurrency,
                deadline=calls.deadline,
                side=config.answer_reward.side,
                seed=config.training.seed,
            )
            if config.against == "reference":
                return ReferenceComparison(asked)
            return GroupComparison(asked, group_size=config.training.group_size, neighbors=config.neighbors)

        guard = Guard(plan, name=named("the judge", judge.spec), log=log)
        asked_besides = None
        if config.second_judge is not None:
            second = replace(judge.spec, name=config.second_judge, url=config.second_judge_url)
            second = second.at(judge.judge_url)
            unguarded = Unguarded(plan, name=named("the second judge", second), log=log)
            asked_besides = SecondJudge(await grader(second, unguarded), config.second_judge_every)
        yield JudgedReward(
            await grader(judge.spec, guard),
            guard,
            lengths,
            format_penalty=config.answer_reward.format_penalty,
            second=asked_besides,
        )


def _scored(answer: PolicyAnswer, served: ServedAnswer) -> ScoredAnswer:
    reward = served.reward
    if reward is None:
        unknown = PolicyReward(reward=None, score=None)
        return ScoredAnswer(answer=answer, grade=Grade(problem=served.detail), parts=unknown)
    return ScoredAnswer(
        answer=answer,
        grade=Grade(reward.score, reward.verdicts, served.detail),
        parts=PolicyReward(
            reward=reward.reward,
            score=reward.score,
            length_penalty=reward.length_penalty,
            format_penalty=reward.format_penalty,
        ),
    )
