"""A `TrainConfig` in TRL's words. What no flag of ours sets can be set by `--engine-option`.

Both stages: the data in the run's own order (TRL shuffles by the seed), one log line a step, checkpoints that are
sealed and pruned by us (transformers would remove the last whole one before the next is known to be whole), bf16
wherever there is a GPU, float32 elsewhere.
"""

import json
from dataclasses import fields
from importlib.util import find_spec
from typing import Any, Final, TypeVar, cast

import torch
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.sft_config import SFTConfig

from ralign.errors import InputError
from ralign.training.config import TrainConfig
from ralign.training.start_model import Start

T = TypeVar("T")

_SCHEDULES: Final = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


def sft_config(config: TrainConfig, folder: str, *, steps: int, processes: int) -> SFTConfig:
    """Supervised fine-tuning: completion tokens only, nothing cut (what is too long has been left out).

    Raises:
        InputError: an option that TRL does not have, or sizes that do not divide.
    """
    settings = _shared(config, folder, steps=steps, processes=processes)
    settings |= {"completion_only_loss": True, "max_length": None, "packing": False}
    return _made(SFTConfig, settings, config)


def grpo_config(config: TrainConfig, start: Start, folder: str, *, steps: int, processes: int) -> GRPOConfig:
    """GRPO: every step writes `batch * group_size` judgments and learns from them once.

    Raises:
        InputError: an option that TRL does not have, or sizes that do not divide.
    """
    settings = _shared(config, folder, steps=steps, processes=processes)
    settings |= {
        "num_generations": config.group_size,
        "max_completion_length": config.max_completion_tokens,
        "temperature": config.temperature,
        "beta": config.kl_coef,
        "epsilon": config.clip,
        "epsilon_high": config.clip_high,
        "chat_template_kwargs": start.template_kwargs,
        "use_vllm": config.vllm is not None,
    }
    if config.vllm is not None:
        settings |= {
            "vllm_mode": config.vllm,
            "vllm_server_base_url": config.vllm_url,
            "vllm_gpu_memory_utilization": config.vllm_memory,
            "vllm_tensor_parallel_size": config.vllm_tensor_parallel,
            "vllm_max_model_length": config.max_prompt_tokens + config.max_completion_tokens,
        }
    return _made(GRPOConfig, settings, config)


def accumulated(config: TrainConfig, processes: int) -> int:
    """How many micro batches of every process make one step.

    Raises:
        InputError: they do not come to a whole number.
    """
    at_once = config.micro_batch * processes
    if config.sequences_a_step % at_once:
        raise InputError(
            f"a step has {config.sequences_a_step} sequences, which --micro-batch {config.micro_batch} on {processes} "
            f"{'process' if processes == 1 else 'processes'} does not divide"
        )
    return config.sequences_a_step // at_once


def check_extras(config: TrainConfig) -> None:
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


def weight_dtype(config: TrainConfig) -> str:
    """How weights are kept."""
    if config.weights != "auto":
        return config.weights
    return "bfloat16" if config.lora_rank and on_gpu() else "float32"


def _shared(config: TrainConfig, folder: str, *, steps: int, processes: int) -> dict[str, Any]:
    gpu = on_gpu()
    return {
        "output_dir": folder,
        "run_name": config.out.name,
        "max_steps": steps,
        "seed": config.seed,
        "per_device_train_batch_size": config.micro_batch,
        "gradient_accumulation_steps": accumulated(config, processes),
        "learning_rate": config.rate,
        "lr_scheduler_type": _SCHEDULES[config.schedule],
        "warmup_steps": config.warmup_steps,
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
        "save_steps": config.save_every,
        "save_total_limit": None,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "report_to": config.report_to,
        "disable_tqdm": True,
    }


def _made(kind: type[T], settings: dict[str, Any], config: TrainConfig) -> T:
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
