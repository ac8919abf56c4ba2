"""`ralign train --engine verl` from flags to a published judge; verl is a stand-in here, and real in tests/cluster."""

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.training.micro import micro_config, prepared, train

from ralign.errors import InputError
from ralign.training.config import TrainConfig
from ralign.training.train_log import read_steps
from ralign.training.verl_engine import refuse_what_verl_cannot, reward_settings, verl_job
from ralign.training.verl_job import VerlFiles
from ralign.training.verl_launch import EngineFailed

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
    return micro_config(
        folder, tmp_path / "run", **settings, limit=24, gpus_per_node=1, verl_python=str(stub), epochs=2.0
    )


def settings_of(config: TrainConfig) -> dict:
    return yaml.safe_load(VerlFiles(out=config.out).config.read_text())


def test_a_judge_is_trained_and_published_with_what_its_rewards_were(config):
    said = train(config)
    assert "a stub" in said
    model = config.out / "model"
    assert (model / "config.json").exists()
    assert "Reinforcement learning (PPO)" in (model / "README.md").read_text()
    (step,) = read_steps(model / "train_log.jsonl")
    assert (step.step, step.metrics["label_right"], step.metrics["not_scored"]) == (3, 1.0, 0.0)
    assert len(step.pairs) == 24
    assert "Trained already" in train(config)


def test_a_dry_run_writes_and_checks_and_launches_nothing(config):
    said = train(replace(config, dry_run=True))
    files = VerlFiles(out=config.out)
    assert f"To start: bash {files.launch}" in said.replace("\n", "")
    assert "rl: 6 steps of 8 prompts" in said
    assert files.composed.exists()
    assert not files.checkpoints.exists()
    assert not (config.out / "model").exists()
    train(config)
    assert (config.out / "model").exists(), "the run itself goes on where the dry one stopped"


def test_a_verl_that_fails_leaves_no_model(config):
    with pytest.raises(EngineFailed, match="exit code 1"):
        train(replace(config, seed=13))
    assert not (config.out / "model").exists()


def test_the_flags_become_verls(config):
    train(replace(config, dry_run=True, clip_high=0.3, thinking=None, engine_option=("trainer.nnodes=4",)))
    written = settings_of(config)
    assert written["algorithm"]["adv_estimator"] == "gae"
    assert written["data"]["train_batch_size"] == 8
    assert written["actor_rollout_ref"]["actor"]["clip_ratio_high"] == 0.3
    assert written["actor_rollout_ref"]["rollout"]["n"] == 1
    assert written["trainer"]["nnodes"] == 4
    assert written["trainer"]["total_training_steps"] == 6
    assert written["trainer"]["total_epochs"] == 2


def test_epochs_are_enough_for_the_steps(config):
    job = verl_job(replace(config, steps=7), examples=24)
    assert (job.steps, job.epochs) == (7, 3)


def test_workers_share_the_cap_on_calls(config, tmp_path):
    asking = replace(
        config,
        reward="ralign",
        meta_judge="m",
        meta_judge_url="http://m/v1",
        concurrency=100,
        reward_workers=8,
    )
    settings = reward_settings(asking, VerlFiles(out=tmp_path), thought_opened=True)
    assert settings.concurrency == 12
    assert settings.thought_opened
    assert settings.patience == asking.outage_patience


def test_a_served_meta_judge_has_a_model_and_gpus(config):
    served = replace(config, reward="ralign", meta_judge="oss", serve_meta_judge=True, meta_judge_gpus=4)
    refuse_what_verl_cannot(served)
    job = verl_job(served, examples=24)
    assert job.served_meta_judge is not None
    assert (job.served_meta_judge.model, job.served_meta_judge.gpus_per_node) == ("oss", 4)


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"stage": "sft"}, "--stage sft"),
        ({"lora_rank": 8}, "--lora-rank"),
        ({"schedule": "linear"}, "--schedule linear"),
        ({"vllm": "colocate"}, "--vllm"),
        ({"on_outage": "stop"}, "--on-outage stop"),
        ({"reward": "ralign", "meta_judge": "m"}, "--meta-judge without --meta-judge-url"),
        ({"serve_meta_judge": True}, "--serve-meta-judge needs"),
    ],
)
def test_a_flag_without_effect_is_refused(config, fields, flag):
    with pytest.raises(InputError, match=f"^--engine verl with {flag}"):
        refuse_what_verl_cannot(replace(config, **fields))


def test_ppo_needs_verl_and_no_group(config):
    with pytest.raises(InputError, match="--algorithm ppo needs --engine verl"):
        replace(config, engine="trl")
    with pytest.raises(InputError, match="--group-size is 1"):
        replace(config, algorithm="grpo")
