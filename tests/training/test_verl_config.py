"""The files in `verl/` are what `ralign train --engine verl` writes; a change of one is a change of every run."""

from pathlib import Path

import pytest
import yaml

from ralign.errors import InputError
from ralign.training.verl_config import config_text, settings
from ralign.training.verl_job import ServedMetaJudge, VerlFiles, VerlJob
from ralign.training.verl_launch import reward_kwargs
from ralign.training.verl_worker import RewardSettings

GOLDEN = Path(__file__).with_name("verl")
FILES = VerlFiles(out=Path("/runs/ralign-8b"))
REWARD = reward_kwargs(
    RewardSettings(meta_judge="openai/gpt-oss-120b", meta_judge_url="http://meta-judge:8000/v1")
)
JOBS = {
    "ppo": VerlJob(model="Qwen/Qwen3-8B", algorithm="ppo", steps=1000, nodes=2, report_to=("wandb",)),
    "grpo": VerlJob(model="Qwen/Qwen3-8B", algorithm="grpo", group_size=8, steps=1000, thinking=False),
}


def job(**fields: object) -> VerlJob:
    return VerlJob(**{"model": "Qwen/Qwen3-8B", "steps": 10, **fields})


@pytest.mark.parametrize("algorithm", JOBS)
def test_the_configuration_is_the_committed_one(algorithm):
    written = config_text(JOBS[algorithm], FILES, REWARD)
    assert written == (GOLDEN / f"{algorithm}.yaml").read_text()


def test_ppo_has_a_critic_and_grpo_has_none():
    ppo, grpo = (settings(each, FILES, REWARD) for each in JOBS.values())
    assert ppo["critic"]["optim"]["lr"] == 1e-5
    assert ppo["algorithm"] | grpo["algorithm"] == ppo["algorithm"] | {
        "adv_estimator": "grpo",
        "norm_adv_by_std_in_grpo": True,
        "use_kl_in_reward": False,
    }
    assert "critic" not in grpo
    assert ppo["trainer"]["critic_warmup"] == 10
    assert grpo["trainer"]["critic_warmup"] == 0


def test_the_divergence_is_counted_once():
    for each in JOBS.values():
        ours = settings(each, FILES, REWARD)
        in_reward, in_loss = (
            ours["algorithm"]["use_kl_in_reward"],
            ours["actor_rollout_ref"]["actor"]["use_kl_loss"],
        )
        assert in_reward != in_loss


def test_without_a_divergence_no_reference_model_is_loaded():
    for each in (job(kl_coef=0.0), job(algorithm="grpo", group_size=8, kl_coef=0.0)):
        ours = settings(each, FILES, REWARD)
        assert not ours["algorithm"]["use_kl_in_reward"]
        assert not ours["actor_rollout_ref"]["actor"]["use_kl_loss"]


def test_a_micro_batch_holds_the_longest_sample():
    ours = settings(job(max_prompt_tokens=3000, max_completion_tokens=1000), FILES, REWARD)
    assert ours["actor_rollout_ref"]["actor"]["ppo_max_token_len_per_gpu"] == 4000
    assert ours["actor_rollout_ref"]["rollout"]["max_model_len"] == 4000


def test_a_meta_judge_that_verl_serves_gets_gpus_of_its_own():
    served = ServedMetaJudge(model="openai/gpt-oss-120b", nodes=1, tensor_parallel=8)
    reward_model = settings(job(served_meta_judge=served), FILES, REWARD)["reward"]["reward_model"]
    assert reward_model["enable"]
    assert reward_model["enable_resource_pool"]
    assert reward_model["model_path"] == "openai/gpt-oss-120b"
    assert reward_model["rollout"]["tensor_model_parallel_size"] == 8


def test_options_win_over_everything_and_reach_new_places():
    options = (
        "actor_rollout_ref.actor.optim.lr=2e-06",
        "trainer.logger=[console]",
        "trainer.v1.sampler.sync_refill_failed_groups=true",
    )
    document = yaml.safe_load(config_text(job(options=options), FILES, REWARD))
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
        config_text(job(options=(option,)), FILES, REWARD)


def test_what_hydra_would_take_for_a_variable_is_refused():
    with pytest.raises(InputError, match=r"actor_rollout_ref.model.path is '/models/\$\{USER\}/judge'"):
        config_text(job(model="/models/${USER}/judge"), FILES, REWARD)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"algorithm": "grpo"}, "group_size is 1 for GRPO"),
        ({"mini_batch": 48}, "mini_batch is 48, expected a divisor of the batch, 64"),
        ({"batch": 12}, "12 x 1 completions, expected a multiple of the 8 GPUs"),
    ],
)
def test_a_job_that_verl_would_trip_over_is_refused(fields, complaint):
    with pytest.raises(InputError, match=complaint):
        job(**fields)
