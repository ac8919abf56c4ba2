"""The reward that a `TrainConfig` asks for, with its meta-judge's connections open, in the event loop it is used in."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from ralign.chat import ModelChoice, OpenModels, Sampling
from ralign.metajudging import ChatMetaJudge
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
    async with OpenModels(
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


def meta_judge_choice(config: TrainConfig) -> ModelChoice:
    """The meta-judge as the flags name it."""
    return ModelChoice(
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
