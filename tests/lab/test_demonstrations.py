import pytest
import torch

from ralign.lab.config import Critics
from ralign.lab.demonstrations import critiques, margin_notes
from ralign.lab.meta_judge import aligned, true_claims
from ralign.lab.vocabulary import ANSWER_LENGTH, FIRST_FACTOR, FIRST_VERDICT, ID, SUBSTANCE, WORDS

EVEN = (0.5, 0.5, 0.5, 0.5)
NEVER, ALWAYS = (0.0,) * 4, (1.0,) * 4


def test_a_critic_that_sees_everything_writes_gold(world, generator):
    pairs = world.pairs(500, EVEN, generator)
    assert torch.equal(critiques(pairs, Critics(substantive=ALWAYS), generator), pairs.gold)


def test_a_surface_critic_prefers_the_showier_answer_and_tells_the_truth_about_it(world, generator):
    pairs = world.pairs(500, EVEN, generator)
    written = critiques(pairs, Critics(substantive=NEVER), generator)
    more_b = (pairs.traits[:, 1] > pairs.traits[:, 0])[:, SUBSTANCE:].sum(1)
    assert torch.equal(written[:, 7] - FIRST_VERDICT, (more_b >= 2).long())
    assert (written[:, 6] >= FIRST_FACTOR + SUBSTANCE).all()
    assert true_claims(pairs.traits, written).all()


def test_claims_are_flipped_as_often_as_told_by_domain_and_the_verdict_follows_them(world, generator):
    pairs = world.pairs(8000, EVEN, generator)
    flipped = (0.0, 0.1, 0.3, 0.5)
    written = critiques(pairs, Critics(substantive=ALWAYS, flipped=flipped), generator)
    false = 1 - true_claims(pairs.traits, written).float().mean((1, 2))
    by_domain = [false[pairs.domain == domain].mean().item() for domain in range(4)]
    assert by_domain == pytest.approx(flipped, abs=0.03)
    claims = (written[:, :6].unflatten(1, (2, 3)) - ID["wrong"]) % 2
    differs = claims[:, 0] != claims[:, 1]
    decided = differs.any(1)
    factor = differs.int().argmax(1)
    assert torch.equal((written[:, 6] - FIRST_FACTOR)[decided], factor[decided])
    winner = claims[torch.arange(len(claims)), 1, factor]
    assert torch.equal((written[:, 7] - FIRST_VERDICT)[decided], winner[decided])


def test_verdict_noise_turns_the_verdict_and_leaves_the_rationale(world, generator):
    pairs = world.pairs(4000, EVEN, generator)
    written = critiques(pairs, Critics(substantive=ALWAYS, verdict_noise=0.2), generator)
    assert aligned(pairs.gold, written).all()
    turned = (written[:, 7] != pairs.gold[:, 7]).float().mean().item()
    assert turned == pytest.approx(0.2, abs=0.03)


def test_margin_notes_are_true_and_stand_beside_the_words_they_are_about(world, generator):
    pairs = world.pairs(300, EVEN, generator)
    notes = margin_notes(world, pairs)
    right, second = world.truth(pairs.question)
    for row in range(300):
        for start, answer in ((6, pairs.answer_a), (16, pairs.answer_b)):
            for place, word in enumerate(answer[row].tolist()):
                note = WORDS[notes[row, start + place]]
                expected = {
                    int(right[row]): "right",
                    int(second[row]): "complete",
                    int(pairs.question[row, 3]): "follows",
                }
                if word in expected:
                    assert note == expected[word]
                else:
                    assert note in ("wrong", "ignores", "<blank>")
    assert (notes[:, :6] == ID["<blank>"]).all()
    assert notes.shape[1] == 6 + 2 * ANSWER_LENGTH + 2
