"""Which loop trains the judge: the lab's own, or TRL's on the same model, data and rewards."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec

from torch import Generator

from ralign.errors import InputError
from ralign.lab import judge_rl
from ralign.lab.config import ArmConfig, ByDomain, JudgeRlConfig, LabConfig
from ralign.lab.judge_rl import JudgeStep
from ralign.lab.model import GPT
from ralign.lab.options import Engine
from ralign.lab.world import World

JudgeTraining = Callable[[GPT, World, ArmConfig, JudgeRlConfig, ByDomain, Generator], Iterator[JudgeStep]]
"""Trains the judge in place; yields each step's figures."""


def with_engine(config: LabConfig, engine: Engine | None) -> LabConfig:
    """The same recipe with another engine; with its own where `engine` is None.

    Raises:
        InputError: the engine is not installed.
    """
    if engine is not None:
        config = replace(config, judge_rl=replace(config.judge_rl, engine=engine))
    if config.judge_rl.engine == "trl" and find_spec("trl") is None:
        raise InputError("the engine trl is not installed: pip install 'ralign[lab,train]'")
    return config


def training_with(engine: Engine) -> JudgeTraining:
    """The engine's loop."""
    if engine == "ours":
        return judge_rl.train_judge
    # Imported where it is asked for: TRL is optional, and takes longer to import than the lab's quick run to its first
    # step. Every process of a run comes here by itself.
    from ralign.lab import trl_engine

    return trl_engine.train_judge
