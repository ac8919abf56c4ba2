"""What a step of the judge's RL costs in either engine: the lab's own loop and TRL's GRPOTrainer.

Same model, pairs, group size, reward and optimiser, so the same tokens: `prompts` pairs times `group_size` judgments of
eight words. One thread, CPU milliseconds of the process from one step's figures to the next; the least and the
median, as the rest is other work on the machine.

    PYTHONPATH=src python benchmarks/lab_engines.py
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from statistics import median

import torch
from torch import Generator

from ralign.lab import judge_rl, trl_engine
from ralign.lab.config import JudgeRlConfig, LabConfig, preset_path, read_recipe
from ralign.lab.engines import JudgeTraining
from ralign.lab.model import GPT
from ralign.lab.world import World

STEPS = 21


def step_times(steps: Iterable[object]) -> list[float]:
    """CPU milliseconds between one step's figures and the next."""
    marks = [time.process_time() for _ in steps]
    return [1000 * (after - before) for before, after in pairwise(marks)]


def cost(train: JudgeTraining, config: LabConfig, rl: JudgeRlConfig) -> list[float]:
    """A training from fresh weights, step by step."""
    generator = Generator().manual_seed(0)
    model, world = GPT(config.model, generator), World.draw(generator)
    arm = next(arm for arm in config.arms if arm.reward == "ralign")
    return step_times(train(model, world, arm, rl, config.showy, Generator().manual_seed(1)))


def main() -> None:
    """Print one row an engine for the recipe's batch and for a small one."""
    torch.set_num_threads(1)
    config = read_recipe(preset_path("graded"))
    print(f"{'pairs x judgments':20s} {'engine':6s} {'least':>8s} {'median':>8s}  CPU ms a step")
    for prompts in (config.judge_rl.prompts, 8):
        rl = replace(config.judge_rl, prompts=prompts, steps=STEPS)
        for name, train in (("ours", judge_rl.train_judge), ("trl", trl_engine.train_judge)):
            times = cost(train, config, rl)
            shape = f"{prompts} x {rl.group_size}"
            print(f"{shape:20s} {name:6s} {min(times):8.1f} {median(times):8.1f}")


if __name__ == "__main__":
    main()
