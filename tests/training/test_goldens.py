"""Both engines' configurations through the command's own flags, every hyper-parameter at a value of its own.

Two flags that are crossed on their way to an engine change a golden; no other test would see it. Written anew by
`RALIGN_GOLDENS=1 pytest tests/training/test_goldens.py`, and then read.
"""

import json
import os
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from ralign.cli import app
from ralign.training.config import TrainConfig
from ralign.training.engines.trl.config import grpo_config, sft_config
from ralign.training.engines.trl.engine import lora_config
from ralign.training.engines.verl.config import config_text
from ralign.training.engines.verl.engine import _reward_function, _served_meta_judge
from ralign.training.engines.verl.files import VerlFiles
from ralign.training.options import TrainingOptions

FOLDER = Path(__file__).with_name("goldens")
BASE = SimpleNamespace(template_kwargs={"enable_thinking": False}, thought_opened=True)

SHARED = (
    "train a.jsonl --model Qwen/Qwen3-8B --out /runs/golden --seed 11 --batch 24 --warmup-steps 5 --weight-decay 0.07 "
    "--clip-norm 1.3 --learning-rate 0.00017 --max-prompt-tokens 3001 --max-completion-tokens 2003 --save-every 17 "
    "--report-to tensorboard"
)
RL = (
    f"{SHARED} --stage rl --meta-judge m --meta-judge-url http://m/v1 --group-size 6 --mini-batch 8 --temperature 0.9 "
    "--kl-coef 0.013 --clip 0.19 --clip-high 0.29 --steps 12"
)
TRL = f"{RL} --schedule linear --micro-batch 2 --vllm colocate --vllm-memory 0.41 --vllm-tensor-parallel 3"
VERL = (
    f"{RL} --engine verl --schedule cosine --nodes 2 --gpus-per-node 3 --reward-workers 15 --keep-checkpoints 4 "
    "--vllm-memory 0.41 --vllm-tensor-parallel 7 --gradient-checkpointing --thinking off --reward hybrid "
    "--reward-weight 0.31 --meta-temperature 0.43 --meta-max-tokens 9001 --meta-votes 3 --concurrency 150 "
    "--meta-judge-key-variable KEY --deadline 211 --try-timeout 97 --outage-patience 1801 --unscored leave_out "
    "--verdict arena-hard"
)
PPO = " --algorithm ppo --critic-learning-rate 0.00023 --critic-warmup-steps 9 --gae-lambda 0.93"

# What depends on the machine, or on the library's release.
OURS = (
    "max_steps", "seed", "per_device_train_batch_size", "gradient_accumulation_steps", "steps_per_generation",
    "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay", "max_grad_norm", "save_steps",
    "logging_steps", "report_to", "num_generations", "max_completion_length", "temperature", "beta", "epsilon",
    "epsilon_high", "run_name", "model_init_kwargs", "activation_checkpointing", "chat_template_kwargs", "use_vllm",
    "vllm_mode", "vllm_gpu_memory_utilization", "vllm_tensor_parallel_size", "vllm_max_model_length",
    "completion_only_loss", "max_length", "packing",
)  # fmt: skip


def config_of(line: str) -> TrainConfig:
    _, bound, _ = app.parse_args(line.split())
    return bound.args[0]


def check(name: str, found: str) -> None:
    path = FOLDER / name
    if os.environ.get("RALIGN_GOLDENS"):
        path.write_text(found)
    assert found == path.read_text()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("trl_grpo", f"{TRL} --gradient-checkpointing --lora-rank 12 --lora-alpha 31"),
        (
            "trl_sft",
            f"{SHARED} --stage sft --schedule cosine --micro-batch 3 --epochs 2.0 --weights bfloat16",
        ),
    ],
)
def test_every_hyper_parameter_has_its_own_place_in_trls_configuration(name, line, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = config_of(line)
    training = config.training
    steps = training.steps_over(240, config.stage)
    if config.stage == "rl":
        args = grpo_config(training, BASE, str(training.out), steps=steps, processes=2)
    else:
        args = sft_config(training, str(training.out), steps=steps, processes=2)
    found = {key: getattr(args, key) for key in OURS if hasattr(args, key)}
    found["lr_scheduler_type"] = str(found["lr_scheduler_type"].value)
    if (adapters := lora_config(training)) is not None:
        found["lora"] = {"r": adapters.r, "alpha": adapters.lora_alpha, "on": adapters.target_modules}
    check(f"{name}.json", json.dumps(found, indent=1) + "\n")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("verl_grpo", VERL),
        ("verl_ppo", VERL + PPO),
        (
            "verl_served",
            VERL.replace("--meta-judge-url http://m/v1", "--serve-meta-judge --meta-judge-gpus 6")
            + " --meta-judge-tensor-parallel 2",
        ),
    ],
)
def test_every_hyper_parameter_has_its_own_place_in_verls_configuration(name, line) -> None:
    config = config_of(line)
    files = VerlFiles(out=config.training.out)
    text = config_text(
        config.training,
        files,
        _reward_function(config, files, BASE),
        examples=240,
        served=_served_meta_judge(config),
    )
    check(f"{name}.yaml", text)
    assert yaml.safe_load(text)


def test_the_goldens_give_every_number_a_value_of_its_own() -> None:
    """Or two that are crossed would look right."""
    for line in (TRL, VERL + PPO):
        training = config_of(line).training
        numbers = [
            value
            for field in fields(TrainingOptions)
            if type(value := getattr(training, field.name)) in (int, float) and value != field.default
        ]
        assert len(set(numbers)) == len(numbers), sorted(numbers)
