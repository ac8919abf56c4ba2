"""The reward that a `TrainConfig` asks for, with its meta-judge's connections open, in the event loop it is used in."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from ralign.errors import CallFailed
from ralign.metajudging import ChatMetaJudge
from ralign.models import ModelSpec, Sampling
from ralign.models.pool import ModelPool
from ralign.records import Message
from ralign.rewards.judge import HybridReward, PointsReward
from ralign.training.command import TrainingRun
from ralign.training.config import TrainConfig
from ralign.training.outage import OutagePlan
from ralign.training.reward_loop import REWARDS, GenRMReward, RewardRule


@asynccontextmanager
async def open_reward(run: TrainingRun, *, processes: int) -> AsyncGenerator[GenRMReward]:
    """The reward of one of so many processes, which share the meta-judge.

    Raises:
        InputError: an address, a key or a body that cannot be used.
    """
    config = run.config
    rule = reward_rule(config)
    if config.meta_judge is None or run.meta_prompt is None:
        yield GenRMReward(rule, None)
        return
    concurrency = max(1, config.concurrency // processes)
    async with ModelPool(
        run.local_model, concurrency=concurrency, deadline=config.deadline, try_timeout=config.try_timeout
    ) as opened:
        choice = meta_judge_choice(config)
        meta_judge = ChatMetaJudge(
            model=await opened.open(choice),
            prompt=run.meta_prompt,
            sampling=Sampling(temperature=config.meta_temperature, max_tokens=config.meta_max_tokens),
            seed=config.seed,
        )
        yield GenRMReward(
            rule,
            meta_judge,
            concurrency=concurrency,
            deadline=config.deadline,
            votes=config.meta_votes,
            outage=OutagePlan(policy=config.on_outage, patience=config.outage_patience),
            meta_judge_name=f"the meta-judge {choice.name}" + (f" at {choice.url}" if choice.url else ""),
            tell=lambda line: run.console.print(line, style="yellow", highlight=False, soft_wrap=True),
        )


async def greet_meta_judge(run: TrainingRun) -> None:
    """Ask the meta-judge's endpoint for a word, before weights are loaded and completions written for nothing.

    A first question that fails is said and no reason to stop: the reward loop knows how to wait.

    Raises:
        EndpointRefused: no call can succeed.
        InputError: an address, a key or a body that cannot be used.
    """
    config = run.config
    if config.meta_judge_url is None:
        return
    async with ModelPool(
        run.local_model, concurrency=1, deadline=config.deadline, try_timeout=config.try_timeout
    ) as opened:
        model = await opened.open(meta_judge_choice(config))
        sampling = Sampling(temperature=config.meta_temperature, max_tokens=config.meta_max_tokens)
        try:
            await model.reply((Message(role="user", content="Are you there? Say yes."),), sampling)
        except CallFailed as error:
            said = f"the meta-judge did not answer a first question ({error}); training begins all the same"
            run.console.print(said, style="yellow", markup=False, highlight=False, soft_wrap=True)


def meta_judge_choice(config: TrainConfig) -> ModelSpec:
    """The meta-judge as the flags name it."""
    return ModelSpec(
        name=config.meta_judge or "",
        url=config.meta_judge_url,
        key_variable=config.meta_judge_key_variable,
        body=config.meta_body,
        body_flag="--meta-body",
    )


def reward_rule(config: TrainConfig) -> RewardRule:
    """The reward by its name, with the weight asked for."""
    rule, weight = REWARDS[config.reward], config.reward_weight
    if weight is None:
        return rule
    formula = HybridReward(weight=weight) if config.reward == "hybrid" else PointsReward(weight=weight)
    return replace(rule, formula=formula)
