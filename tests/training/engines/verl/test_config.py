"""The options in verl's words. The whole of it is in `golden/` (see `tests/training/test_goldens.py`)."""

from pathlib import Path

import pytest
import yaml
from tests.training.configs import train_config

from ralign.errors import InputError
from ralign.training.engines.verl.config import RewardFunction, ServedMetaJudge, config_text, settings
from ralign.training.engines.verl.files import VerlFiles
from ralign.training.options import TrainingOptions

FILES = VerlFiles(out=Path("/runs/ralign-8b"))
REWARD = RewardFunction(module="pkg://ralign.training.engines.verl.reward", kwargs={"reward": "outcome"})
PPO = {"algorithm": "ppo", "group_size": 1, "kl_coef": 0.001}


def options(**fields: object) -> TrainingOptions:
    return train_config(**{"reward": "outcome", "engine": "verl", "steps": 10} | fields).training


def ours(training: TrainingOptions, **more: object) -> dict:
    return settings(training, FILES, REWARD, examples=640, **more)


def test_ppo_has_a_critic_and_grpo_has_none():
    ppo, grpo = ours(options(**PPO)), ours(options())
    assert ppo["critic"]["optim"]["lr"] == 1e-5
    assert ppo["algorithm"]["adv_estimator"] == "gae"
    assert grpo["algorithm"] == {
        "adv_estimator": "grpo",
        "norm_adv_by_std_in_grpo": True,
        "use_kl_in_reward": False,
    }
    assert "critic" not in grpo
    assert ppo["trainer"]["critic_warmup"] == 10
    assert grpo["trainer"]["critic_warmup"] == 0


@pytest.mark.parametrize("fields", [PPO, {"kl_coef": 0.001}])
def test_the_divergence_is_counted_once(fields):
    found = ours(options(**fields))
    in_reward = found["algorithm"]["use_kl_in_reward"]
    in_loss = found["actor_rollout_ref"]["actor"]["use_kl_loss"]
    assert in_reward != in_loss


@pytest.mark.parametrize("fields", [PPO | {"kl_coef": 0.0}, {}])
def test_without_a_divergence_no_reference_model_is_loaded(fields):
    found = ours(options(**fields))
    assert not found["algorithm"]["use_kl_in_reward"]
    assert not found["actor_rollout_ref"]["actor"]["use_kl_loss"]


def test_a_micro_batch_holds_the_longest_sample():
    found = ours(options(max_prompt_tokens=3000, max_completion_tokens=1000))["actor_rollout_ref"]
    assert found["actor"]["ppo_max_token_len_per_gpu"] == 4000
    assert found["rollout"]["max_model_len"] == 4000


def test_a_mini_batch_is_counted_in_prompts_as_verl_counts_it():
    """verl multiplies by the completions a prompt (`ppo_mini_batch_size *= rollout.n`)."""
    actor = ours(options(mini_batch=16, clip=0.1))["actor_rollout_ref"]["actor"]
    assert (actor["ppo_mini_batch_size"], actor["clip_ratio"], actor["clip_ratio_high"]) == (16, 0.1, 0.1)
    assert ours(options())["actor_rollout_ref"]["actor"]["ppo_mini_batch_size"] == 64


def test_epochs_are_enough_for_the_steps():
    trainer = settings(options(batch=8, steps=7), FILES, REWARD, examples=24)["trainer"]
    assert (trainer["total_training_steps"], trainer["total_epochs"]) == (7, 3)


def test_a_meta_judge_that_verl_serves_gets_gpus_of_its_own():
    served = ServedMetaJudge(model="openai/gpt-oss-120b", gpus=8, tensor_parallel=8, max_completion_tokens=9)
    reward_model = ours(options(), served=served)["reward"]["reward_model"]
    assert reward_model["enable"]
    assert reward_model["enable_resource_pool"]
    assert reward_model["model_path"] == "openai/gpt-oss-120b"
    assert reward_model["rollout"]["tensor_model_parallel_size"] == 8


def text(**fields: object) -> str:
    return config_text(options(**fields), FILES, REWARD, examples=640)


def test_options_win_over_everything_and_reach_new_places():
    given = (
        "actor_rollout_ref.actor.optim.lr=2e-06",
        "trainer.logger=[console]",
        "trainer.v1.sampler.sync_refill_failed_groups=true",
    )
    document = yaml.safe_load(text(engine_option=given))
    assert float(document["actor_rollout_ref"]["actor"]["optim"]["lr"]) == 2e-6
    assert document["trainer"]["logger"] == ["console"]
    assert document["trainer"]["v1"]["sampler"] == {"sync_refill_failed_groups": True}


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("trainer.nnodes", "expected NAME=VALUE"),
        (".x=1", "expected NAME=VALUE"),
        ("trainer.nnodes.x=1", "goes below 'nnodes', which is a value"),
        ("trainer.nnodes={", "is not YAML"),
    ],
)
def test_an_option_that_cannot_be_read_is_named(option, complaint):
    with pytest.raises(InputError, match=complaint):
        text(engine_option=(option,))


def test_what_hydra_would_take_for_a_variable_is_refused():
    with pytest.raises(InputError, match=r"actor_rollout_ref.model.path is '/models/\$\{USER\}/judge'"):
        text(model="/models/${USER}/judge")


def test_a_step_that_the_gpus_cannot_share_is_refused():
    with pytest.raises(InputError, match="12 x 1 completions, expected a multiple of the 8 GPUs"):
        text(batch=12, **PPO)
