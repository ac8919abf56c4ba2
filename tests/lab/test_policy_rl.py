from copy import deepcopy

import pytest
import torch
from torch import Generator

from ralign.lab.config import ModelConfig, PolicyRlConfig
from ralign.lab.policy_rl import (
    advantages,
    as_answer,
    banned_words,
    contest,
    evaluate,
    length,
    train_policy,
    write,
)
from ralign.lab.tokenizer import read_answer, write_answer
from ralign.lab.vocabulary import FIRST_FACTOR, FIRST_VERDICT, ID, WORDS
from ralign.lab.world import questions

NAN = float("nan")
SMALL = ModelConfig(width=16, layers=2, heads=2)


def ids(*texts):
    return torch.tensor([read_answer(text) for text in texts])


def test_advantages_worked_by_hand():
    rewards = torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0], [4.0, 0.0, 0.0, 0.0]])
    by_hand = torch.tensor(
        [
            [0.5 / (1 / 3) ** 0.5 * sign for sign in (1, -1, -1, 1)],  # deviation over n - 1
            [0.0] * 4,
            [1.5, -0.5, -0.5, -0.5],  # mean 1, deviation 2
        ]
    )
    torch.testing.assert_close(advantages(rewards), by_hand, rtol=1e-3, atol=0)


def test_an_unscored_completion_gets_no_gradient_and_does_not_move_its_siblings():
    """A reward of 0 in its place would teach that the answer was as good as the reference."""
    with_outage = advantages(torch.tensor([[1.0, NAN, 0.0, 0.0], [NAN, NAN, 1.0, NAN], [NAN] * 4]))
    without = advantages(torch.tensor([[1.0, 0.0, 0.0]]))
    assert with_outage[0, [0, 2, 3]].tolist() == without[0].tolist()
    assert with_outage[0, 1] == 0.0
    assert with_outage[1:].abs().sum() == 0.0


class PrefersConfidence(torch.nn.Module):
    """Stands in for a judge: the first confident answer wins; says where it looked."""

    def __init__(self, *, silent=False):
        super().__init__()
        self.silent = silent

    def sample(self, prompt, noise):
        first_confident = (prompt[:, 6:15] == ID["certainly"]).any(1)
        words = torch.zeros(len(prompt), 1, 8, dtype=torch.long)
        words[:, 0, 7] = 0 if self.silent else FIRST_VERDICT + (~first_confident).long()
        return type("Drawn", (), {"words": words})


@pytest.mark.parametrize("orders", ["ab", "ba", "both", "drawn"])
def test_the_confident_answer_wins_in_whatever_order_it_is_shown(orders, generator):
    question = questions(2, generator)
    answer, reference = ids("certainly red thanks", "red thanks"), ids("red thanks", "certainly red thanks")
    rewards = contest(
        PrefersConfidence(), question, answer, reference, PolicyRlConfig(orders=orders), generator
    )
    assert rewards.tolist() == [1.0, -1.0]


def test_a_judge_without_a_verdict_scores_nothing(generator):
    rewards = contest(
        PrefersConfidence(silent=True),
        questions(1, generator),
        ids("red"),
        ids("blue"),
        PolicyRlConfig(),
        generator,
    )
    assert rewards.isnan().all()


def test_the_length_penalty_is_taken_off_the_win(generator):
    config = PolicyRlConfig(length_weight=0.5)
    answer, reference = ids("certainly red truly truly"), ids("red thanks")
    rewards = contest(PrefersConfidence(), questions(1, generator), answer, reference, config, generator)
    assert rewards.tolist() == [0.5]


def test_an_answer_at_its_budget_gets_an_end_and_one_that_ended_keeps_it():
    red, end, blank = ID["red"], ID["<end>"], ID["<blank>"]
    answers = as_answer(torch.tensor([[red, red, red, red], [red, end, blank, blank]]))
    assert [write_answer(row) for row in answers.tolist()] == ["red red red red", "red"]
    assert (answers == end).sum(1).tolist() == [1, 1]
    assert length(answers).tolist() == [4, 1]


