"""What verl is told: a `VerlJob` in, verl's Hydra configuration out, with every hyper-parameter written down. Pure.

| what                      | PPO (the paper's)                               | GRPO                                 |
| ------------------------- | ----------------------------------------------- | ------------------------------------ |
| advantage                 | GAE (gamma, lambda) with a critic               | group's mean and spread              |
| critic                    | of the start's weights, its own rate, warmed up | none                                 |
| completions a prompt      | `group_size`, 1 by itself                       | `group_size`, 2 or more              |
| divergence from the start | taken off the reward, token by token (k1)       | a term of the loss (low-variance k3) |

Written is what differs from verl's `ppo_trainer.yaml`, or must not follow it when verl changes. All other keys stand
in `composed.yaml`, which `ralign.training.verl_check` writes. Where verl's default is not ours, the reason is given.
"""

from collections.abc import Iterable, Mapping
from typing import cast

import yaml

from ralign.errors import InputError
from ralign.training.verl_job import VerlFiles, VerlJob

REWARD_MODULE = "pkg://ralign.training.verl_reward"
"""Our reward function, by the name of its module: ralign is installed on every node, so no file has to travel."""

REWARD_FUNCTION = "compute_score"

Settings = dict[str, object]


def config_text(
    job: VerlJob, files: VerlFiles, reward_kwargs: Mapping[str, object], *, module: str = REWARD_MODULE
) -> str:
    """The file `config.yaml`: verl's defaults first, then ours over them.

    Args:
        job: what is trained.
        files: where everything lies.
        reward_kwargs: what the reward function is called with besides the sample.
        module: whose `compute_score` it is; a judge's, unless told.

    Raises:
        InputError: an option that is no NAME=VALUE, or a text that Hydra would take for a variable.
    """
    head: Settings = {
        # verl's own configuration, wherever it is installed; ours comes last and wins.
        "hydra": {"searchpath": ["pkg://verl.trainer.config"], "run": {"dir": str(files.folder / "hydra")}},
        "defaults": ["ppo_trainer", "_self_"],
    }
    ours = settings(job, files, reward_kwargs, module=module)
    for option in job.options:
        _set(ours, option)
    for key, text in _texts(ours):
        if "${" in text:
            raise InputError(f"{key} is {text!r}: Hydra takes ${{ for a variable")
    document = {**head, **ours}
    return (
        "# Written by ralign train --engine verl. What is not here is as verl has it: see composed.yaml.\n"
        + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    )


def settings(
    job: VerlJob, files: VerlFiles, reward_kwargs: Mapping[str, object], *, module: str = REWARD_MODULE
) -> Settings:
    """Our part of verl's configuration, by verl's keys."""
    ours: Settings = {
        "data": _data(job, files),
        "actor_rollout_ref": {
            "model": _model(job),
            "actor": _actor(job),
            "ref": _ref(job),
            "rollout": _rollout(job),
        },
        "algorithm": _algorithm(job),
        "reward": _reward(job, reward_kwargs, module),
        "trainer": _trainer(job, files),
    }
    if job.algorithm == "ppo":
        ours["critic"] = _critic(job)
    return ours


def _data(job: VerlJob, files: VerlFiles) -> Settings:
    data: Settings = {
        "train_files": str(files.data),
        # verl wants a validation set to load, and never runs it here: `ralign bench` measures the checkpoints, with
        # intervals and the meta-judge of one's choice.
        "val_files": str(files.data),
        "val_max_samples": 8,
        "train_batch_size": job.batch,
        "max_prompt_length": job.max_prompt_tokens,
        "max_response_length": job.max_completion_tokens,
        # A prompt that is too long is left out; cut, it would ask about an answer that the judge cannot see.
        "filter_overlong_prompts": True,
        "truncation": "error",
        "shuffle": True,
        "seed": job.seed,
    }
    if job.thinking is not None:
        data["apply_chat_template_kwargs"] = {"enable_thinking": job.thinking}
    return data


def _model(job: VerlJob) -> Settings:
    model: Settings = {
        "path": job.model,
        "enable_gradient_checkpointing": job.gradient_checkpointing,
        "use_remove_padding": True,
    }
    return model


def _optimiser(job: VerlJob, rate: float) -> Settings:
    return {
        "lr": rate,
        "lr_warmup_steps": job.warmup_steps,
        "lr_scheduler_type": job.schedule,
        "weight_decay": job.weight_decay,
    }


def _offload(job: VerlJob) -> Settings:
    return {"param_offload": job.offload, "optimizer_offload": job.offload}


