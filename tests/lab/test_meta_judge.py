from dataclasses import replace

import pytest
import torch

from ralign.lab.config import Critics
from ralign.lab.demonstrations import critiques
from ralign.lab.meta_judge import ExactMetaJudge, aligned, stated, swapped, true_claims
from ralign.lab.records import to_records
from ralign.lab.tokenizer import CRITIQUE
from ralign.lab.vocabulary import ID
from ralign.records import Judgment

EVEN = (0.5, 0.5, 0.5, 0.5)
MIXED = Critics(substantive=EVEN, flipped=(0.2, 0.2, 0.2, 0.2), verdict_noise=0.1)
GOLD = r"right follows partial wrong follows complete accuracy \boxed{A}"


def ids(text):
    return torch.tensor([[ID[word] for word in text.split()]])


@pytest.mark.parametrize(
    ("critique", "points"),
    [
        (GOLD, [True, True, True]),
        # Claims on other factors may be wrong, and the verdict is the judge's business.
        (r"right ignores complete wrong ignores partial accuracy \boxed{B}", [True, True, True]),
        (r"right follows partial wrong follows complete instruction \boxed{A}", [False, True, True]),
        (r"wrong follows partial wrong follows complete accuracy \boxed{A}", [True, False, True]),
        (r"right follows partial right follows complete accuracy \boxed{A}", [True, True, False]),
        # A claim and its opposite: nothing is stated.
        (r"right wrong partial wrong follows complete accuracy \boxed{A}", [True, False, True]),
        (r"detailed structured assertive brief plain hesitant length \boxed{A}", [False, False, False]),
        (r"fox fox fox fox fox fox accuracy \boxed{A}", [True, False, False]),
    ],
)
def test_the_points_of_a_gold_rationale_that_a_critique_states(critique, points):
    assert stated(ids(GOLD), ids(critique))[0].tolist() == points
    assert aligned(ids(GOLD), ids(critique))[0].item() == all(points)


def test_gold_is_aligned_with_itself_and_a_surface_critique_never_is(world, generator):
    pairs = world.pairs(500, EVEN, generator)
    assert aligned(pairs.gold, pairs.gold).all()
    surface = critiques(pairs, Critics(substantive=(0.0, 0.0, 0.0, 0.0)), generator)
    assert not aligned(pairs.gold, surface).any()
    assert true_claims(pairs.traits, surface).all()


def test_swapping_a_and_b_on_both_sides_changes_no_meta_judgment(world, generator):
    pairs = world.pairs(500, EVEN, generator)
    written = critiques(pairs, MIXED, generator)
    assert torch.equal(aligned(pairs.gold, written), aligned(swapped(pairs.gold), swapped(written)))
    assert torch.equal(swapped(swapped(written)), written)


async def test_records_and_tensors_get_the_same_answers_mistakes_included(world, generator):
    pairs = world.pairs(300, EVEN, generator)
    written = critiques(pairs, MIXED, generator)
    judge = ExactMetaJudge(error_rate=0.3, seed=5)
    as_tensors = judge.compare(pairs.shown, pairs.gold, written[:, None])[:, 0].tolist()
    records = to_records(pairs, "train")
    texts = [CRITIQUE.write(row) for row in written.tolist()]
    as_records = [
        (await judge.meta_judge(pair, Judgment(pair_id=pair.id, text=text), 0)).aligned
        for pair, text in zip(records, texts, strict=True)
    ]
    assert as_records == as_tensors
    wrong = (torch.tensor(as_tensors) != aligned(pairs.gold, written)).float().mean().item()
    assert wrong == pytest.approx(0.3, abs=0.08)


async def test_a_judgment_of_the_swapped_pair_is_compared_with_gold_swapped(world, generator):
    pair = to_records(world.pairs(1, EVEN, generator), "train")[0]
    gold = CRITIQUE.read(pair.gold_rationale)
    as_shown = CRITIQUE.write(swapped(torch.tensor([gold]))[0].tolist())
    judgment = Judgment(pair_id=pair.id, order="ba", text=as_shown)
    assert (await ExactMetaJudge().meta_judge(pair, judgment, 0)).aligned is True
    assert (await ExactMetaJudge().meta_judge(pair, replace(judgment, order="ab"), 0)).aligned is False


async def test_errors_follow_the_seed_and_the_vote_not_the_call(world, generator):
    pair = to_records(world.pairs(1, EVEN, generator), "train")[0]
    judgment = Judgment(pair_id=pair.id, text=pair.gold_judgment)

    async def ask(seed, vote):
        return (await ExactMetaJudge(error_rate=0.5, seed=seed).meta_judge(pair, judgment, vote)).aligned

    answers = [await ask(seed, 0) for seed in range(40)]
    assert answers == [await ask(seed, 0) for seed in range(40)]
    assert {True, False} == set(answers)
    assert {True, False} == {await ask(0, vote) for vote in range(40)}


async def test_text_of_another_world_is_a_failure_not_a_misalignment(world, generator):
    pair = to_records(world.pairs(1, EVEN, generator), "train")[0]
    meta = await ExactMetaJudge().meta_judge(pair, Judgment(pair_id=pair.id, text="A, because."), 0)
    assert (meta.aligned, meta.failure) == (None, "parse")
    no_gold = replace(pair, gold_judgment=None)
    meta = await ExactMetaJudge().meta_judge(no_gold, Judgment(pair_id=pair.id, text=pair.gold_judgment), 0)
    assert (meta.aligned, meta.failure) == (None, "parse")
