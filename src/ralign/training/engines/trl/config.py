"""`TrainingOptions` in TRL's words. What no flag of ours sets can be set by `--engine-option`.

Both stages: the data in the run's own order (TRL shuffles by the seed), one log line a training step, checkpoints that
are marked and pruned by us (transformers would remove the last complete one before the next is known to be complete),
bf16 wherever there is a GPU, float32 elsewhere.

A training step of ours is one rollout; transformers counts optimizer steps, of which a rollout takes
`batch / mini_batch`. So all that transformers counts in steps is multiplied by that.
"""

import json
from dataclasses import fields
from importlib.util import find_spec
from typing import Any, Final, TypeVar, cast

import torch
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.sft_config import SFTConfig

from ralign.errors import InputError
from ralign.training.engines.base_model import BaseModel
from ralign.training.options import DEFAULT_CLIP, Stage, TrainingOptions

T = TypeVar("T")

_SCHEDULES: Final = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


def sft_config(config: TrainingOptions, folder: str, *, steps: int, processes: int) -> SFTConfig:
    """Supervised fine-tuning: completion tokens only, nothing cut (what is too long has been left out).

    Raises:
        InputError: an option that TRL does not have, or sizes that do not divide.
    """
    settings = _shared(config, "sft", folder, steps=steps, processes=processes)
    settings |= {"completion_only_loss": True, "max_length": None, "packing": False}
    return _made(SFTConfig, settings, config)


def grpo_config(
    config: TrainingOptions, base: BaseModel, folder: str, *, steps: int, processes: int
) -> GRPOConfig:
    """GRPO: every training step samples `batch * group_size` completions, used for `batch / mini_batch` updates.

    Raises:
        InputError: an option that TRL does not have, or sizes that do not divide.
    """
    settings = _shared(config, "rl", folder, steps=steps, processes=processes)
    settings |= {
        "num_generations": config.group_size,
        "max_completion_length": config.max_completion_tokens,
        "temperature": config.temperature,
        "beta": config.kl_coef,
        # TRL samples once for so many micro-batches; where they are more than one optimizer step takes, it computes the
        # sampling policy's log-probabilities first, and the ratio to them is what is clipped.
        "steps_per_generation": accumulated(config, "rl", processes) * config.updates,
        "epsilon": DEFAULT_CLIP if config.clip is None else config.clip,
        "epsilon_high": config.clip_high,
        "chat_template_kwargs": base.template_kwargs,
        "use_vllm": config.vllm is not None,
    }
    if config.vllm is not None:
        settings |= {
            "vllm_mode": config.vllm,
            "vllm_server_base_url": config.vllm_url,
            "vllm_gpu_memory_utilization": config.vllm_memory,
            "vllm_tensor_parallel_size": config.vllm_tensor_parallel,
            "vllm_max_model_length": config.context,
        }
    return _made(GRPOConfig, settings, config)


def accumulated(config: TrainingOptions, stage: Stage, processes: int) -> int:
    """Micro-batches of every process that make one optimizer step.

    Raises:
        InputError: they do not come to a whole number.
    """
    at_once = config.micro_batch * processes
    sequences = config.sequences_a_step(stage) // config.updates
    if sequences % at_once:
        raise InputError(
            f"an optimizer step has {sequences} sequences, which --micro-batch {config.micro_batch} on {processes} "
            f"{'process' if processes == 1 else 'processes'} does not divide"
        )
    return sequences // at_once


def check_extras(config: TrainingOptions) -> None:
    """See that what is asked for is installed, before anything is loaded.

    Raises:
        InputError: naming what to install.
    """
    if config.report_to != "none" and find_spec(config.report_to) is None:
        raise InputError(
            f"--report-to {config.report_to}: it is not installed: pip install {config.report_to}"
        )
    if config.vllm is not None and find_spec("vllm") is None:
        raise InputError(f"--vllm {config.vllm}: vllm is not installed: pip install 'trl[vllm]'")
    if config.lora_rank and find_spec("peft") is None:
        raise InputError("--lora-rank needs peft: pip install 'ralign[train]'")


def on_gpu() -> bool:
    """Whether training runs on a GPU."""
    return torch.cuda.is_available()


def weight_dtype(config: TrainingOptions) -> str:
    """Dtype of the trained weights."""
    if config.weights != "auto":
        return config.weights
    return "bfloat16" if config.lora_rank and on_gpu() else "float32"


def _shared(
    config: TrainingOptions, stage: Stage, folder: str, *, steps: int, processes: int
) -> dict[str, Any]:
    gpu = on_gpu()
    return {
        "output_dir": folder,
        "run_name": config.out.name,
        "max_steps": steps * config.updates,
        "seed": config.seed,
        "per_device_train_batch_size": config.micro_batch,
        "gradient_accumulation_steps": accumulated(config, stage, processes),
        "learning_rate": config.rate(stage),
        "lr_scheduler_type": _SCHEDULES[config.schedule],
        "warmup_steps": config.warmup_steps * config.updates,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.clip_norm,
        "model_init_kwargs": {"dtype": weight_dtype(config)},
        "activation_checkpointing": config.gradient_checkpointing,
        "bf16": gpu and torch.cuda.is_bf16_supported(),
        "use_cpu": not gpu,
        "dataloader_pin_memory": gpu,
        "ddp_find_unused_parameters": False,
        "remove_unused_columns": False,
        "save_strategy": "steps",
        "save_steps": config.save_every * config.updates,
        "save_total_limit": None,
        "logging_strategy": "steps",
        "logging_steps": config.updates,
        "report_to": config.report_to,
        "disable_tqdm": True,
    }


def _made(kind: type[T], settings: dict[str, Any], config: TrainingOptions) -> T:
    """TRL's config of our settings and the user's options."""
    known = {field.name for field in fields(cast(Any, kind))}
    options: dict[str, Any] = {}
    for option in config.engine_option:
        name, equals, text = option.partition("=")
        if not equals or name not in known:
            raise InputError(f"--engine-option is {option!r}, expected NAME=VALUE of TRL's {kind.__name__}")
        if name in settings:
            raise InputError(f"--engine-option {option}: ralign sets {name} itself; use the flag for it")
        try:
            options[name] = json.loads(text)
        except json.JSONDecodeError:
            options[name] = text
    try:
        return kind(**settings, **options)
    except (TypeError, ValueError, ImportError) as error:
        raise InputError(f"TRL refuses these settings: {error}") from None
