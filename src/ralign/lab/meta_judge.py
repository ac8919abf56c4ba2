"""The exact meta-judge: a program, as the gold rationale and the judge's share one small language.

A judgment is aligned with gold if it cites the gold decisive factor and what it claims about that factor is true
of both answers. `ExactMetaJudge` compares tensors (RL) and records (the benchmark).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ralign.lab.records import shown_ids
from ralign.lab.tokenizer import CRITIQUE
from ralign.lab.vocabulary import CLAIMS, FACTORS, FIRST_CLAIM, FIRST_FACTOR, FIRST_VERDICT, WORDS
from ralign.lab.world import claims
from ralign.records import GoldPoint, Judgment, MetaJudgment, PreferencePair


def stated(gold: Int[Tensor, "*n 8"], critique: Int[Tensor, "*n 8"]) -> Bool[Tensor, "*n 3"]:
    """Gold's three decisive points, and whether each critique states them.

    They are: this factor decides; A has it, or has it not; B likewise. A point on A or B counts as stated only if
    nothing in the critique contradicts it.
    """
    factor = (gold[..., 6] - FIRST_FACTOR)[..., None, None]
    made = critique[..., :6].unflatten(-1, (2, 3))
    true = gold[..., :6].unflatten(-1, (2, 3)).gather(-1, factor.expand(*factor.shape[:-2], 2, 1))
    about = (made - FIRST_CLAIM).div(2, rounding_mode="floor") == factor
    # A claim beside its own opposite states nothing: else a judge could cite both and be right either way.
    told = (made == true).any(-1) & ~(about & (made != true)).any(-1)
    return torch.cat([(critique[..., 6] == gold[..., 6])[..., None], told], dim=-1)


def aligned(gold: Int[Tensor, "*n 8"], critique: Int[Tensor, "*n 8"]) -> Bool[Tensor, "*n"]:
    """Whether each critique states all of gold's decisive points."""
    return stated(gold, critique).all(-1)


def true_claims(traits: Int[Tensor, "n 2 6"], critique: Int[Tensor, "n 8"]) -> Bool[Tensor, "n 2 3"]:
    """Whether each of the claims is true of the answer it is about. What is no claim is not true."""
    made = critique[:, :6].unflatten(1, (2, 3))
    place = made - FIRST_CLAIM
    is_claim = (place >= 0) & (place < 2 * len(CLAIMS))
    truth = claims(traits).gather(2, place.div(2, rounding_mode="floor").clamp(0, len(FACTORS) - 1))
    return is_claim & (truth == made)


def chance(seed: int, key: Int[Tensor, "n ids"]) -> Float[Tensor, " n"]:
    """A number in 0..1 for each row of ids, always the same one: a hash, not a generator.

    The finalizer of splitmix64 (Steele, Lea and Flood 2014), once for each id.
    """
    # torch has no unsigned 64-bit arithmetic: constants wrap into int64, and a mask undoes the shift's sign extension.
    step, one, two = (
        constant - (1 << 64) if constant >> 63 else constant
        for constant in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
    )
    x = torch.full((len(key),), seed, dtype=torch.int64)
    for column in key.T:
        x = x + column + 1 + step
        x = (x ^ (x >> 30 & (1 << 34) - 1)) * one
        x = (x ^ (x >> 27 & (1 << 37) - 1)) * two
        x = x ^ (x >> 31 & (1 << 33) - 1)
    return (x >> 11 & (1 << 53) - 1).double() / (1 << 53)


def swapped(critique: Int[Tensor, "n 8"]) -> Int[Tensor, "n 8"]:
    """The same judgment with A and B exchanged: claims and verdict."""
    verdict = 2 * FIRST_VERDICT + 1 - critique[:, 7:]
    return torch.cat([critique[:, 3:6], critique[:, :3], critique[:, 6:7], verdict], dim=1)


def gold_points(gold: Sequence[int]) -> tuple[str, str, str]:
    """Gold's three decisive points in words."""
    factor = gold[6] - FIRST_FACTOR
    return f"decisive: {WORDS[gold[6]]}", f"A: {WORDS[gold[factor]]}", f"B: {WORDS[gold[3 + factor]]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactMetaJudge:
    """Compares rationales with gold rationales; never fails on the toy environment's own text."""

    # As an imperfect MetaRM errs: the same judgment always gets the same answer, right or wrong.
    error_rate: float = 0.0
    """Share of judgments on which it says the opposite."""
    seed: int = 0
    """Seed of the draw of those judgments."""

    def compare(
        self,
        shown: Int[Tensor, "pairs 22"],
        gold: Int[Tensor, "pairs 8"],
        judgments: Int[Tensor, "pairs group 8"],
        vote: int = 0,
    ) -> Bool[Tensor, "pairs group"]:
        """Whether each judgment of a group cites what decides in its pair's gold rationale.

        `shown` is question and answers; errors are a hash of these, the judgment and the vote.
        """
        verdicts = aligned(gold[:, None].expand_as(judgments), judgments)
        if self.error_rate == 0:
            return verdicts
        group = judgments.shape[1]
        written = judgments.flatten(0, 1)
        # The vote is part of the key, so that several votes on one judgment err independently.
        salt = torch.full((len(written), 1), vote)
        key = torch.cat([shown.repeat_interleave(group, dim=0), written, salt], dim=1)
        return verdicts ^ (chance(self.seed, key) < self.error_rate).view(-1, group)

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        """Judge one record. Text that is not of the toy environment is a failure, `parse`."""
        meta = MetaJudgment(
            pair_id=judgment.pair_id,
            benchmark=judgment.benchmark,
            order=judgment.order,
            draw=judgment.draw,
            vote=vote,
            model="exact",
        )
        gold, critique = CRITIQUE.read(pair.gold_rationale or ""), CRITIQUE.read(judgment.text)
        if gold is None or critique is None:
            problem = "gold rationale" if gold is None else "rationale"
            detail = f"the {problem} is not in the toy environment's language"
            return replace(meta, failure="parse", detail=detail)
        # Gold is written for A and B as the pair has them; the judge may have been shown them the other way round.
        as_shown = torch.tensor([gold]) if judgment.order == "ab" else swapped(torch.tensor([gold]))
        written = torch.tensor([critique])
        verdict = bool(self.compare(shown_ids(pair, judgment.order), as_shown, written[None], vote))
        points = zip(gold_points(as_shown[0].tolist()), stated(as_shown, written)[0].tolist(), strict=True)
        return replace(
            meta,
            aligned=verdict,
            points=tuple(GoldPoint(text=text, stated=flag) for text, flag in points),
            text="Correct" if verdict else "Incorrect",
        )
