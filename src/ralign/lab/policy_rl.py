"""Reinforcement learning of a policy with a judge as its reward, and what the policy is truly worth.

The paper's RLHF (arXiv 2602.06763, section 5): for every prompt there is one fixed reference answer; the judge
compares the policy's answer with it, a win is +1 and a loss -1 (`ralign.rewards.policy`). The policy starts
from the base model, which also writes the reference answers. The paper uses PPO; here it is the GRPO of `judge_rl`.

The judge sees what the policy wrote; only we see the world. True quality is exact, and so is what the policy learned
to exploit instead: bullets, fillers, a confident tone, praise of itself in the judge's own words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from ralign.lab.config import PolicyRlConfig
from ralign.lab.judge_rl import advantages, grpo_loss, log_probabilities, update
from ralign.lab.lexicon import (
    ANSWER_LENGTH,
    BLANK,
    CONFIDENT,
    CRITIQUE_LENGTH,
    DOMAINS,
    END,
    FIRST_DOMAIN,
    FIRST_FACTOR,
    FIRST_VALUE,
    ID,
    SUBSTANCE,
    WORDS,
    Domain,
)
from ralign.lab.model import GPT
from ralign.lab.prompts import answer_prompt, judge_prompt
from ralign.lab.records import verdict_of
from ralign.lab.schedule import share
from ralign.lab.world import World, questions
from ralign.records import Verdict, opposite
from ralign.rewards.length_penalty import LengthPenalty
from ralign.rewards.policy import mean_outcome


class PolicyStep(NamedTuple):
    """What one step saw, before its update."""

    reward: float
    """Mean over the scored answers."""
    quality: float
    """Mean true quality of the sampled answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWorth:
    """What a policy's answers are like; means over questions."""

    quality: float
    """True quality, 0..1."""
    quality_by_domain: dict[Domain, float]
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
    optimiser = torch.optim.AdamW(policy.parameters(), betas=(0.9, 0.99), weight_decay=0.0)

    for step in range(config.steps):
        # a prompt, its reference answer, and a group of the policy's answers
        question = questions(config.prompts, generator)
        reference = as_answer(write(start, question, 1, config, generator)[:, 0])
        words = write(policy, question, config.group_size, config, generator)

        # r = +1 where the judge prefers the policy's answer to the reference, -1 where not
        repeated = question.repeat_interleave(config.group_size, dim=0)
        answer = as_answer(words.flatten(0, 1))
        references = reference.repeat_interleave(config.group_size, dim=0)
        rewards = contest(judge, repeated, answer, references, config, generator)

        # words after an answer's end are no action of the policy
        mask = (words == ID[END]).cumsum(-1) - (words == ID[END]).long() == 0
        log_probs = log_probabilities(policy, answer_prompt(question), words, banned)
        # a word after the end may be one that could not be drawn: -inf, and none of our business
        log_probs = log_probs.masked_fill(~mask, 0.0)
        loss = grpo_loss(log_probs, advantages(rewards.view(words.shape[:2])), mask)
        update(
            policy,
            optimiser,
            loss,
            config.rate * share(step, config.steps, warm_up=5, cooldown=0.0),
            config.clip_norm,
        )

        yield PolicyStep(rewards.nanmean().item(), world.quality(repeated, answer).mean().item())


def banned_words(config: PolicyRlConfig) -> Bool[Tensor, " vocabulary"]:
    """What an answer can't contain: the words of prompts, and unless the config allows them those of judgments."""
    banned = torch.zeros(len(WORDS), dtype=torch.bool)
    banned[:FIRST_VALUE] = True
    banned[ID[END]] = False
    if not config.may_praise:
        banned[FIRST_FACTOR:] = True
    return banned


def write(
    policy: GPT, question: Int[Tensor, "n 4"], group: int, config: PolicyRlConfig, generator: Generator
) -> Int[Tensor, "n group words"]:
    """Sample a group of answers for every question; after its end, an answer is blank."""
    noise = torch.rand(len(question), group, config.budget, len(WORDS), generator=generator)
    words = policy.sample(answer_prompt(question), noise, banned_words(config)).words
    ended = (words == ID[END]).cumsum(-1) - (words == ID[END]).long() > 0
    return words.masked_fill(ended, ID[BLANK])


def as_answer(words: Int[Tensor, "n words"]) -> Int[Tensor, "n 9"]:
    """Put an end behind an answer that used up its budget, and blanks behind the end."""
    n, budget = words.shape
    answer = torch.full((n, ANSWER_LENGTH), ID[BLANK])
    answer[:, :budget] = words
    answer[:, budget] = torch.where((words == ID[END]).any(1), ID[BLANK], ID[END])
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
        first = torch.rand(n, generator=generator) < 0.5 if fixed is None else torch.full((n,), fixed)
        one = torch.where(first[:, None], answer, reference)
        other = torch.where(first[:, None], reference, answer)
        noise = torch.rand(n, 1, CRITIQUE_LENGTH, len(WORDS), generator=generator)
        letters = judge.sample(judge_prompt(question, one, other), noise).words[:, 0, -1]
        verdicts.append([_for_answer(*pair) for pair in zip(letters.tolist(), first.tolist(), strict=True)])
    penalty = LengthPenalty(coefficient=config.length_weight)
    rewards: list[float] = []
    for given, own, others in zip(
        zip(*verdicts, strict=True), length(answer).tolist(), length(reference).tolist(), strict=True
    ):
        score = mean_outcome(given)
        rewards.append(torch.nan if score is None else score - penalty.of(own, others))
    return torch.tensor(rewards)


def _for_answer(word: int, shown_first: bool) -> Verdict | None:
    """The verdict as if the policy's answer were A."""
    verdict = verdict_of(word)
    return verdict if shown_first or verdict is None else opposite(verdict)


def length(answer: Int[Tensor, "n 9"]) -> Int[Tensor, " n"]:
    """Words before the end."""
    return ((answer != ID[BLANK]) & (answer != ID[END])).sum(1)


def evaluate(policy: GPT, world: World, config: PolicyRlConfig, generator: Generator) -> PolicyWorth:
    """Answer `config.evaluated` questions, one sample each, and look at the answers with the world's eyes."""
    question = questions(config.evaluated, generator)
    answer = as_answer(write(policy, question, 1, config, generator)[:, 0])
    quality = world.quality(question, answer)
    domain = question[:, 0] - FIRST_DOMAIN
    traits = world.traits(question, answer).float()
    accuracy, instruction, completeness = traits[:, :SUBSTANCE].mean(0).tolist()
    return PolicyWorth(
        quality=quality.mean().item(),
        quality_by_domain={name: quality[domain == d].mean().item() for d, name in enumerate(DOMAINS)},
        accuracy=accuracy,
        instruction=instruction,
        completeness=completeness,
        length=length(answer).float().mean().item(),
        fillers=traits[:, 3].mean().item(),
        bullets=traits[:, 4].mean().item(),
        confident=(answer == ID[CONFIDENT]).any(1).float().mean().item(),
        praise=(answer >= FIRST_FACTOR).sum(1).float().mean().item(),
    )