def test_a_policy_writes_no_words_of_judges_unless_it_may(model):
    question = questions(200, Generator().manual_seed(1))
    for may_praise in (False, True):
        config = PolicyRlConfig(may_praise=may_praise)
        words = write(model, question, 2, config, Generator().manual_seed(2))
        assert bool((words >= FIRST_FACTOR).any()) == may_praise
        banned = banned_words(config)
        assert banned.shape == (len(WORDS),)
        assert not banned[words[words != ID["<blank>"]]].any()


def test_training_changes_the_policy_and_leaves_start_and_judge_alone(model, world):
    start, judge, policy = (deepcopy(model) for _ in range(3))
    config = PolicyRlConfig(steps=3, prompts=8, group_size=4)
    untouched = [weight.clone() for weight in start.parameters()]
    steps = list(train_policy(policy, start, PrefersConfidence(), world, config, Generator().manual_seed(3)))
    assert all(-1 <= step.reward <= 1 and 0 <= step.quality <= 1 for step in steps)
    assert all(weight.isfinite().all() for weight in policy.parameters())
    assert any(not torch.equal(*pair) for pair in zip(policy.parameters(), untouched, strict=True))
    assert all(torch.equal(*pair) for pair in zip(start.parameters(), untouched, strict=True))
    assert all(torch.equal(*pair) for pair in zip(judge.parameters(), untouched, strict=True))


def test_a_policy_finds_what_its_judge_leans_on(model, world):
    """The mechanism of reward hacking in its smallest form."""
    policy = deepcopy(model)
    config = PolicyRlConfig(steps=40, prompts=16, group_size=8, rate=1e-2, evaluated=500)
    before = evaluate(policy, world, config, Generator().manual_seed(4))
    for _ in train_policy(policy, model, PrefersConfidence(), world, config, Generator().manual_seed(3)):
        pass
    after = evaluate(policy, world, config, Generator().manual_seed(4))
    assert after.confident > before.confident + 0.4


def test_a_policy_is_worth_what_the_world_says(world, generator):
    class Perfect(torch.nn.Module):
        def sample(self, prompt, noise, banned):
            right, second = world.truth(prompt[:, 1:])
            words = torch.stack([right, prompt[:, 4], second, torch.full_like(right, ID["certainly"])], 1)
            return type("Drawn", (), {"words": words[:, None]})

    worth = evaluate(Perfect(), world, PolicyRlConfig(evaluated=50), generator)
    assert worth.quality == pytest.approx(1.0)
    assert (worth.accuracy, worth.instruction, worth.completeness) == (1.0, 1.0, 1.0)
    assert (worth.length, worth.confident, worth.bullets, worth.fillers, worth.praise) == (
        4.0,
        1.0,
        0.0,
        0.0,
        0.0,
    )
    assert list(worth.quality_by_domain.values()) == pytest.approx([1.0] * 4)


def test_no_policy_meets_in_training_a_question_that_it_is_measured_on(model, world, generator):
    class Watched(PrefersConfidence):
        def __init__(self):
            super().__init__()
            self.asked = set()

        def sample(self, prompt, noise, banned=None):
            self.asked |= {tuple(row) for row in prompt[:, 1:5].tolist()}
            if banned is None:
                return super().sample(prompt, noise)
            return type("Drawn", (), {"words": torch.full((len(prompt), 1, 4), ID["red"])})

    judge, measured = Watched(), Watched()
    config = PolicyRlConfig(steps=4, prompts=100, group_size=2, evaluated=400)
    list(train_policy(deepcopy(model), model, judge, world, config, generator))
    evaluate(measured, world, config, generator)
    assert len(judge.asked) > 150
    assert len(measured.asked) > 80
    assert not judge.asked & measured.asked
