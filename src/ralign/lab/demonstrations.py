"""Demonstrations: the judgments that critics write for the base judge to imitate, good ones and bad ones.

A substantive critique makes claims on accuracy, instruction and completeness, and lets the first factor in which
the claims differ decide. A surface critique makes claims on length, structure and tone, and prefers the showier
answer. Both are honest about what they see unless `flipped` says otherwise.
"""

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from ralign.lab import vocabulary as v
from ralign.lab.config import Critics
from ralign.lab.world import Pairs, World, claims


def critiques(pairs: Pairs, critics: Critics, generator: Generator) -> Int[Tensor, "pairs 8"]:
    """Write one critique a pair."""
    n = len(pairs.question)
    flipped = torch.tensor(critics.flipped)[pairs.domain]
    flip = torch.rand(n, 2, v.SUBSTANCE, generator=generator) < flipped[:, None, None]
    seen = (pairs.traits[:, :, : v.SUBSTANCE] == 1) ^ flip
    differs = seen[:, 0] != seen[:, 1]
    factor = differs.int().argmax(1)
    favors = seen[:, 1].gather(1, factor[:, None]).squeeze(1).long()
    # Flips may leave claims that differ nowhere; gold's factor and verdict keep such a critique from being noise.
    decided = differs.any(1)
    factor = torch.where(decided, factor, pairs.gold[:, 6] - v.FIRST_FACTOR)
    winner = torch.where(decided, favors, pairs.gold[:, 7] - v.FIRST_VERDICT)
    substance = _write(v.FIRST_CLAIM + 2 * torch.arange(v.SUBSTANCE) + seen.long(), factor, winner)

    # A surface critic cites one of the factors in which the answer that it prefers has more, drawn.
    winner = showier(pairs)
    supports = (pairs.traits[:, 1] > pairs.traits[:, 0])[:, v.SUBSTANCE :].long() == winner[:, None]
    factor = v.SUBSTANCE + torch.multinomial(supports.float(), 1, generator=generator).squeeze(1)
    surface = _write(claims(pairs.traits)[:, :, v.SUBSTANCE :], factor, winner)

    substantive = torch.rand(n, generator=generator) < torch.tensor(critics.substantive)[pairs.domain]
    written = torch.where(substantive[:, None], substance, surface)
    turned = torch.rand(n, generator=generator) < critics.verdict_noise
    written[:, 7] = torch.where(turned, 2 * v.FIRST_VERDICT + 1 - written[:, 7], written[:, 7])
    return written


def margin_notes(world: World, pairs: Pairs) -> Int[Tensor, "pairs 26"]:
    """Notes of a critic beside the words of a judge's prompt; blank beside most.

    The value asked for is right, the second one complete, any other value wrong; the polite word asked for follows,
    another ignores.
    """
    right, second = world.truth(pairs.question)
    shown = pairs.prompt
    notes = torch.full_like(shown, v.ID[v.BLANK])
    answers = shown[:, 1 + v.QUESTION_LENGTH :]
    values = (answers >= v.FIRST_VALUE) & (answers < v.FIRST_MARKER)
    markers = (answers >= v.FIRST_MARKER) & (answers < v.FIRST_MARKER + len(v.MARKERS))
    beside = notes[:, 1 + v.QUESTION_LENGTH :]
    beside[values] = v.ID["wrong"]
    beside[markers] = v.ID["ignores"]
    beside[answers == right[:, None]] = v.ID["right"]
    beside[answers == second[:, None]] = v.ID["complete"]
    beside[answers == pairs.question[:, 3:]] = v.ID["follows"]
    return notes


def showier(pairs: Pairs) -> Int[Tensor, " pairs"]:
    """The answer that has more in most surface factors: 0 is A, 1 is B."""
    more_b = (pairs.traits[:, 1] > pairs.traits[:, 0])[:, v.SUBSTANCE :]
    return (more_b.sum(1) * 2 > more_b.shape[1]).long()


def _write(claimed: Tensor, factor: Tensor, winner: Tensor) -> Int[Tensor, "pairs 8"]:
    """Ids of the claims (pairs, 2, 3), of the factor's index and of the winner (0 is A)."""
    return torch.cat(
        [claimed.flatten(1), v.FIRST_FACTOR + factor[:, None], v.FIRST_VERDICT + winner[:, None]], 1
    )
