"""Sampled judgments -> rewards: the bridge from tensors to the records that `ralign.rewards` is written for."""

from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ralign.lab.config import ArmConfig
from ralign.lab.meta_judge import ExactMetaJudge, stated
from ralign.lab.records import verdict_of
from ralign.lab.world import Pairs
from ralign.records import GoldPoint, Judgment, MetaJudgment
from ralign.rewards.judge import HybridReward, JudgeReward, PointsReward, outcome_reward, ralign_reward

_POINTS: Final = ("what decides", "A", "B")


def reward_of(arm: ArmConfig) -> JudgeReward:
    """The reward that an arm trains on.

    Raises:
        ValueError: the arm is not trained.
    """
    match arm.reward:
        case "outcome":
            return outcome_reward
        case "ralign":
            return ralign_reward
        case "hybrid":
            return HybridReward(weight=arm.weight)
        case "points":
            return PointsReward(weight=arm.weight)
        case "none":
            raise ValueError(f"{arm.name} is not trained")


def score(
    pairs: Pairs, judgments: Int[Tensor, "pairs group 8"], meta_judge: ExactMetaJudge, reward: JudgeReward
) -> tuple[Float[Tensor, "pairs group"], Bool[Tensor, "pairs group"]]:
    """The reward of every judgment (NaN: not scored), and whether the meta-judge calls it aligned."""
    group = judgments.shape[1]
    written = judgments.flatten(0, 1)
    gold = pairs.gold.repeat_interleave(group, dim=0)
    shown = torch.cat([pairs.question, pairs.answer_a, pairs.answer_b], dim=1).repeat_interleave(group, dim=0)
    aligned = meta_judge.aligned(shown, gold, written)
    rewards = [
        _reward(reward, *row)
        for row in zip(
            gold[:, -1].tolist(),
            written[:, -1].tolist(),
            aligned.tolist(),
            stated(gold, written).tolist(),
            strict=True,
        )
    ]
    return torch.tensor(rewards).view(-1, group), aligned.view(-1, group)


def _reward(reward: JudgeReward, gold: int, written: int, aligned: bool, points: list[bool]) -> float:
    label, verdict = verdict_of(gold), verdict_of(written)
    assert label is not None, "a gold judgment ends in a verdict"
    judgment = Judgment(pair_id="", verdict=verdict, failure=None if verdict else "parse")
    named = tuple(GoldPoint(text=text, stated=flag) for text, flag in zip(_POINTS, points, strict=True))
    value = reward(label, judgment, MetaJudgment(pair_id="", aligned=aligned, points=named))
    return torch.nan if value is None else value
