from itertools import combinations

import pytest
import torch

from ralign.lab.tokenizer import read_answer, read_question
from ralign.lab.vocabulary import FIRST_FACTOR, FIRST_VERDICT, SUBSTANCE, VALUES, WORDS
from ralign.lab.world import World, claims, questions

EVEN = (0.5, 0.5, 0.5, 0.5)


def one(world, question, answer):
    ids = torch.tensor([read_question(question)]), torch.tensor([read_answer(answer)])
    return world.traits(*ids)[0].tolist(), world.quality(*ids).item()


@pytest.fixture
def mira(world):
    """What Mira likes, in words."""
    first = torch.tensor([read_question("Which colour does Mira like? Add the town and say thanks.")])
    colour, town = (WORDS[int(value)] for value in world.truth(first))
    return colour, town, next(other for other in VALUES["colour"] if other != colour)


def test_the_traits_an_answer_was_written_with_are_read_from_its_words(world, generator):
    pairs = world.pairs(2000, EVEN, generator)
    for side, answer in enumerate((pairs.answer_a, pairs.answer_b)):
        assert torch.equal(world.traits(pairs.question, answer), pairs.traits[:, side])


def test_gold_is_decided_by_the_first_factor_of_substance_in_which_the_answers_differ(world, generator):
    pairs = world.pairs(2000, EVEN, generator)
    substance = pairs.traits[:, :, :SUBSTANCE]
    differs = substance[:, 0] != substance[:, 1]
    assert torch.equal(pairs.gold[:, 6] - FIRST_FACTOR, differs.int().argmax(1))
    better = pairs.gold[:, 7] - FIRST_VERDICT
    rows = torch.arange(len(better))
    decisive = pairs.gold[:, 6] - FIRST_FACTOR
    assert (substance[rows, better, decisive] == 1).all()
    assert (substance[rows, 1 - better, decisive] == 0).all()
    assert torch.equal(pairs.gold[:, :3], claims(pairs.traits[:, 0])[:, :3])


def test_style_goes_with_gold_as_often_as_each_domain_says(world, generator):
    showy = (0.98, 0.7, 0.5, 0.1)
    pairs = world.pairs(20_000, showy, generator)
    better = pairs.gold[:, 7] - FIRST_VERDICT
    rows = torch.arange(len(better))
    surface = pairs.traits[:, :, SUBSTANCE:]
    more = (surface[rows, better] > surface[rows, 1 - better]).float()
    for domain, p in enumerate(showy):
        shares = more[pairs.domain == domain].mean(0).tolist()
        assert shares == pytest.approx([p] * 3, abs=0.03)
        assert len(set(shares)) == 1, "the showier answer has more of everything"


def test_the_letter_of_the_better_answer_says_nothing(world, generator):
    pairs = world.pairs(20_000, EVEN, generator)
    assert (pairs.gold[:, 7] == FIRST_VERDICT).float().mean().item() == pytest.approx(0.5, abs=0.02)


def test_quality_is_half_accuracy_three_tenths_instruction_two_tenths_completeness(world, mira):
    colour, town, other = mira
    question = "Which colour does Mira like? Add the town and say thanks."
    for answer, quality in [
        (f"{colour} thanks {town}", 1.0),
        (f"{town} thanks {colour}", 1.0),
        (f"{colour}", 0.5),
        (f"{other} thanks {town}", 0.5),
        (f"certainly {other} thanks truly", 0.3),
        (f"• certainly {town}", 0.2),
        ("certainly moreover", 0.0),
        ("", 0.0),
    ]:
        assert one(world, question, answer)[1] == pytest.approx(quality), answer


def test_an_answer_that_lists_every_value_and_every_polite_word_earns_nothing_for_them(world, mira):
    """Listing everything must not pay."""
    colour, town, other = mira
    question = "Which colour does Mira like? Add the town and say thanks."
    traits, quality = one(world, question, f"{colour} {other} thanks cheers {town}")
    assert traits[:SUBSTANCE] == [0, 0, 1]
    assert quality == pytest.approx(0.2)


def test_the_same_generator_draws_the_same_world():
    draws = [World.draw(torch.Generator().manual_seed(3)).likes for _ in range(2)]
    assert torch.equal(*draws)


def test_no_policy_is_trained_on_a_question_it_is_tested_on(generator):
    """Held out is a quarter of the 384 questions; every two parts of a question are in the training together."""

    def drawn(held_out):
        return {tuple(row) for row in questions(20_000, generator, held_out=held_out).tolist()}

    trained, tested = drawn(False), drawn(True)
    assert (len(trained), len(tested)) == (288, 96)
    assert not trained & tested
    assert drawn(None) == trained | tested
    for one, two in combinations(range(4), 2):
        assert {(row[one], row[two]) for row in tested} <= {(row[one], row[two]) for row in trained}
