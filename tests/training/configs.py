"""Configs of the two commands from flat settings, as flags and recipe keys are flat."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from ralign.runs.options import JudgeOptions, JudgePromptOptions
from ralign.training.config import PolicyConfig, PolicyRewardOptions, TrainConfig
from ralign.training.options import JudgeRewardOptions, RewardCalls, TrainingOptions

Config = TypeVar("Config", TrainConfig, PolicyConfig)
GROUPS = {
    "training": TrainingOptions,
    "reward": JudgeRewardOptions,
    "calls": RewardCalls,
    "judge": JudgeOptions,
    "answer_reward": PolicyRewardOptions,
}


# An engine is given numbers, whether a user or the model says them.
LIMITS = {"max_prompt_tokens": 8192, "max_completion_tokens": 4096}


def _grouped(given: dict[str, Any], kind: type) -> dict[str, dict[str, Any]]:
    """The settings by their group, and under "" the command's own."""
    own = {field.name for field in dataclasses.fields(kind)}
    found: dict[str, dict[str, Any]] = {"": {}} | {name: {} for name in GROUPS if name in own}
    for name, value in given.items():
        groups = [
            group
            for group in found
            if group and name in {field.name for field in dataclasses.fields(GROUPS[group])}
        ]
        assert groups or name in own, f"no setting {name}"
        found[groups[0] if groups else ""][name] = value
    return found


def train_config(pairs: Sequence[str] = ("pairs.jsonl",), **given: Any) -> TrainConfig:
    # The judge that is trained has words alone; a policy's judge, by the same names, is a model besides.
    prompt = {name: given.pop(name) for name in ("judge_prompt", "verdict") if name in given}
    parts = _grouped({"model": "start", "out": Path("out"), "stage": "rl"} | LIMITS | given, TrainConfig)
    groups = {name: GROUPS[name](**parts.pop(name)) for name in ("training", "reward", "calls")}
    groups["judge"] = JudgePromptOptions(**prompt)
    return TrainConfig(tuple(pairs), **parts[""], **groups)


def policy_config(prompts: Sequence[str] = ("prompts.jsonl",), **given: Any) -> PolicyConfig:
    parts = _grouped({"model": "start", "out": Path("run")} | LIMITS | given, PolicyConfig)
    groups = {
        name: GROUPS[name](**parts.pop(name)) for name in ("training", "calls", "judge", "answer_reward")
    }
    return PolicyConfig(tuple(prompts), **parts[""], **groups)


def replaced(config: Config, **given: Any) -> Config:
    """The config with other settings, whichever group they are in."""
    parts = _grouped(given, type(config))
    groups = {
        name: dataclasses.replace(getattr(config, name), **part)
        for name, part in parts.items()
        if name and part
    }
    return dataclasses.replace(config, **parts[""], **groups)
