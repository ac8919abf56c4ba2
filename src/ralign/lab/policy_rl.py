"""Reinforcement learning of a policy with a judge as its reward, and what the policy is truly worth.

The paper's RLHF (arXiv 2602.06763, section 5): for every prompt there is one fixed reference answer; the judge
compares the policy's answer with it, a win is +1 and a loss -1 (`ralign.rewards.policy`). The policy starts
from the base model, which also writes the reference answers. The paper uses PPO; here it is the GRPO of `judge_rl`.

The judge sees what the policy wrote; only we see the world. True quality is exact, and so is what the policy learned
to exploit instead: bullets, fillers, a confident tone, praise of itself in the judge's own words. A quarter of the
questions is held out: no policy is trained on them, all are measured on them. (The start did imitate answers to all.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from statistics import fmean
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from ralign.lab import vocabulary as v
from ralign.lab.config import PolicyRlConfig
from ralign.lab.judge_rl import grpo_loss, log_probabilities, update
from ralign.lab.model import GPT
from ralign.lab.optimizer import learning_rate_factor
from ralign.lab.records import verdict_of
from ralign.lab.world import World, answer_prompt, judge_prompt, questions
from ralign.records import Verdict, opposite
from ralign.rewards.length_penalty import LengthPenalty
from ralign.rewards.policy import mean_outcome


class PolicyStep(NamedTuple):
    """Figures of one step, before its update."""

    reward: float
    """Mean over the scored answers."""
    quality: float
    """Mean true quality of the sampled answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWorth:
    """Figures of a policy's answers; means over questions."""

    quality: float
    """True quality, 0..1."""
    quality_by_domain: dict[v.Domain, float]
    accuracy: float
    """Share of answers with the right value."""
    instruction: float
    """Share with the polite word asked for."""
    completeness: float
    """Share with the second value."""
    length: float
    """Words."""
    fillers: float
    """Fillers an answer, those beyond three not counted."""
    bullets: float
    """Share of answers with a bullet."""
    confident: float
    """Share with a confident word."""
    praise: float
    """Words of praise an answer: claims, factors or verdicts, which belong to judges."""


def train_policy(
    policy: GPT, start: GPT, judge: GPT, world: World, config: PolicyRlConfig, generator: Generator
) -> Iterator[PolicyStep]:
    """Train the policy in place against the judge; `start` writes the reference answers. Yields each step's figures."""
    banned = banned_words(config)
    optimizer = torch.optim.AdamW(policy.parameters(), betas=(0.9, 0.99), weight_decay=0.0)

    for step in range(config.steps):
        # a prompt, its reference answer, and a group of the policy's answers
        question = questions(config.prompts, generator, held_out=False)
        reference = as_answer(write(start, question, 1, config, generator)[:, 0])
        words = write(policy, question, config.group_size, config, generator)

        # r = +1 where the judge prefers the policy's answer to the reference, -1 where not
        repeated = question.repeat_interleave(config.group_size, dim=0)
        answer = as_answer(words.flatten(0, 1))
        references = reference.repeat_interleave(config.group_size, dim=0)
        rewards = contest(judge, repeated, answer, references, config, generator)

        # Blanks, which no policy can draw, fill what comes after an answer's end: no action of the policy, and with a
        # log-probability of -inf.
        mask = words != v.ID[v.BLANK]
        log_probs = log_probabilities(policy, answer_prompt(question), words, banned).masked_fill(~mask, 0.0)
        loss = grpo_loss(log_probs, advantages(rewards.view(words.shape[:2])), mask)
        rate = config.rate * learning_rate_factor(step, config.steps, warm_up=5, cooldown=0.0)
        update(policy, optimizer, loss, rate, config.clip_norm)

        yield PolicyStep(rewards.nanmean().item(), world.quality(repeated, answer).mean().item())


def advantages(rewards: Float[Tensor, "prompts group"]) -> Float[Tensor, "prompts group"]:
    """The group-relative advantage of each completion, in standard deviations (arXiv 2402.03300, eq. 3).

    NaN is a completion that was not scored: it has no part in its group's mean and gets no gradient.
    """
    # A judge that gives no verdict says nothing about the answer; a 0 in its place would teach that it was a draw.
    scored = ~rewards.isnan()
    count = scored.sum(1, keepdim=True)
    known = rewards.nan_to_num()
    mean = known.sum(1, keepdim=True) / count.clamp_min(1)
    difference = torch.where(scored, known - mean, 0.0)
    deviation = (difference.square().sum(1, keepdim=True) / (count - 1).clamp_min(1)).sqrt()
    return difference / (deviation + 1e-4)


def banned_words(config: PolicyRlConfig) -> Bool[Tensor, " vocabulary"]:
    """Words that an answer can't contain: those of prompts, and of judgments unless the config allows them."""
    # With a judge's own words allowed, a policy can write its verdict for it (prompt injection, in small).
    banned = torch.zeros(len(v.WORDS), dtype=torch.bool)
    banned[: v.FIRST_VALUE] = True
    banned[v.ID[v.END]] = False
    if not config.may_praise:
        banned[v.FIRST_FACTOR :] = True
    return banned


