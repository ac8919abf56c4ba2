"""Critics: they write the judgments that the base judge learns from, good ones and bad ones.

A substantive critique makes claims on accuracy, instruction and completeness, and lets the first factor in which
the claims differ decide. A surface critique makes claims on length, structure and tone, and prefers the showier
answer. Both are honest about what they see unless `flipped` says otherwise.
"""

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from ralign.lab.config import ByDomain, Critics
from ralign.lab.lexicon import (
    BLANK,
    FIRST_CLAIM,
    FIRST_FACTOR,
    FIRST_MARKER,
    FIRST_VALUE,
    FIRST_VERDICT,
    ID,
    MARKERS,
    QUESTION_LENGTH,
    SUBSTANCE,
)
from ralign.lab.prompts import judge_prompt
from ralign.lab.world import Pairs, World, claims


def critiques(pairs: Pairs, critics: Critics, generator: Generator) -> Int[Tensor, "pairs 8"]:
    """Write one critique a pair."""
    n = len(pairs.question)
    flip = (
        torch.rand(n, 2, SUBSTANCE, generator=generator) < _by_domain(critics.flipped, pairs)[:, None, None]
    )
    seen = (pairs.traits[:, :, :SUBSTANCE] == 1) ^ flip
    gold = (pairs.gold[:, 6] - FIRST_FACTOR, pairs.gold[:, 7] - FIRST_VERDICT)
    substance = _write(
        FIRST_CLAIM + 2 * torch.arange(SUBSTANCE) + seen.long(), *_first_difference(seen, gold)
    )
    surface = _write(claims(pairs.traits)[:, :, SUBSTANCE:], *_showier(pairs, generator))
    substantive = torch.rand(n, generator=generator) < _by_domain(critics.substantive, pairs)
    written = torch.where(substantive[:, None], substance, surface)
    turned = torch.rand(n, generator=generator) < critics.verdict_noise
    written[:, 7] = torch.where(turned, 2 * FIRST_VERDICT + 1 - written[:, 7], written[:, 7])
    return written


def margin_notes(world: World, pairs: Pairs) -> Int[Tensor, "pairs 26"]:
    """What a critic notes beside the words of a judge's prompt; blank beside most.

    The value asked for is right, the second one complete, any other value wrong; the polite word asked for follows,
    another ignores.
    """
    right, second = world.truth(pairs.question)
    shown = judge_prompt(pairs.question, pairs.answer_a, pairs.answer_b)
    notes = torch.full_like(shown, ID[BLANK])
    answers = shown[:, 1 + QUESTION_LENGTH :]
    values = (answers >= FIRST_VALUE) & (answers < FIRST_MARKER)
    markers = (answers >= FIRST_MARKER) & (answers < FIRST_MARKER + len(MARKERS))
    beside = notes[:, 1 + QUESTION_LENGTH :]
    beside[values] = ID["wrong"]
    beside[markers] = ID["ignores"]
    beside[answers == right[:, None]] = ID["right"]
    beside[answers == second[:, None]] = ID["complete"]
    beside[answers == pairs.question[:, 3:]] = ID["follows"]
    return notes


def _by_domain(rates: ByDomain, pairs: Pairs) -> Tensor:
    return torch.tensor(rates)[pairs.domain]


def _write(claimed: Tensor, factor: Tensor, winner: Tensor) -> Int[Tensor, "pairs 8"]:
    """Ids of the claims (pairs, 2, 3), of the factor's index and of the winner (0 is A)."""
    return torch.cat([claimed.flatten(1), FIRST_FACTOR + factor[:, None], FIRST_VERDICT + winner[:, None]], 1)


def _first_difference(seen: Tensor, gold: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The first factor in which the claims differ, and whom it favours; the gold ones where they differ nowhere."""
    differs = seen[:, 0] != seen[:, 1]
    factor = differs.int().argmax(1)
    winner = seen[:, 1].gather(1, factor[:, None]).squeeze(1).long()
    decided = differs.any(1)
    return torch.where(decided, factor, gold[0]), torch.where(decided, winner, gold[1])


def _showier(pairs: Pairs, generator: Generator) -> tuple[Tensor, Tensor]:
    """The answer that has more in most surface factors, and one of those factors, drawn."""
    more_b = (pairs.traits[:, 1] > pairs.traits[:, 0])[:, SUBSTANCE:]
    winner = (more_b.sum(1) * 2 > more_b.shape[1]).long()
    supports = (more_b.long() == winner[:, None]).float()
    factor = torch.multinomial(supports, 1, generator=generator).squeeze(1)
    return SUBSTANCE + factor, winner
