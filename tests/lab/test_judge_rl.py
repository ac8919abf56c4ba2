from copy import deepcopy

import pytest
import torch
from tests.lab.test_run import tiny_config
from torch import Generator

from ralign.lab import judge_rl
from ralign.lab.config import ArmConfig, JudgeRlConfig, preset_path, read_recipe
from ralign.lab.judge_rl import grpo_loss, log_probabilities, train_judge
from ralign.lab.meta_judge import ExactMetaJudge, true_claims
from ralign.lab.model import Samples, load
from ralign.lab.policy_rl import advantages
from ralign.lab.run import prepare, run_arm
from ralign.lab.tokenizer import CRITIQUE, QUESTION, read_answer
from ralign.lab.vocabulary import DOMAINS, FIRST_VERDICT, NAMES, VALUES, WORDS
from ralign.lab.world import World

EVEN = (0.5, 0.5, 0.5, 0.5)


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


class Writes:
    """A judge with four judgments a pair: gold, its reasons with the wrong verdict, with none, no reasons."""

    def __init__(self, gold):
        self.weight = torch.nn.Parameter(torch.zeros(()))
        judgments = gold[:, None].repeat(1, 4, 1)
        judgments[:, 1, 7] = 2 * FIRST_VERDICT + 1 - judgments[:, 1, 7]
        judgments[:, 2, 7] = 0
        judgments[:, 3, :7] = 0
        self.judgments = judgments

    def parameters(self):
        return [self.weight]

    def sample(self, prompt, noise):
        return Samples(self.judgments, noise[..., 0])

    def __call__(self, prompt, completions):
        return torch.zeros(*completions.shape, len(WORDS)) + self.weight


@pytest.mark.parametrize(
    ("reward", "by_hand"),
    [
        ("outcome", [1, 0, 0, 1]),
        ("ralign", [1, 0, 0, 0]),
        ("hybrid", [1, 0.5, 0.5, 0.5]),
        ("points", [1.5, 0.5, 0.5, 1]),
    ],
)
def test_each_reward_pays_verdict_and_reason_as_it_says(world, monkeypatch, reward, by_hand):
    """Worked by hand, and what GRPO makes of it: (r - mean) / deviation over n - 1."""
    seen = []
    monkeypatch.setattr(judge_rl, "grpo_loss", lambda log_probs, given: seen.append(given) or log_probs.sum())
    pairs = world.pairs(6, EVEN, Generator().manual_seed(3))
    arm, config = ArmConfig(name=reward, reward=reward), JudgeRlConfig(steps=1, prompts=6, group_size=4)
    [step] = train_judge(Writes(pairs.gold), world, arm, config, EVEN, Generator().manual_seed(3))
    rewards = torch.tensor(by_hand, dtype=torch.float32)
    expected = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
    torch.testing.assert_close(seen[0], expected.repeat(6, 1))
    assert step == pytest.approx((rewards.mean().item(), 0.5, 0.75))


def test_the_loop_and_a_policys_share_their_advantages(model, world, monkeypatch):
    """Those of the policy may leave out answers; without such they are those of the judge, to the bit."""
    seen = []
    monkeypatch.setattr(judge_rl, "grpo_loss", lambda log_probs, given: seen.append(given) or log_probs.sum())
    rewards = (torch.rand(6, 8, generator=Generator().manual_seed(1)) < 0.4).float()
    monkeypatch.setattr(ExactMetaJudge, "compare", lambda *about: rewards.bool())
    arm, config = ArmConfig(name="a", reward="hybrid", weight=1.0), JudgeRlConfig(steps=1, prompts=6)
    list(train_judge(model, world, arm, config, EVEN, Generator()))
    assert torch.equal(seen[0], advantages(rewards))


def test_a_group_that_agrees_teaches_nothing(model, world):
    """Untrained, no judgment is aligned: no reward, no gradient, and weights that stay."""
    before = deepcopy(model)
    config = JudgeRlConfig(steps=2, prompts=4, group_size=4)
    list(train_judge(model, world, ArmConfig(name="r", reward="ralign"), config, EVEN, Generator()))
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), model.parameters(), strict=True))


def test_the_example_of_the_docstring_is_one_of_the_environment():
    """Two judgments with the right verdict, both of true claims; one has gold's reason."""
    text = dict(line.split(maxsplit=1) for line in judge_rl.__doc__.split("\n\n")[2].splitlines())
    question = torch.tensor([QUESTION.read(text["x"])])
    mira, likes = NAMES.index("Mira"), torch.zeros(len(NAMES), len(DOMAINS), dtype=torch.int64)
    likes[mira, DOMAINS.index("town")] = VALUES["town"].index("Oslo")
    likes[mira, DOMAINS.index("fruit")] = VALUES["fruit"].index("plum")
    traits = torch.stack(
        [World(likes).traits(question, torch.tensor([read_answer(text[y])])) for y in ("y_A", "y_B")], 1
    )
    gold, spurious = (torch.tensor([CRITIQUE.read(text[name])]) for name in ("gold", "spurious"))
    assert true_claims(traits, gold).all()
    assert true_claims(traits, spurious).all()
    assert gold[0, -1] == spurious[0, -1]
    assert [
        ExactMetaJudge().compare(gold.new_zeros(1, 22), gold, each[None]).item() for each in (gold, spurious)
    ] == [True, False]


def test_the_script_trains_the_judges_of_the_lab(tmp_path, capsys):
    """The same seed gives the same weights through `python -m ralign.lab.judge_rl` and through `ralign lab`."""
    config = tiny_config()
    judges = judge_rl.main(config)
    prepare(config, tmp_path)
    for arm in config.arms[1:3]:
        run_arm(config, arm, tmp_path)
        trained = load(tmp_path / arm.name / "judge.pt", config.model)
        for ours, theirs in zip(judges[arm.name].parameters(), trained.parameters(), strict=True):
            assert torch.equal(ours, theirs)
    *_, base, outcome, ralign = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in (base, outcome, ralign)] == ["base", "outcome-only", "r-align"]


def test_the_script_halves_the_cost_of_a_recipe_and_keeps_its_arms_apart():
    recipe = read_recipe(preset_path("graded"))
    short = judge_rl.short(recipe)
    seen, all_of_it = (sum(phase.steps * phase.pairs for phase in each.phases) for each in (short, recipe))
    assert seen <= all_of_it / 2
    assert short.judge_rl.steps < recipe.judge_rl.steps
    assert (short.showy, short.model) == (recipe.showy, recipe.model)


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
