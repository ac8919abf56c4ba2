"""`TrainingOptions` in verl's words: verl's Hydra configuration, with every hyper-parameter written down. Pure.

The paper trains its judges with PPO from Qwen3-8B and Qwen3-14B, and states no further hyper-parameter of it: every
number is our choice, and no claim of the paper's. GRPO is what `--engine trl` does, for comparison.

| what                      | PPO (the paper's)                               | GRPO                                 |
| ------------------------- | ----------------------------------------------- | ------------------------------------ |
| advantage                 | GAE (gamma, lambda) with a critic               | group's mean and spread              |
| critic                    | of the base model's weights, its own rate       | none                                 |
| completions a prompt      | `group_size`, 1 by itself                       | `group_size`, 2 or more              |
| KL to the base model      | taken off the reward, token by token (k1)       | a term of the loss (low-variance k3) |

Written is what differs from verl's `ppo_trainer.yaml`, or must not follow it when verl changes. All other keys stand
in `composed.yaml`, which `check` beside this module writes. Where verl's default is not ours, the reason is given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import cast

import yaml

from ralign.errors import InputError
from ralign.training.engines.verl.files import VerlFiles
from ralign.training.options import DEFAULT_CLIP, TrainingOptions

Settings = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardFunction:
    """A reward as verl finds it. ralign is installed on every node, so no file has to travel."""

    module: str
    """Module whose `compute_score` it is, as `pkg://NAME`."""
    kwargs: Mapping[str, object]
    """Arguments besides the sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMetaJudge:
    """An open meta-judge that verl itself serves, on GPUs of its own, so that its calls overlap with the rollout."""

    model: str
    """Path or hub name; GPT-OSS-120B in the paper."""
    gpus: int
    """On one node."""
    tensor_parallel: int
    max_completion_tokens: int
    max_prompt_tokens: int = 16384
    """Conversation, two answers, gold rationale and judgment."""


def config_text(
    training: TrainingOptions,
    files: VerlFiles,
    reward: RewardFunction,
    *,
    examples: int,
    command: str = "train",
    served: ServedMetaJudge | None = None,
) -> str:
    """The file `config.yaml`: verl's defaults first, then ours over them.

    Args:
        training: the hyper-parameters.
        files: where everything lies.
        reward: the reward function.
        examples: how many there are to train on.
        command: of `ralign`, for the first line.
        served: the meta-judge that verl serves, where it serves one.

    Raises:
        InputError: too few examples, sizes that do not go together, an option that is no NAME=VALUE, or a text that
            Hydra would take for a variable.
    """
    gpus = training.nodes * training.gpus_per_node
    if training.sequences_a_step("rl") % gpus:
        raise InputError(
            f"a step has {training.batch} x {training.group_size} completions, expected a multiple of the {gpus} GPUs"
        )
    head: Settings = {
        # verl's own configuration, wherever it is installed; ours comes last and wins.
        "hydra": {"searchpath": ["pkg://verl.trainer.config"], "run": {"dir": str(files.folder / "hydra")}},
        "defaults": ["ppo_trainer", "_self_"],
    }
    ours: Settings = {
        "data": _data(training, files),
        "actor_rollout_ref": {
            "model": _model(training),
            "actor": _actor(training),
            # Read once a batch, for the KL penalty: its weights rest in CPU memory otherwise.
            "ref": {"fsdp_config": {"param_offload": True}},
            "rollout": {
                "name": "vllm",
                "n": training.group_size,
                "temperature": training.temperature,
                # The importance ratio needs the log-probabilities of what was sampled from: no truncated sampling.
                "top_p": 1.0,
                "top_k": -1,
                "seed": training.seed,
                "gpu_memory_utilization": training.vllm_memory,
                "tensor_model_parallel_size": training.vllm_tensor_parallel,
                "max_model_len": training.context,
            },
        },
        "algorithm": _algorithm(training),
        "reward": _reward(training, reward, served),
        "trainer": _trainer(training, files, examples),
    }
    if training.algorithm == "ppo":
        ours["critic"] = {
            "model": _model(training),
            # A value a token in place of a vocabulary of logits: twice as many tokens fit.
            "ppo_max_token_len_per_gpu": 2 * training.context,
            "cliprange_value": 0.5,
            "grad_clip": training.clip_norm,
            "optim": _optimizer(training, training.critic_learning_rate),
            "fsdp": _offload(),
        }
    for option in training.engine_option:
        _set(ours, option)
    for key, text in _texts(ours):
        if "${" in text:
            raise InputError(f"{key} is {text!r}: Hydra takes ${{ for a variable")
    return (
        f"# Written by ralign {command} --engine verl. What is not here is as verl has it: see composed.yaml.\n"
        + yaml.safe_dump({**head, **ours}, sort_keys=False, allow_unicode=True, width=110)
    )


def _offload() -> Settings:
    # Weights and optimizer states rest in CPU memory while others compute: actor, critic, reference and vLLM share the
    # GPUs. Slower, and fits.
    return {"param_offload": True, "optimizer_offload": True}


def _data(training: TrainingOptions, files: VerlFiles) -> Settings:
    data: Settings = {
        "train_files": str(files.data),
        # verl wants a validation set to load, and never runs it here: `ralign bench` measures the checkpoints, with
        # intervals and the meta-judge of one's choice.
        "val_files": str(files.data),
        "val_max_samples": 8,
        "train_batch_size": training.batch,
        "max_prompt_length": training.max_prompt_tokens,
        "max_response_length": training.max_completion_tokens,
        # A prompt that is too long is left out; cut, it would ask about an answer that the judge cannot see.
        "filter_overlong_prompts": True,
        "truncation": "error",
        "shuffle": True,
        "seed": training.seed,
    }
    if training.thinking is not None:
        data["apply_chat_template_kwargs"] = {"enable_thinking": training.thinking == "on"}
    return data