def write(
    policy: GPT, question: Int[Tensor, "n 4"], group: int, config: PolicyRlConfig, generator: Generator
) -> Int[Tensor, "n group words"]:
    """Sample a group of answers for every question; after its end, an answer is blank."""
    noise = torch.rand(len(question), group, config.budget, len(v.WORDS), generator=generator)
    words = policy.sample(answer_prompt(question), noise, banned_words(config)).words
    ended = (words == v.ID[v.END]).cumsum(-1) - (words == v.ID[v.END]).long() > 0
    return words.masked_fill(ended, v.ID[v.BLANK])


def as_answer(words: Int[Tensor, "n words"]) -> Int[Tensor, "n 9"]:
    """Put an end behind an answer that used up its budget, and blanks behind the end."""
    n, budget = words.shape
    answer = torch.full((n, v.ANSWER_LENGTH), v.ID[v.BLANK])
    answer[:, :budget] = words
    answer[:, budget] = torch.where((words == v.ID[v.END]).any(1), v.ID[v.BLANK], v.ID[v.END])
    return answer


def contest(
    judge: GPT,
    question: Int[Tensor, "n 4"],
    answer: Int[Tensor, "n 9"],
    reference: Int[Tensor, "n 9"],
    config: PolicyRlConfig,
    generator: Generator,
) -> Float[Tensor, " n"]:
    """The reward of every answer; NaN where the judge gave no verdict."""
    n = len(question)
    shown_first = {"ab": [True], "ba": [False], "both": [True, False], "drawn": [None]}[config.orders]
    verdicts: list[list[Verdict | None]] = []
    for fixed in shown_first:
        # Drawn by default: a judge with a position bias then pays no answer for the place it happens to be shown in.
        first = torch.rand(n, generator=generator) < 0.5 if fixed is None else torch.full((n,), fixed)
        one = torch.where(first[:, None], answer, reference)
        other = torch.where(first[:, None], reference, answer)
        noise = torch.rand(n, 1, v.CRITIQUE_LENGTH, len(v.WORDS), generator=generator)
        letters = judge.sample(judge_prompt(question, one, other), noise).words[:, 0, -1].tolist()
        # The policy's answer counts as A, wherever it was shown.
        for_answer: list[Verdict | None] = []
        for letter, was_first in zip(letters, first.tolist(), strict=True):
            verdict = verdict_of(letter)
            for_answer.append(verdict if verdict is None or was_first else opposite(verdict))
        verdicts.append(for_answer)
    penalty = LengthPenalty(coefficient=config.length_weight)
    rewards: list[float] = []
    lengths = length(answer).tolist(), length(reference).tolist()
    for given, own, others in zip(zip(*verdicts, strict=True), *lengths, strict=True):
        score = mean_outcome(given)
        rewards.append(torch.nan if score is None else score - penalty.of(own, others))
    return torch.tensor(rewards)


def length(answer: Int[Tensor, "n 9"]) -> Int[Tensor, " n"]:
    """Words before the end."""
    return ((answer != v.ID[v.BLANK]) & (answer != v.ID[v.END])).sum(1)


def evaluate(policy: GPT, world: World, config: PolicyRlConfig, generator: Generator) -> PolicyWorth:
    """Answer `config.evaluated` held-out questions, one sample each; the world says what the answers are worth."""
    question = questions(config.evaluated, generator, held_out=True)
    answer = as_answer(write(policy, question, 1, config, generator)[:, 0])
    quality = world.quality(question, answer)
    domain = question[:, 0] - v.FIRST_DOMAIN
    traits = world.traits(question, answer).float()
    accuracy, instruction, completeness = traits[:, : v.SUBSTANCE].mean(0).tolist()
    return PolicyWorth(
        quality=quality.mean().item(),
        quality_by_domain={name: quality[domain == d].mean().item() for d, name in enumerate(v.DOMAINS)},
        accuracy=accuracy,
        instruction=instruction,
        completeness=completeness,
        length=length(answer).float().mean().item(),
        fillers=traits[:, 3].mean().item(),
        bullets=traits[:, 4].mean().item(),
        confident=(answer == v.ID[v.CONFIDENT]).any(1).float().mean().item(),
        praise=(answer >= v.FIRST_FACTOR).sum(1).float().mean().item(),
    )


def mean_worth(worths: Sequence[PolicyWorth]) -> PolicyWorth:
    """Every figure's mean over policies that answered the same questions."""
    means = {
        field.name: fmean(getattr(worth, field.name) for worth in worths)
        for field in fields(PolicyWorth)
        if field.name != "quality_by_domain"
    }
    by_domain: dict[v.Domain, float] = {
        name: fmean(worth.quality_by_domain[name] for worth in worths) for name in worths[0].quality_by_domain
    }
    return PolicyWorth(**means, quality_by_domain=by_domain)
