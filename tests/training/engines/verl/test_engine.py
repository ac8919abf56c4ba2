"""`ralign train --engine verl` from flags to a published judge; verl is a stand-in here, and real in tests/cluster."""

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.training.configs import replaced
from tests.training.toy_judge import prepared, toy_config, train

from ralign.errors import InputError
from ralign.training.config import TrainConfig
from ralign.training.engines.verl.engine import EngineFailed, refuse_what_verl_cannot
from ralign.training.engines.verl.files import VerlFiles
from ralign.training.engines.verl.worker import RewardSettings
from ralign.training.train_log import read_steps

STUB = Path(__file__).with_name("verl_stub.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return prepared(tmp_path_factory.mktemp("verl"))


@pytest.fixture
def config(folder, tmp_path, monkeypatch) -> TrainConfig:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    stub = tmp_path / "python"
    stub.write_text(f'#!/bin/sh\n[ "$1" = -W ] && shift 2\nexec {shlex.quote(sys.executable)} {STUB} "$@"\n')
    stub.chmod(0o755)
    settings = {"stage": "rl", "engine": "verl", "algorithm": "ppo", "group_size": 1, "reward": "outcome"}
    return toy_config(
        folder,
        tmp_path / "run",
        **settings,
        limit=24,
        micro_batch=1,
        gpus_per_node=1,
        verl_python=str(stub),
        epochs=2.0,
    )


def settings_of(config: TrainConfig) -> dict:
    return yaml.safe_load(VerlFiles(out=config.training.out).config.read_text())


def test_a_judge_is_trained_and_published_with_what_its_rewards_were(config):
    said = train(config)
    assert "a stub" in said
    model = config.training.out / "model"
    assert (model / "config.json").exists()
    assert "Reinforcement learning (PPO)" in (model / "README.md").read_text()
    (step,) = read_steps(model / "train_log.jsonl")
    assert (step.step, step.metrics["label_right"], step.metrics["not_scored"]) == (3, 1.0, 0.0)
    assert len(step.pairs) == 24
    assert "Trained already" in train(config)


def test_a_dry_run_writes_and_checks_and_launches_nothing(config):
    said = train(replaced(config, dry_run=True))
    files = VerlFiles(out=config.training.out)
    assert f"To start: bash {files.launch}" in said.replace("\n", "")
    assert "rl: 6 steps of 8 prompts" in said
    assert files.composed.exists()
    assert not files.checkpoints.exists()
    assert not (config.training.out / "model").exists()
    train(config)
    assert (config.training.out / "model").exists(), "the run itself goes on where the dry one stopped"


def test_a_verl_that_fails_leaves_no_model(config):
    with pytest.raises(EngineFailed, match="exit code 1"):
        train(replaced(config, seed=13))
    assert not (config.training.out / "model").exists()


def test_the_flags_become_verls(config):
    train(replaced(config, dry_run=True, mini_batch=4, clip_high=0.3, engine_option=("trainer.nnodes=4",)))
    written = settings_of(config)
    assert written["algorithm"]["adv_estimator"] == "gae"
    assert written["data"]["train_batch_size"] == 8
    assert written["actor_rollout_ref"]["actor"]["ppo_mini_batch_size"] == 4
    assert written["actor_rollout_ref"]["actor"]["clip_ratio_high"] == 0.3
    assert written["actor_rollout_ref"]["rollout"]["n"] == 1
    assert written["trainer"]["nnodes"] == 4
    assert written["trainer"]["total_training_steps"] == 6
    assert written["trainer"]["total_epochs"] == 2


def test_workers_share_the_cap_on_calls_and_get_a_prompt_that_every_node_sees(config, tmp_path):
    prompt = tmp_path / "mine.txt"
    prompt.write_text("{gold_rationale} {rationale}")
    asking = replaced(
        config,
        reward="ralign",
        meta_judge="m",
        meta_judge_url="http://m/v1",
        concurrency=100,
        meta_prompt=prompt,
    )
    train(replaced(asking, dry_run=True))
    kwargs = settings_of(config)["reward"]["custom_reward_function"]["reward_kwargs"]
    files = VerlFiles(out=config.training.out)
    assert RewardSettings.of(kwargs) == RewardSettings(
        reward=replace(asking.reward, meta_prompt=files.meta_prompt),
        calls=replace(asking.calls, concurrency=12),
        reward_log=str(files.rewards),
    )
    assert files.meta_prompt.read_text() == prompt.read_text()


def test_a_served_meta_judge_has_a_model_and_gpus(config):
    served = replaced(config, reward="ralign", meta_judge="oss", serve_meta_judge=True, meta_judge_gpus=4)
    train(replaced(served, dry_run=True))
    reward_model = settings_of(config)["reward"]["reward_model"]
    assert (reward_model["model_path"], reward_model["n_gpus_per_node"]) == ("oss", 4)


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"stage": "sft", "algorithm": "grpo", "group_size": 8, "reward": "ralign"}, "--stage sft"),
        ({"schedule": "linear"}, "--schedule linear"),
        ({"reward": "ralign", "meta_judge": "m", "on_outage": "stop"}, "--on-outage stop"),
        ({"reward": "ralign", "meta_judge": "m"}, "--meta-judge without --meta-judge-url"),
        (
            {"reward": "ralign", "meta_judge": "m", "meta_judge_url": "u", "serve_meta_judge": True},
            "--serve-meta-judge needs",
        ),
    ],
)
def test_a_flag_without_effect_is_refused(config, fields, flag):
    with pytest.raises(InputError, match=f"^--engine verl with {flag}"):
        refuse_what_verl_cannot(replaced(config, **fields))


def test_ppo_needs_verl_and_no_group(config):
    with pytest.raises(InputError, match="--algorithm ppo needs --engine verl"):
        replaced(config, engine="trl", gpus_per_node=8, verl_python=None)
    with pytest.raises(InputError, match="--group-size is 1"):
        replaced(config, algorithm="grpo")
