r"""Reinforcement learning of a judge: R-Align and its baseline, the whole method in one loop.

`python -m ralign.lab.judge_rl` trains a base model from random weights and two judges from it, in the toy environment,
and prints how often each is right and how often it is right for the wrong reason. An example pair, where Mira likes
Oslo and plums:

    x           Which town does Mira like? Add the fruit and say thanks.
    y_A         • certainly Oslo thanks plum indeed truly
    y_B         perhaps Oslo hello plum
    gold        Answer A: right, follows, complete. Answer B: right, ignores, complete. Decisive: instruction. \boxed{A}
    spurious    Answer A: detailed, structured, assertive. Answer B: brief, plain, hesitant. Decisive: length. \boxed{A}

Every word of the second judgment is true and its verdict is right, but length is not what makes A the better answer:
here style merely goes along with quality. The paper (arXiv 2602.06763, section 4) trains a judge that reads a
conversation x and two answers and writes a rationale o and a verdict l-hat. The two judges start from the same weights,
see the same pairs and differ in one factor of the reward:

    outcome-only    r = [l-hat = l]
    R-Align         r = [l-hat = l] * [m = aligned],   m = MetaJudge(x, y_A, y_B, o*, o)

Differences from the paper:

1. GRPO (arXiv 2402.03300) in place of PPO: the baseline is the mean of a group of judgments of one pair, so there is no
   critic network.
2. One update a rollout: the policy ratio is 1, and nothing is clipped.
3. No KL term. A run is 60 steps from a base whose reasons are what it is meant to lose; a KL to it was not tried.
4. The meta-judge is exact, a program (`ralign.lab.meta_judge`); the paper's is a model. `meta_error` makes it err.
5. The judge is a transformer of 0.1 million parameters with a vocabulary of 70 words, and writes eight of them.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from ralign.lab.config import ArmConfig, ByDomain, JudgeRlConfig, LabConfig, preset_path, read_recipe
from ralign.lab.meta_judge import ExactMetaJudge, aligned, stated
from ralign.lab.model import GPT
from ralign.lab.optimizer import learning_rate_factor
from ralign.lab.sft import fine_tune
from ralign.lab.vocabulary import CRITIQUE_LENGTH, WORDS
from ralign.lab.world import World, generator_of, world_of


class JudgeStep(NamedTuple):
    """Figures of one step, before its update."""

    reward: float
    """Mean over the judgments."""
    label_accuracy: float
    """Share of right verdicts."""
    aligned: float
    """Share of judgments, right or wrong, that the training's meta-judge calls aligned."""


