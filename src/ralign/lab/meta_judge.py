"""The exact meta-judge: a program, as the gold rationale and the judge's share one small language.

A judgment is aligned with gold if it cites the gold decisive factor and what it claims about that factor is true
of both answers. `aligned` does it for tensors (RL), `ExactMetaJudge` for records (the benchmark); both make the
same mistakes when `error_rate` asks for some, as an imperfect MetaRM would: the same judgment always gets the same
answer, right or wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ralign.lab.lexicon import CLAIMS, FACTORS, FIRST_CLAIM, FIRST_FACTOR, FIRST_VERDICT, WORDS
from ralign.lab.records import shown_ids
from ralign.lab.tokenizer import CRITIQUE
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
    """A number in 0..1 for each row of ids, always the same one: a hash (splitmix64), not a generator."""
    state = torch.full((len(key),), seed, dtype=torch.int64)
    for column in key.T:
        state = _mix(state + column + 1)
    return (state >> 11 & (1 << 53) - 1).double() / (1 << 53)


def _mix(x: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Splitmix64's finaliser (Steele, Lea and Flood 2014), in wrapping 64-bit arithmetic."""
    x = x + _signed(0x9E3779B97F4A7C15)
    x = (x ^ (x >> 30 & (1 << 34) - 1)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> 27 & (1 << 37) - 1)) * _signed(0x94D049BB133111EB)
    return x ^ (x >> 31 & (1 << 33) - 1)


def _signed(constant: int) -> int:
    return constant - (1 << 64) if constant >> 63 else constant


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
    """Compares a record's rationale with its gold rationale; never fails on the micro world's own text."""

    error_rate: float = 0.0
    """Share of judgments on which it says the opposite."""
    seed: int = 0
    """Which judgments those are."""

    def aligned(
        self,
        shown: Int[Tensor, "n 22"],
        gold: Int[Tensor, "n 8"],
        critique: Int[Tensor, "n 8"],
        vote: int = 0,
    ) -> Bool[Tensor, " n"]:
        """Judge many at once; `shown` is question and answers, which only the errors depend on."""
        verdicts = aligned(gold, critique)
        if self.error_rate == 0:
            return verdicts
        salt = torch.full((len(gold), 1), vote)
        return verdicts ^ (chance(self.seed, torch.cat([shown, critique, salt], dim=1)) < self.error_rate)

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        """Judge one record. Text that is not of the micro world is a failure, `parse`."""
        gold = CRITIQUE.read(pair.gold_rationale or "")
        critique = CRITIQUE.read(judgment.text)
        if gold is None or critique is None:
            problem = "gold rationale" if gold is None else "rationale"
            return _about(judgment, vote, None, detail=f"the {problem} is not in the micro world's language")
        as_shown = torch.tensor([gold])
        if judgment.order == "ba":
            as_shown = swapped(as_shown)
        shown = shown_ids(pair, judgment.order)
        verdict = bool(self.aligned(shown, as_shown, torch.tensor([critique]), vote)[0])
        points = stated(as_shown, torch.tensor([critique]))[0].tolist()
        named = zip(gold_points(as_shown[0].tolist()), points, strict=True)
        return _about(judgment, vote, verdict, tuple(GoldPoint(text=t, stated=s) for t, s in named))


def _about(
    judgment: Judgment,
    vote: int,
    verdict: bool | None,
    points: tuple[GoldPoint, ...] = (),
    detail: str | None = None,
) -> MetaJudgment:
    return MetaJudgment(
        pair_id=judgment.pair_id,
        benchmark=judgment.benchmark,
        order=judgment.order,
        draw=judgment.draw,
        vote=vote,
        aligned=verdict,
        points=points,
        text="" if verdict is None else "Correct" if verdict else "Incorrect",
        failure="parse" if verdict is None else None,
        detail=detail,
        model="exact",
    )
