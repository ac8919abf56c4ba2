"""Reinforcement learning of the judge: R-Align and its baselines, the whole method in one loop.

The paper (arXiv 2602.06763, section 4) trains a judge that reads a conversation x and two answers y_A, y_B, and
writes a rationale o and a verdict l-hat. Two judges start from the same weights, see the same pairs and differ in
one factor of the reward alone:

    outcome-only    r = [l-hat = l]
    R-Align         r = [l-hat = l] * [m = aligned],   m = MetaJudge(x, y_A, y_B, o*, o)

The rewards are those of `ralign.rewards`, which training of real models uses too. The paper optimises with PPO; here it
is GRPO (arXiv 2402.03300): the baseline is the mean of a group of judgments of one pair, which needs no critic network.
Every rollout is used for one update, so the policy ratio is 1, nothing is clipped, and there is no KL term.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from ralign.lab.config import ArmConfig, ByDomain, JudgeRlConfig
from ralign.lab.lexicon import CRITIQUE_LENGTH, WORDS
from ralign.lab.meta_judge import ExactMetaJudge
from ralign.lab.model import GPT
from ralign.lab.prompts import judge_prompt
from ralign.lab.schedule import share
from ralign.lab.scoring import reward_of, score
from ralign.lab.world import World


class JudgeStep(NamedTuple):
    """What one step saw, before its update."""

    reward: float
    """Mean over the scored judgments."""
    label_accuracy: float
    """Share of right verdicts."""
    aligned: float
    """Share of judgments, right or wrong, that the training's meta-judge calls aligned."""


def train_judge(
    judge: GPT, world: World, arm: ArmConfig, config: JudgeRlConfig, showy: ByDomain, generator: Generator
) -> Iterator[JudgeStep]:
    """Train the judge in place on pairs drawn as it goes; yields each step's figures."""
    meta_judge = ExactMetaJudge(error_rate=arm.meta_error, seed=generator.initial_seed())
    reward = reward_of(arm)
    optimiser = torch.optim.AdamW(judge.parameters(), betas=(0.9, 0.99), weight_decay=0.0)

    steps = config.steps if arm.steps is None else arm.steps
    for step in range(steps):
        # x, y_A, y_B, with l and o* in pairs.gold
        pairs = world.pairs(config.prompts, showy, generator)
        prompt = judge_prompt(pairs.question, pairs.answer_a, pairs.answer_b)

        # (o, l-hat) ~ judge(x, y_A, y_B), a group for each pair; the prompt is computed once for the group
        noise = torch.rand(
            config.prompts, config.group_size, CRITIQUE_LENGTH, len(WORDS), generator=generator
        )
        judgments = judge.sample(prompt, noise).words

        # r and m, one for each judgment
        rewards, aligned = score(pairs, judgments, meta_judge, reward)

        # A = (r - mean of the group) / standard deviation of the group
        loss = grpo_loss(log_probabilities(judge, prompt, judgments), advantages(rewards))
        rate = config.rate * share(step, steps, warm_up=5, cooldown=config.cooldown)
        update(judge, optimiser, loss, rate, config.clip_norm)

        right = judgments[..., -1] == pairs.gold[:, None, -1]
        yield JudgeStep(rewards.nanmean().item(), right.float().mean().item(), aligned.float().mean().item())


def advantages(rewards: Float[Tensor, "prompts group"]) -> Float[Tensor, "prompts group"]:
    """How much better than its siblings each completion is, in standard deviations of the group (GRPO, eq. 3).

    NaN is a completion that was not scored: it has no part in its group's mean and gets no gradient. A group whose
    scored members all earned the same teaches nothing.
    """
    scored = ~rewards.isnan()
    count = scored.sum(1, keepdim=True)
    known = rewards.nan_to_num()
    mean = known.sum(1, keepdim=True) / count.clamp_min(1)
    difference = torch.where(scored, known - mean, 0.0)
    deviation = (difference.square().sum(1, keepdim=True) / (count - 1).clamp_min(1)).sqrt()
    return difference / (deviation + 1e-4)


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
    """The policy gradient loss, mean over words (those that the mask keeps).

    The ratio of the new to the old policy is 1 here and its gradient that of the log-probability; it is written as
    a ratio so that the value is that of GRPO's surrogate (arXiv 2402.03300, eq. 3, without clipping and KL).
    """
    ratio = (log_probs - log_probs.detach()).exp()
    gain = ratio * advantage[..., None]
    return -gain.mean() if mask is None else -(gain * mask).sum() / mask.sum()


def update(
    model: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, rate: float, clip_norm: float
) -> None:
    """One step down the loss, with a gradient no longer than `clip_norm`."""
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
