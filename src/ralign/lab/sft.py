"""Supervised fine-tuning: random weights -> the base model, which can judge and answer.

In phases (`PhaseConfig`): first critics that see well, from whom the model learns the facts; then imperfect
critics, as crowds and models are, from whom it learns to judge. Beside the critiques it learns to answer, from
answers of middling quality.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F  # noqa: N812 (everyone's name for it)
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ralign.lab.config import LabConfig, PhaseConfig
from ralign.lab.demonstrations import critiques, margin_notes
from ralign.lab.model import GPT
from ralign.lab.optimizer import Muon, learning_rate_factor
from ralign.lab.vocabulary import BLANK, ID, SUBSTANCE
from ralign.lab.world import World, answer_prompt


def fine_tune(
    model: GPT,
    world: World,
    config: LabConfig,
    generator: Generator,
    progress: Callable[[int, int, float], None] = lambda phase, step, loss: None,
) -> Iterator[int]:
    """Train the model in place; yields each phase's number when it is done.

    `progress` is called with the phase, the step and the loss (nats) after every optimizer step.
    """
    for number, phase in enumerate(config.phases):
        # Fresh optimizers: a phase has learning rates and weight decay of its own.
        muon = Muon(model.blocks.parameters(), weight_decay=phase.weight_decay)
        rest = [*model.words.parameters(), *model.places.parameters(), *model.head.parameters()]
        adamw = torch.optim.AdamW(rest, lr=phase.rate_rest, betas=(0.9, 0.95), weight_decay=0.0)
        for step in range(phase.steps):
            loss = critique_loss(model, world, phase, generator)
            loss = loss + 0.5 * answer_loss(model, world, config, phase.answers, generator)
            loss.backward()
            factor = learning_rate_factor(step, phase.steps, warm_up=10, cooldown=phase.cooldown)
            muon.step(phase.rate_matrices * factor)
            for group in adamw.param_groups:
                group["lr"] = phase.rate_rest * factor
            adamw.step()
            adamw.zero_grad()
            progress(number, step, loss.item())
        yield number


def critique_loss(model: GPT, world: World, phase: PhaseConfig, generator: Generator) -> Float[Tensor, ""]:
    """Mean cross-entropy of the critics' words, nats."""
    pairs = world.pairs(phase.pairs, phase.showy, generator)
    written = critiques(pairs, phase.critics, generator)
    prompt = pairs.prompt
    loss = _cross_entropy(model, prompt, written)
    # Facts are slow to learn from verdicts on complete answers. So critics also make notes in the margin, beside every
    # value and polite word, and the first block is trained to make the same: without them, one seed in three does not
    # know its facts by the end of the phase.
    if phase.noted:
        prompt, noted = prompt[: phase.noted], margin_notes(world, pairs)[: phase.noted]
        logits = model.notes(prompt)
        loss = loss + 0.5 * F.cross_entropy(logits.flatten(0, 1), noted.flatten(), ignore_index=ID[BLANK])
    return loss


def answer_loss(
    model: GPT, world: World, config: LabConfig, answers: int, generator: Generator
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the answers' words, nats."""
    question, answer = middling_answers(world, config, answers, generator)
    return _cross_entropy(model, answer_prompt(question), answer)


def middling_answers(
    world: World, config: LabConfig, n: int, generator: Generator
) -> tuple[Int[Tensor, "n 4"], Int[Tensor, "n 9"]]:
    """Questions, and answers that have each substantial trait as often as `answer_quality` says."""
    # Middling: from a start that answers perfectly, a policy could only get worse.
    pairs = world.pairs(n, config.showy, generator)
    quality = torch.tensor(config.answer_quality)[pairs.domain][:, None]
    substance = (torch.rand(n, SUBSTANCE, generator=generator) < quality).long()
    traits = torch.cat([substance, pairs.traits[:, 0, SUBSTANCE:]], dim=1)
    return pairs.question, world.answers(pairs.question, traits, generator)


def _cross_entropy(
    model: GPT, prompt: Int[Tensor, "n read"], completion: Int[Tensor, "n words"]
) -> Float[Tensor, ""]:
    logits = model(prompt, completion[:, None])
    return F.cross_entropy(logits.flatten(0, 2), completion.flatten(), ignore_index=ID[BLANK])