def _model(training: TrainingOptions) -> Settings:
    return {
        "path": training.model,
        "enable_gradient_checkpointing": training.gradient_checkpointing,
        "use_remove_padding": True,
    }


def _optimizer(training: TrainingOptions, rate: float) -> Settings:
    return {
        "lr": rate,
        "lr_warmup_steps": training.warmup_steps,
        "lr_scheduler_type": training.schedule,
        "weight_decay": training.weight_decay,
    }


def _actor(training: TrainingOptions) -> Settings:
    clip = DEFAULT_CLIP if training.clip is None else training.clip
    return {
        # In prompts: verl multiplies by the completions of each.
        "ppo_mini_batch_size": training.mini_batch or training.batch,
        # One pass over a rollout: every further one would go further off-policy.
        "ppo_epochs": 1,
        # Micro-batches by tokens, not by sequences: answers differ tenfold in length. One must hold the longest.
        "use_dynamic_bsz": True,
        "ppo_max_token_len_per_gpu": training.context,
        # verl's lower and upper bound have defaults of their own, which `clip_ratio` alone would not move.
        "clip_ratio": clip,
        "clip_ratio_low": clip,
        "clip_ratio_high": clip if training.clip_high is None else training.clip_high,
        "loss_agg_mode": "token-mean",
        "entropy_coeff": 0,
        "use_kl_loss": training.algorithm == "grpo" and training.kl_coef > 0,
        "kl_loss_coef": training.kl_coef,
        "kl_loss_type": "low_var_kl",
        "grad_clip": training.clip_norm,
        "optim": _optimizer(training, training.rate("rl")),
        "fsdp_config": _offload(),
        # hf_model: the folder `huggingface` that transformers, vLLM and `ralign bench` take as it is.
        "checkpoint": {"save_contents": ["model", "optimizer", "extra", "hf_model"]},
    }


def _algorithm(training: TrainingOptions) -> Settings:
    if training.algorithm == "grpo":
        return {"adv_estimator": "grpo", "norm_adv_by_std_in_grpo": True, "use_kl_in_reward": False}
    return {
        "adv_estimator": "gae",
        # One reward at the end of one answer: nothing to discount.
        "gamma": 1.0,
        "lam": training.gae_lambda,
        "use_kl_in_reward": training.kl_coef > 0,
        "kl_penalty": "kl",
        "kl_ctrl": {"type": "fixed", "kl_coef": training.kl_coef},
    }


def _reward(training: TrainingOptions, function: RewardFunction, served: ServedMetaJudge | None) -> Settings:
    reward: Settings = {
        "num_workers": training.reward_workers,
        "reward_manager": {"name": "naive"},
        "custom_reward_function": {
            "path": function.module,
            "name": "compute_score",
            "reward_kwargs": dict(function.kwargs),
        },
    }
    if served is not None:
        reward["reward_model"] = {
            "enable": True,
            # GPUs of its own. On the trainer's, verl would judge only once all completions are there.
            "enable_resource_pool": True,
            "nnodes": 1,
            "n_gpus_per_node": served.gpus,
            "model_path": served.model,
            "rollout": {
                "name": "vllm",
                "tensor_model_parallel_size": served.tensor_parallel,
                "prompt_length": served.max_prompt_tokens,
                "response_length": served.max_completion_tokens,
                "max_model_len": served.max_prompt_tokens + served.max_completion_tokens,
            },
        }
    return reward


def _trainer(training: TrainingOptions, files: VerlFiles, examples: int) -> Settings:
    steps = training.steps_over(examples, "rl")
    return {
        "nnodes": training.nodes,
        "n_gpus_per_node": training.gpus_per_node,
        # verl drops an epoch's last, incomplete batch; epochs enough for the steps, which are what ends training.
        "total_epochs": ceil(steps / (examples // training.batch)),
        "total_training_steps": steps,
        "critic_warmup": training.critic_warmup_steps if training.algorithm == "ppo" else 0,
        "save_freq": training.save_every,
        "max_actor_ckpt_to_keep": training.keep_checkpoints,
        "max_critic_ckpt_to_keep": training.keep_checkpoints,
        "default_local_dir": str(files.checkpoints),
        # The same command goes on from the last checkpoint: what `launch.sh` promises.
        "resume_mode": "auto",
        "rollout_data_dir": str(files.rollouts),
        "val_before_train": False,
        "test_freq": -1,
        "logger": ["console"] if training.report_to == "none" else ["console", training.report_to],
        "project_name": "ralign",
        "experiment_name": files.out.name,
    }


def _set(settings: Settings, option: str) -> None:
    """Put one NAME=VALUE where its dotted name says; the value as YAML reads it."""
    name, equals, value = option.partition("=")
    *path, last = name.split(".")
    if not equals or not last or not all(path):
        raise InputError(f"the engine option is '{option}', expected NAME=VALUE with verl's dotted name")
    table = settings
    for part in path:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"the engine option '{option}' goes below '{part}', which is a value")
        table = cast(Settings, inner)
    try:
        table[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"the engine option '{option}' has a value that is not YAML") from None


def _texts(value: object, at: str = "") -> Iterable[tuple[str, str]]:
    """Every text in the settings with its dotted name."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, object]", value).items():
            yield from _texts(inner, f"{at}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for inner in cast("list[object]", value):
            yield from _texts(inner, at)
