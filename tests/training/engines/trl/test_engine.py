"""`ralign train` on TRL, on tiny models: it goes on where it was, refuses what does not fit, saves what loads."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.models.test_pretrained import adapter_on
from tests.training.configs import replaced
from tests.training.toy_judge import Interrupting, prepared, toy_config, train
from transformers import AutoModelForCausalLM

from ralign.errors import ConfigMismatch, InputError
from ralign.training.checkpoints import MARKER, checkpoints
from ralign.training.train_log import read_steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return prepared(tmp_path_factory.mktemp("micro"))


@pytest.mark.parametrize(
    "stage",
    [
        {"stage": "sft"},
        {"stage": "rl", "reward": "outcome", "group_size": 2, "mini_batch": 4},
        pytest.param({"stage": "rl", "reward": "outcome", "group_size": 2}, marks=pytest.mark.slow),
        pytest.param({"stage": "sft", "lora_rank": 2}, marks=pytest.mark.slow),
        pytest.param({"stage": "sft", "epochs": 3.0, "limit": 16, "steps": None}, marks=pytest.mark.slow),
        pytest.param(
            {"stage": "rl", "reward": "outcome", "kl_coef": 0.1, "lora_rank": 2}, marks=pytest.mark.slow
        ),
    ],
)
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(folder: Path, tmp_path: Path, stage) -> None:
    undisturbed = toy_config(folder, tmp_path / "undisturbed", **stage)
    interrupted = replaced(undisturbed, out=tmp_path / "interrupted")
    train(undisturbed)
    with pytest.raises(KeyboardInterrupt):
        train(interrupted, Interrupting("step 5/6"))
    # As a kill while a checkpoint is written leaves it: the newest folder, without its marker.
    # It is named after optimizer steps, of which a mini-batch makes several a training step.
    updates = interrupted.training.updates
    written = interrupted.training.out / "checkpoints"
    shutil.copytree(written / f"checkpoint-{4 * updates}", written / f"checkpoint-{5 * updates}")
    (written / f"checkpoint-{5 * updates}" / MARKER).unlink()
    said = train(interrupted)
    assert f"checkpoint-{5 * updates} was not complete and is removed" in said
    assert "going on from step 4" in said
    logs = [read_steps(config.training.out / "train_log.jsonl") for config in (undisturbed, interrupted)]
    assert [step.step for step in logs[1]] == [1, 2, 3, 4, 5, 6]
    assert [step.pairs for step in logs[0]] == [step.pairs for step in logs[1]]
    assert [step.metrics["loss"] for step in logs[0]] == [step.metrics["loss"] for step in logs[1]]
    weights = [
        load_file(config.training.out / "model" / "model.safetensors")
        for config in (undisturbed, interrupted)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert [each.step for each in checkpoints(written)] == [4 * updates, 6 * updates]


def test_a_finished_run_is_not_trained_again_and_another_config_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    config = toy_config(folder, tmp_path / "run", stage="sft", steps=1)
    train(config)
    assert "Trained already" in train(config)
    with pytest.raises(ConfigMismatch, match=r"learning_rate is 0\.001 in this run, and 0\.01 was asked for"):
        train(replaced(config, learning_rate=0.01))


def test_adapters_are_trained_alone_and_saved_merged_into_the_start(folder: Path, tmp_path: Path) -> None:
    config = toy_config(folder, tmp_path / "run", stage="sft", steps=2, lora_rank=2, learning_rate=1e-2)
    train(config)
    start = load_file(folder / "start" / "model.safetensors")
    trained = load_file(config.training.out / "model" / "model.safetensors")
    changed = {name for name in start if not torch.equal(start[name], trained[name])}
    assert changed
    assert all("proj" in name for name in changed)
    adapter = json.loads((config.training.out / "adapter" / "adapter_config.json").read_text())
    assert (adapter["r"], adapter["lora_alpha"]) == (2, 4)
    assert AutoModelForCausalLM.from_pretrained(config.training.out / "model").config.model_type == "qwen3"


def test_an_adapter_is_a_start_like_its_merged_model(folder: Path, tmp_path: Path) -> None:
    adapter = adapter_on(folder / "start", tmp_path / "adapter")
    limits = {"max_prompt_tokens": None, "max_completion_tokens": None}
    config = toy_config(folder, tmp_path / "run", stage="sft", steps=1, model=str(adapter), **limits)
    said = train(config)
    assert "can read 128 tokens: --max-prompt-tokens 86, --max-completion-tokens 42" in said
    merged = config.training.out / "start"
    train(toy_config(folder, tmp_path / "other", stage="sft", steps=1, model=str(merged)))
    one, other = (
        load_file(run / "model/model.safetensors") for run in (config.training.out, tmp_path / "other")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_too_long_is_left_out_and_said_never_cut(folder: Path, tmp_path: Path) -> None:
    config = toy_config(folder, tmp_path / "run", stage="sft", steps=1, max_prompt_tokens=44)
    said = train(config)
    assert "prompt longer than 44 tokens" in said
    card = (config.training.out / "model" / "README.md").read_text()
    assert "pairs were left out" in card
    with pytest.raises(InputError, match="0 prompts can be trained on"):
        train(toy_config(folder, tmp_path / "other", stage="sft", max_completion_tokens=5))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": "/no/such/model"}, "no model can be loaded from '/no/such/model'"),
        ({"max_completion_tokens": 64}, "are more than the 128 tokens"),
        ({"thinking": "off"}, "knows no enable_thinking; leave it out"),
        (
            {"micro_batch": 3},
            "an optimizer step has 8 sequences, which --micro-batch 3 on 1 process does not divide",
        ),
        ({"report_to": "trackio"}, "pip install trackio"),
        ({"engine_option": ("max_steps=3",)}, "ralign sets max_steps itself"),
        ({"engine_option": ("no_such=3",)}, "expected NAME=VALUE of TRL's SFTConfig"),
        ({"engine_option": ("optim=nothing",)}, "TRL refuses these settings"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_weight_is_loaded(folder, tmp_path, given, says: str) -> None:
    with pytest.raises(InputError) as error:
        train(toy_config(folder, tmp_path / "run", **{"stage": "sft"} | given))
    assert says in str(error.value)


def test_a_tokenizer_without_a_chat_template_is_refused_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "start", tmp_path / "base")
    (tmp_path / "base" / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match=r"has no chat template.*put a chat_template\.jinja beside"):
        train(toy_config(folder, tmp_path / "run", stage="sft", model=str(tmp_path / "base")))


def test_an_engine_option_reaches_the_engine(folder: Path, tmp_path: Path) -> None:
    options = ("adam_beta2=0.5", "optim=adamw_torch", "neftune_noise_alpha=null")
    config = toy_config(folder, tmp_path / "run", stage="sft", steps=1, engine_option=options)
    train(config)
    arguments = torch.load(
        config.training.out / "checkpoints/checkpoint-1/training_args.bin", weights_only=False
    )
    assert (arguments.adam_beta2, arguments.neftune_noise_alpha) == (0.5, None)
