"""The reward that a `PolicyConfig` asks for, with its judges' connections open, in the event loop it is used in."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ralign.errors import InputError
from ralign.judging import JUDGE_PROMPT, ChatJudge, Prompt
from ralign.models import ChatModel, LoadLocalModel, ModelSpec, Sampling
from ralign.models.pool import ModelPool
from ralign.policy.config import PolicyConfig
from ralign.policy.contests import AgainstGroup, AgainstReference, Contest, Served
from ralign.policy.grading import Grade, PolicyCompletion
from ralign.policy.lengths import LengthKeeper
from ralign.policy.reward import JudgedReward, Rewarder, ServedReward
from ralign.serving.reward_call import reward_session
from ralign.training.outage import Guard, OutagePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReward:
    """What rewards a training, and who else is asked now and then."""

    rewarder: Rewarder
    second: Contest | None = None
    every: int = 1
    """The second judge is asked at every so many steps."""

    async def second_grades(self, completions: Sequence[PolicyCompletion], step: int) -> list[Grade] | None:
        """What the second judge says, where there is one and it is its turn."""
        if self.second is None or step % self.every:
            return None
        return await self.second.grade(completions)


class Unguarded(Guard):
    """Notes nothing and never opens: for a judge that training can do without."""

    def note(self, problem: str | None) -> None:
        """Forget it."""


@asynccontextmanager
async def open_reward(
    config: PolicyConfig,
    lengths: LengthKeeper,
    local_model: LoadLocalModel,
    *,
    processes: int,
    tell: Callable[[str], object],
) -> AsyncGenerator[OpenReward]:
    """The reward of one of so many processes, which share the judge.

    Raises:
        InputError: an address, a key, a prompt or a body that cannot be used.
    """
    concurrency = max(1, config.concurrency // processes)
    plan = OutagePlan(policy=config.on_outage, patience=config.outage_patience)
    async with AsyncExitStack() as stack:
        if config.reward_url is not None:
            session = await stack.enter_async_context(reward_session(config.token_variable))
            guard = Guard(plan, name=f"the reward service at {config.reward_url}", tell=tell)
            served = Served(
                session, config.reward_url, guard, concurrency=concurrency, deadline=config.deadline
            )
            yield OpenReward(rewarder=ServedReward(served))
            return
        opened = await stack.enter_async_context(
            ModelPool(
                local_model,
                concurrency=concurrency,
                deadline=config.deadline,
                try_timeout=config.try_timeout,
            )
        )
        prompt = Prompt.load(config.judge_prompt, JUDGE_PROMPT)
        choice = judge_choice(config)
        guard = Guard(plan, name=_called("the judge", choice), tell=tell)
        judge = _judge(config, await opened.open(choice), prompt)
        second: Contest | None = None
        if (other := second_judge_choice(config)) is not None:
            unguarded = Unguarded(plan, name=_called("the second judge", other), tell=tell)
            second_judge = _judge(config, await opened.open(other), prompt)
            second = _contest(config, second_judge, unguarded, concurrency)
        yield OpenReward(
            rewarder=JudgedReward(
                _contest(config, judge, guard, concurrency), lengths, format_penalty=config.format_penalty
            ),
            second=second,
            every=config.second_judge_every,
        )


def judge_choice(config: PolicyConfig) -> ModelSpec:
    """The judge as the flags name it.

    Raises:
        InputError: there is none.
    """
    if config.judge is None:
        raise InputError("a reward service judges, and not a model")
    return ModelSpec(
        name=config.judge,
        url=config.judge_url,
        key_variable=config.judge_key_variable,
        body=config.judge_body,
        body_flag="--judge-body",
    )


def second_judge_choice(config: PolicyConfig) -> ModelSpec | None:
    """The second judge as the flags name it; None where there is none."""
    if config.second_judge is None:
        return None
    return ModelSpec(
        name=config.second_judge,
        url=config.second_judge_url or config.judge_url,
        key_variable=config.judge_key_variable,
        body=config.judge_body,
        body_flag="--judge-body",
    )


def _judge(config: PolicyConfig, model: ChatModel, prompt: Prompt) -> ChatJudge:
    return ChatJudge(
        model=model,
        prompt=prompt,
        sampling=Sampling(temperature=config.judge_temperature, max_tokens=config.judge_max_tokens),
        seed=config.seed,
    )


def _contest(config: PolicyConfig, judge: ChatJudge, guard: Guard, concurrency: int) -> Contest:
    if config.against == "group":
        return AgainstGroup(
            judge,
            guard,
            group_size=config.group_size,
            neighbours=config.neighbours,
            concurrency=concurrency,
            deadline=config.deadline,
            side=config.side,
            seed=config.seed,
        )
    return AgainstReference(
        judge,
        guard,
        concurrency=concurrency,
        deadline=config.deadline,
        side=config.side,
        seed=config.seed,
    )


def _called(role: str, choice: ModelSpec) -> str:
    return f"{role} {choice.name}" + (f" at {choice.url}" if choice.url else "")