def _actor(job: VerlJob) -> Settings:
    return {
        "ppo_mini_batch_size": job.mini_batch or job.batch,
        "ppo_epochs": 1,
        # Micro-batches by tokens, not by sequences: answers differ tenfold in length. One must hold the longest.
        "use_dynamic_bsz": True,
        "ppo_max_token_len_per_gpu": job.max_prompt_tokens + job.max_completion_tokens,
        "clip_ratio": job.clip,
        "clip_ratio_low": job.clip,
        "clip_ratio_high": job.clip if job.clip_high is None else job.clip_high,
        "loss_agg_mode": "token-mean",
        "entropy_coeff": 0,
        "use_kl_loss": job.algorithm == "grpo" and job.kl_coef > 0,
        "kl_loss_coef": job.kl_coef,
        "kl_loss_type": "low_var_kl",
        "grad_clip": job.clip_norm,
        "optim": _optimiser(job, job.learning_rate),
        "fsdp_config": _offload(job),
        # hf_model: the folder `huggingface` that transformers, vLLM and `ralign bench` take as it is.
        "checkpoint": {"save_contents": ["model", "optimizer", "extra", "hf_model"]},
    }


def _ref(job: VerlJob) -> Settings:
    return {"fsdp_config": {"param_offload": job.offload}}


def _rollout(job: VerlJob) -> Settings:
    return {
        "name": "vllm",
        "n": job.group_size,
        "temperature": job.temperature,
        "top_p": 1.0,
        "top_k": -1,
        "seed": job.seed,
        "gpu_memory_utilization": job.vllm_memory,
        "tensor_model_parallel_size": job.vllm_tensor_parallel,
        "max_model_len": job.max_prompt_tokens + job.max_completion_tokens,
    }


def _critic(job: VerlJob) -> Settings:
    return {
        "model": {
            "path": job.model,
            "enable_gradient_checkpointing": job.gradient_checkpointing,
            "use_remove_padding": True,
        },
        "ppo_max_token_len_per_gpu": 2 * (job.max_prompt_tokens + job.max_completion_tokens),
        "cliprange_value": 0.5,
        "grad_clip": job.clip_norm,
        "optim": _optimiser(job, job.critic_learning_rate),
        "fsdp": _offload(job),
    }


def _algorithm(job: VerlJob) -> Settings:
    if job.algorithm == "grpo":
        return {"adv_estimator": "grpo", "norm_adv_by_std_in_grpo": True, "use_kl_in_reward": False}
    return {
        "adv_estimator": "gae",
        "gamma": job.gamma,
        "lam": job.gae_lambda,
        "use_kl_in_reward": job.kl_coef > 0,
        "kl_penalty": "kl",
        "kl_ctrl": {"type": "fixed", "kl_coef": job.kl_coef},
    }


def _reward(job: VerlJob, reward_kwargs: Mapping[str, object], module: str) -> Settings:
    reward: Settings = {
        "num_workers": job.reward_workers,
        "reward_manager": {"name": "naive"},
        "custom_reward_function": {
            "path": module,
            "name": REWARD_FUNCTION,
            "reward_kwargs": dict(reward_kwargs),
        },
    }
    served = job.served_meta_judge
    if served is not None:
        reward["reward_model"] = {
            "enable": True,
            # GPUs of its own. On the trainer's, verl would judge only once all completions are there.
            "enable_resource_pool": True,
            "nnodes": served.nodes,
            "n_gpus_per_node": served.gpus_per_node,
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


def _trainer(job: VerlJob, files: VerlFiles) -> Settings:
    return {
        "nnodes": job.nodes,
        "n_gpus_per_node": job.gpus_per_node,
        "total_epochs": job.epochs,
        "total_training_steps": job.steps,
        "critic_warmup": job.critic_warmup_steps if job.algorithm == "ppo" else 0,
        "save_freq": job.save_every,
        "max_actor_ckpt_to_keep": job.keep_checkpoints,
        "max_critic_ckpt_to_keep": job.keep_checkpoints,
        "default_local_dir": str(files.checkpoints),
        "resume_mode": "auto",
        "rollout_data_dir": str(files.rollouts),
        "val_before_train": False,
        "test_freq": -1,
        "logger": ["console", *job.report_to],
        "project_name": "ralign",
        "experiment_name": files.out.name,
    }


def _set(settings: Settings, option: str) -> None:
    """Put one NAME=VALUE where its dotted name says; the value as YAML reads it."""
    name, equals, value = option.partition("=")
    *path, last = name.split(".")
    if not equals or not last or not all(path):
        raise InputError(f"the engine option is '{option}', expected NAME=VALUE with verl's dotted name")
    place = settings
    for part in path:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"the engine option '{option}' goes below '{part}', which is a value")
        place = cast(Settings, inner)
    try:
        place[last] = yaml.safe_load(value)
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
