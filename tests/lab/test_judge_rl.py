from copy import deepcopy

import pytest
import torch
from torch import Generator

from ralign.lab.config import ArmConfig, JudgeRlConfig, ModelConfig
from ralign.lab.judge_rl import advantages, grpo_loss, log_probabilities, train_judge
from ralign.lab.meta_judge import ExactMetaJudge, aligned
from ralign.lab.vocabulary import FIRST_VERDICT, WORDS

NAN = float("nan")
EVEN = (0.5, 0.5, 0.5, 0.5)


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
    """Pitfall 2."""
    with_outage = advantages(torch.tensor([[1.0, NAN, 0.0, 0.0], [NAN, NAN, 1.0, NAN], [NAN] * 4]))
    without = advantages(torch.tensor([[1.0, 0.0, 0.0]]))
    assert with_outage[0, [0, 2, 3]].tolist() == without[0].tolist()
    assert with_outage[0, 1] == 0.0
    assert with_outage[1:].abs().sum() == 0.0


def test_the_loss_moves_probability_by_advantage():
    """Its gradient is minus advantage times the gradient of the log-probability, mean over words."""
    log_probs = torch.tensor([[[-1.0, -2.0], [-0.5, -3.0]]], requires_grad=True)
    advantage = torch.tensor([[2.0, -1.0]])
    loss = grpo_loss(log_probs, advantage)
    loss.backward()
    assert loss.item() == pytest.approx(-0.5)  # - mean(2, 2, -1, -1), all ratios being 1
    assert log_probs.grad.tolist() == [[[-0.5, -0.5], [0.25, 0.25]]]


def test_masked_words_are_no_action():
    log_probs = torch.zeros(1, 2, 2, requires_grad=True)
    mask = torch.tensor([[[True, False], [True, True]]])
    grpo_loss(log_probs, torch.tensor([[3.0, 0.0]]), mask).backward()
    assert log_probs.grad.tolist() == [[[-1.0, 0.0], [0.0, 0.0]]]


@pytest.mark.parametrize("name", ["outcome", "ralign", "hybrid", "points"])
def test_tensors_are_rewarded_as_the_records_they_stand_for(world, generator, name):
    pairs = world.pairs(40, EVEN, generator)
    judgments = pairs.gold[:, None].repeat(1, 3, 1)
    judgments[:, 1, 7] = 2 * FIRST_VERDICT + 1 - judgments[:, 1, 7]  # gold's reasons, the wrong verdict
    judgments[:, 2, 7] = 0  # gold's reasons, no verdict
    rewards, said = score(pairs, judgments, ExactMetaJudge(), reward_of(ArmConfig(name=name, reward=name)))
    expected = {"outcome": [1, 0, 0], "ralign": [1, 0, 0], "hybrid": [1, 0.5, 0.5], "points": [1.5, 0.5, 0.5]}
    assert rewards.tolist() == [expected[name]] * 40
    assert torch.equal(said, aligned(pairs.gold[:, None].expand_as(judgments), judgments))


def test_training_changes_the_judge_and_reports_each_step(model, world, generator):
    config = JudgeRlConfig(steps=12, prompts=16, group_size=8, rate=3e-3)
    before, judge = model, deepcopy(model)
    arm = ArmConfig(name="outcome-only", reward="outcome")
    # Untrained, hardly a judgment ends in a verdict: reward is scarce, and rises as soon as verdicts do.
    steps = list(train_judge(judge, world, arm, config, EVEN, Generator().manual_seed(1)))
    assert len(steps) == 12
    assert any(not torch.equal(a, b) for a, b in zip(before.parameters(), judge.parameters(), strict=True))
    assert all(0 <= step.reward <= 1 and step.reward == step.label_accuracy for step in steps)


def test_arms_of_one_seed_see_the_same_pairs(model, world):
    small = ModelConfig(width=16, layers=2, heads=2)
    config = JudgeRlConfig(steps=1, prompts=16, group_size=4)

    def first_step(name):
        judge = deepcopy(model)
        arm = ArmConfig(name=name, reward=name)
        return next(train_judge(judge, world, arm, config, EVEN, Generator().manual_seed(7)))

    outcome, ralign = first_step("outcome"), first_step("ralign")
    assert outcome.label_accuracy == ralign.label_accuracy
    assert outcome.aligned == ralign.aligned


def test_log_probabilities_exclude_what_could_not_be_drawn(model, generator):
    banned = torch.arange(len(WORDS)) >= 40
    prompt = torch.randint(len(WORDS), (3, 7), generator=generator)
    noise = torch.rand(3, 2, 4, len(WORDS), generator=generator)
    samples = model.sample(prompt, noise, banned)
    torch.testing.assert_close(log_probabilities(model, prompt, samples.words, banned), samples.log_probs)
