"""Where a step of the lab's RL spends its time, and how far it is from the model's own floor.

The floor is what no RL loop on this model can do without: one forward and backward pass over the step's tokens, with
the prompt computed once for its group. For the policy a forward pass of the judge over all contests is added. One
thread; the least of several repetitions, as the rest is other work on the machine.

    PYTHONPATH=src python benchmarks/lab_step.py
"""

import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor

from ralign.lab.config import LabConfig, preset_path, read_recipe
from ralign.lab.judge_rl import grpo_loss, log_probabilities, train_judge
from ralign.lab.meta_judge import ExactMetaJudge
from ralign.lab.model import GPT
from ralign.lab.policy_rl import as_answer, contest, train_policy, write
from ralign.lab.vocabulary import CRITIQUE_LENGTH, WORDS
from ralign.lab.world import World, answer_prompt, judge_prompt, questions

REPETITIONS = 15


def milliseconds(act: Callable[[], object]) -> float:
    """The least CPU time over the repetitions, after one to warm up."""
    act()
    times: list[float] = []
    for _ in range(REPETITIONS):
        started = time.process_time()
        act()
        times.append(time.process_time() - started)
    return 1000 * min(times)


def forward_and_backward(model: GPT, prompt: Tensor, completions: Tensor) -> None:
    """Mean log-probability of the completions and its gradient: no reward, no optimizer, nothing sampled."""
    log_probabilities(model, prompt, completions).mean().backward()
    model.zero_grad()


def judge_step(config: LabConfig, model: GPT, world: World, generator: Generator) -> dict[str, float]:
    """The parts of a step of the judge's training, in milliseconds."""
    rl = replace(config.judge_rl, steps=REPETITIONS + 2, rate=0.0)
    arm = next(arm for arm in config.arms if arm.reward == "ralign")
    training = train_judge(model, world, arm, rl, config.showy, generator)
    pairs = world.pairs(rl.prompts, config.showy, generator)
    prompt = pairs.prompt
    shape = (rl.prompts, rl.group_size, CRITIQUE_LENGTH, len(WORDS))
    noise = torch.rand(shape, generator=generator)
    judgments = model.sample(prompt, noise).words
    meta_judge = ExactMetaJudge()
    advantage = torch.randn(rl.prompts, rl.group_size, generator=generator)
    return {
        "whole step": milliseconds(lambda: next(training)),
        "draw pairs and noise": milliseconds(
            lambda: (world.pairs(rl.prompts, config.showy, generator), torch.rand(shape, generator=generator))
        ),
        "sample": milliseconds(lambda: model.sample(prompt, noise)),
        "meta-judge": milliseconds(lambda: meta_judge.compare(pairs.shown, pairs.gold, judgments)),
        "loss and gradient": milliseconds(
            lambda: grpo_loss(log_probabilities(model, prompt, judgments), advantage).backward()
        ),
        "floor": milliseconds(lambda: forward_and_backward(model, prompt, judgments)),
    }


def policy_step(config: LabConfig, model: GPT, world: World, generator: Generator) -> dict[str, float]:
    """The parts of a step of the policy's training, in milliseconds."""
    rl = replace(config.policy_rl, steps=REPETITIONS + 2, rate=0.0)
    training = train_policy(model, model, model, world, rl, generator)
    question = questions(rl.prompts, generator)
    words = write(model, question, rl.group_size, rl, generator)
    answer = as_answer(words.flatten(0, 1))
    asked = question.repeat_interleave(rl.group_size, dim=0)
    shown = judge_prompt(asked, answer, answer)
    critique = torch.zeros(len(asked), 1, CRITIQUE_LENGTH, dtype=torch.int64)

    @torch.no_grad()
    def judged() -> None:
        log_probabilities(model, shown, critique)

    return {
        "whole step": milliseconds(lambda: next(training)),
        "write answers": milliseconds(lambda: write(model, question, rl.group_size, rl, generator)),
        "contests": milliseconds(lambda: contest(model, asked, answer, answer, rl, generator)),
        "loss and gradient": milliseconds(
            lambda: forward_and_backward(model, answer_prompt(question), words)
        ),
        "floor": milliseconds(
            lambda: (forward_and_backward(model, answer_prompt(question), words), judged())
        ),
    }


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    config = read_recipe(preset_path("graded"))
    generator = Generator().manual_seed(0)
    model, world = GPT(config.model, generator), World.draw(generator)
    for name, measured in (("judge", judge_step), ("policy", policy_step)):
        parts = measured(config, model, world, generator)
        print(f"\n{name}: {parts['whole step'] / parts['floor']:.2f} times the floor")
        for part, cost in parts.items():
            print(f"  {part:22s} {cost:7.1f} ms")


if __name__ == "__main__":
    main()