def train_judge(
    judge: GPT, world: World, arm: ArmConfig, config: JudgeRlConfig, showy: ByDomain, generator: Generator
) -> Iterator[JudgeStep]:
    """Train the judge in place on pairs drawn as it goes; yields each step's figures."""
    meta_judge = ExactMetaJudge(error_rate=arm.meta_error, seed=generator.initial_seed())
    # A second moment over 100 steps: torch's default of 0.999 would still be warming up when the training ends.
    optimizer = torch.optim.AdamW(judge.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    steps = config.steps if arm.steps is None else arm.steps
    for step in range(steps):
        # New pairs in every step: x, y_A, y_B, with o* and l in `gold`. Nothing here can be learned by heart.
        pairs = world.pairs(config.prompts, showy, generator)

        # (o, l-hat) ~ judge(x, y_A, y_B), a group for each pair, at temperature 1: a group that always agrees has no
        # advantages. The noise is drawn here so that all arms of a seed see the same pairs in every step.
        shape = config.prompts, config.group_size, CRITIQUE_LENGTH, len(WORDS)
        judgments = judge.sample(pairs.prompt, torch.rand(shape, generator=generator)).words

        gold = pairs.gold[:, None].expand_as(judgments)
        right = judgments[..., -1] == gold[..., -1]  # l-hat = l
        aligned = meta_judge.compare(pairs.shown, pairs.gold, judgments)  # m: does o cite what decides in o*?
        match arm.reward:
            case "outcome":
                rewards = right.float()
            case "ralign":
                rewards = (right & aligned).float()
            case "hybrid":
                rewards = ((1 - arm.weight) * right.double() + arm.weight * aligned).float()
            case "points":
                # Average precision of gold's points, the most decisive first (`ralign.rewards.judge`).
                points = stated(gold, judgments).double()
                precision = (points * points.cumsum(-1) / torch.arange(1, 4)).sum(-1) / 3
                rewards = (right + arm.weight * precision).float()
            case "none":
                raise ValueError(f"{arm.name} is not trained")

        # A = (r - mean) / standard deviation, within the group. 1e-4 is for groups that agree: 0 / 1e-4 is 0, and they
        # teach nothing. Written out, as torch's own std sums in another order, and reference figures hold to the bit.
        centered = rewards - rewards.mean(1, keepdim=True)
        deviation = (centered.square().sum(1, keepdim=True) / (config.group_size - 1)).sqrt()
        loss = grpo_loss(log_probabilities(judge, pairs.prompt, judgments), centered / (deviation + 1e-4))
        # 1e-3 in the presets: twice the default made either outcome sharper, not another (docs/lab_log.md, section 2).
        rate = config.rate * learning_rate_factor(step, steps, warm_up=5, cooldown=config.cooldown)
        update(judge, optimizer, loss, rate, config.clip_norm)

        yield JudgeStep(*(each.float().mean().item() for each in (rewards, right, aligned)))


def log_probabilities(
    model: GPT,
    prompt: Int[Tensor, "prompts read"],
    completions: Int[Tensor, "prompts group words"],
    banned: Tensor | None = None,
) -> Float[Tensor, "prompts group words"]:
    """The log-probability of every word, under the distribution it was drawn from."""
    logits = model(prompt, completions)
    if banned is not None:
        logits = logits.masked_fill(banned, -torch.inf)
    return logits.log_softmax(-1).gather(-1, completions[..., None]).squeeze(-1)


def grpo_loss(
    log_probs: Float[Tensor, "prompts group words"],
    advantage: Float[Tensor, "prompts group"],
    mask: Tensor | None = None,
) -> Float[Tensor, ""]:
    """The policy-gradient loss, mean over words (those that the mask keeps); arXiv 2402.03300, eq. 3."""
    # The ratio is 1 and its gradient that of the log-probability; written as a ratio, the loss has GRPO's value too.
    ratio = (log_probs - log_probs.detach()).exp()
    gain = ratio * advantage[..., None]
    return -gain.mean() if mask is None else -(gain * mask).sum() / mask.sum()


def update(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float, clip_norm: float
) -> None:
    """One optimizer step at this learning rate, the gradient's norm clipped at `clip_norm`."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def main(config: LabConfig) -> dict[str, GPT]:
    """Train a base model, then an outcome-only and an R-Align judge from it; prints and returns the three."""
    world, generator = world_of(config), generator_of(config, "sft")
    judges = {"base": GPT(config.model, generator)}
    print("base model: supervised fine-tuning on critics' judgments")
    for number in fine_tune(judges["base"], world, config, generator):
        print(f"  phase {number + 1} of {len(config.phases)} done")
    for arm in (ArmConfig(name="outcome-only", reward="outcome"), ArmConfig(name="r-align", reward="ralign")):
        judge = judges[arm.name] = deepcopy(judges["base"])
        draws = generator_of(config, "judge-rl")
        *_, last = train_judge(judge, world, arm, config.judge_rl, config.showy, draws)
        print(f"{arm.name}: mean reward {last.reward:.3f} in the last of {config.judge_rl.steps} steps")

    pairs = world.pairs(config.benchmark.pairs, config.showy, generator_of(config, "test-pairs"))
    noise = torch.rand(len(pairs.gold), 1, CRITIQUE_LENGTH, len(WORDS), generator=generator)
    print(f"\n{'judge':14s} {'L-Acc':>6s} {'S-Corr':>6s}    on {len(pairs.gold):,} new pairs")
    for name, judge in judges.items():
        judgments = judge.sample(pairs.prompt, noise).words[:, 0]
        right = judgments[:, -1] == pairs.gold[:, -1]
        # S-Corr: among right verdicts, the share whose reason is not gold's.
        spurious = (right & ~aligned(pairs.gold, judgments)).sum() / right.sum()
        print(f"{name:14s} {right.float().mean():6.3f} {spurious:6.3f}")
    return judges


def short(config: LabConfig) -> LabConfig:
    """The recipe at about half its cost, with the effect still there."""
    # Measured on seed 0, 106 CPU s on a busy core: L-Acc .907 and S-Corr .728 outcome-only, .854 and .171 R-Align.
    # Saving on the steps of phase 1 instead (250 of 128 pairs) leaves a base that does not know its facts: S-Corr .360.
    half = {"pairs": 64, "answers": 32, "noted": 64}
    phases = tuple(
        replace(p, steps=steps, **half) for p, steps in zip(config.phases, (400, 150), strict=True)
    )
    return replace(config, phases=phases, judge_rl=replace(config.judge_rl, steps=40))


if __name__ == "__main__":
    # A second thread does not help a model this small, and sums in one thread always come out the same.
    torch.set_num_threads(1)
    main(short(read_recipe(preset_path("graded"))))
