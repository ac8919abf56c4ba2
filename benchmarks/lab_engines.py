"""What a step of the judge's RL costs in either engine: the lab's own loop and TRL's GRPOTrainer.

Same model, pairs, group size, reward and optimizer, so the same tokens: `prompts` pairs times `group_size` judgments of
eight words. One thread, CPU milliseconds of the process from one step's figures to the next; the least and the
median, as the rest is other work on the machine. Then TRL's step in parts, beside one plain forward and backward pass
over the same sequences, which is the floor for this layout (every judgment behind its own copy of the prompt).

    PYTHONPATH=src python benchmarks/lab_engines.py
"""

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from statistics import median

import torch
from torch import Generator

from ralign.lab import judge_rl, trl_engine
from ralign.lab.config import JudgeRlConfig, LabConfig, preset_path, read_recipe
from ralign.lab.hf_model import TransformersGPT
from ralign.lab.meta_judge import ExactMetaJudge
from ralign.lab.model import GPT
from ralign.lab.run import JudgeTraining
from ralign.lab.trl_engine import GroupReward, grpo_config, grpo_trainer, pairs_of
from ralign.lab.world import World
from ralign.rewards.judge import ralign_reward

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


def parts(config: LabConfig, rl: JudgeRlConfig, folder: str) -> dict[str, float]:
    """The parts of TRL's step, in CPU milliseconds, the least of several."""
    generator = Generator().manual_seed(0)
    model, world = TransformersGPT(GPT(config.model, generator)), World.draw(generator)
    reward = GroupReward(ralign_reward, ExactMetaJudge(), lambda step: None)
    pairs = pairs_of(world, 1, rl, config.showy, generator)
    args = grpo_config(rl, steps=1, seed=0, folder=folder)
    trainer = grpo_trainer(model, reward, pairs, rl, args)
    rows = [row for row in trainer.train_dataset for _ in range(rl.group_size)]
    batch = trainer._generate_and_score_completions(rows)
    trainer.current_gradient_accumulation_steps = 1  # as the training loop sets it
    sequences = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)

    @torch.no_grad()
    def generate() -> None:
        trainer._generate([row["prompt"] for row in rows])

    return {
        "generate": milliseconds(generate),
        "generate, reward, advantages": milliseconds(lambda: trainer._generate_and_score_completions(rows)),
        "loss and gradient": milliseconds(lambda: trainer.compute_loss(model, batch).backward()),
        "floor of this layout": milliseconds(
            lambda: model(sequences).logits.log_softmax(-1)[..., 0].mean().backward()
        ),
    }


def milliseconds(act: Callable[[], object]) -> float:
    """The least CPU time of seven, after one to warm up."""
    act()
    times: list[float] = []
    for _ in range(7):
        started = time.process_time()
        act()
        times.append(time.process_time() - started)
    return 1000 * min(times)


def main() -> None:
    """Print one row an engine for the recipe's batch and for a small one, then TRL's parts."""
    torch.set_num_threads(1)
    config = read_recipe(preset_path("graded"))
    print(f"{'pairs x judgments':20s} {'engine':6s} {'least':>8s} {'median':>8s}  CPU ms a step")
    for prompts in (config.judge_rl.prompts, 8):
        rl = replace(config.judge_rl, prompts=prompts, steps=STEPS)
        for name, train in (("ours", judge_rl.train_judge), ("trl", trl_engine.train_judge)):
            times = cost(train, config, rl)
            shape = f"{prompts} x {rl.group_size}"
            print(f"{shape:20s} {name:6s} {min(times):8.1f} {median(times):8.1f}")
    print()
    with tempfile.TemporaryDirectory() as folder:
        for part, spent in parts(config, config.judge_rl, folder).items():
            print(f"trl: {part:30s} {spent:8.1f}")


if __name__ == "__main__":
    main()
