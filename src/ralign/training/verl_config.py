"""What verl is told: a `VerlJob` in, verl's Hydra configuration out, with every hyper-parameter written down. Pure.

The paper trains its judges with PPO (METHOD.md, "Training the GenRM") from Qwen3-8B and Qwen3-14B, and states no
further hyper-parameter of it; so every number below is our choice, and no claim of the paper's. Where verl's default
is not ours, the reason stands beside it. GRPO is what `ralign train --engine trl` does, for comparison.

| what                      | PPO                                             | GRPO                                 |
| ------------------------- | ----------------------------------------------- | ------------------------------------ |
| advantage                 | GAE (gamma, lambda) with a critic               | group's mean and spread              |
| critic                    | of the start's weights, its own rate, warmed up | none                                 |
| completions a prompt      | `group_size`, 1 by itself                       | `group_size`, 2 or more              |
| divergence from the start | taken off the reward, token by token (k1)       | a term of the loss (low-variance k3) |

Only what differs from verl's `ppo_trainer.yaml`, or must not follow it when verl changes, is written; the check adds
`composed.yaml` with every other key as verl will see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from ralign.errors import InputError

Algorithm = Literal["ppo", "grpo"]
Schedule = Literal["constant", "cosine"]

REWARD_MODULE = "pkg://ralign.training.verl_reward"
"""Our reward function, by the name of its module: ralign is installed on every node, so no file has to travel."""

REWARD_FUNCTION = "compute_score"

Settings = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMetaJudge:
    """An open meta-judge that verl itself serves, on GPUs of its own, so that its calls overlap with the rollout."""

    model: str
    """Path or hub name; GPT-OSS-120B in the paper."""
    nodes: int = 1
    gpus_per_node: int = 8
    tensor_parallel: int = 4
    max_prompt_tokens: int = 16384
    """Conversation, two answers, gold rationale and judgment."""
    max_completion_tokens: int = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class VerlJob:
    """One training run on verl."""

    model: str
    """The start: path or hub name."""
    algorithm: Algorithm = "ppo"
    batch: int = 256
    """Prompts a step."""
    mini_batch: int = 64
    """Prompts an optimiser step: batch / mini_batch of them use one rollout."""
    group_size: int = 1
    """Completions a prompt."""
    steps: int | None = None
    """Training steps; None: `epochs` over the data."""
    epochs: int = 1
    learning_rate: float = 1e-6
    critic_learning_rate: float = 1e-5
    critic_warmup_steps: int = 10
    """Steps in which only the critic learns: its head starts at random, and advantages from it would be noise."""
    warmup_steps: int = 0
    schedule: Schedule = "constant"
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    clip: float = 0.2
    clip_high: float | None = None
    gamma: float = 1.0
    """One reward at the end of one answer: nothing to discount."""
    gae_lambda: float = 1.0
    kl_coef: float = 0.001
    temperature: float = 1.0
    max_prompt_tokens: int = 8192
    max_completion_tokens: int = 8192
    """The authors' judges are measured with as many."""
    thinking: bool | None = None
    """What the chat template is told (Qwen3's `enable_thinking`); None: nothing."""
    lora_rank: int = 0
    lora_alpha: int | None = None
    gradient_checkpointing: bool = True
    offload: bool = True
    """Keep weights and optimiser states in CPU memory while others compute: actor, critic, reference and vLLM share
    the GPUs. Slower, and fits."""
    vllm_memory: float = 0.5
    vllm_tensor_parallel: int = 1
    nodes: int = 1
    gpus_per_node: int = 8
    reward_workers: int = 8
    """Processes that compute rewards, spread over the nodes."""
    save_every: int = 50
    keep_checkpoints: int = 2
    report_to: tuple[str, ...] = ()
    """Trackers besides the console, by verl's names."""
    served_meta_judge: ServedMetaJudge | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what verl would train with and should not.

        Raises:
            InputError: naming the field, what was found and what to do.
        """
        if self.algorithm == "grpo" and self.group_size < 2:
            raise InputError(
                f"group_size is {self.group_size} for GRPO, expected 2 or more: a judgment is compared with its group"
            )
        if self.batch % self.mini_batch:
            raise InputError(
                f"mini_batch is {self.mini_batch}, expected a divisor of the batch, {self.batch}"
            )
        if (self.batch * self.group_size) % (self.nodes * self.gpus_per_node):
            raise InputError(
                f"a step has {self.batch} x {self.group_size} completions, expected a multiple of the "
                f"{self.nodes * self.gpus_per_node} GPUs"
            )
        if "${" in self.model:
            raise InputError(f"the model is {self.model!r}: Hydra would take ${{ for a variable")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerlFiles:
    """Where a run's files lie, for every process of the run: absolute, on several nodes a shared folder."""

    out: Path

    @property
    def train(self) -> Path:
        """The rows that are trained on."""
        return self.out / "data" / "train.parquet"

    @property
    def config(self) -> Path:
        """Our configuration, over verl's."""
        return self.out / "config.yaml"

    @property
    def composed(self) -> Path:
        """Every key as verl will see it; written by the check."""
        return self.out / "composed.yaml"

    @property
    def launch(self) -> Path:
        """The command."""
        return self.out / "launch.sh"

    @property
    def checkpoints(self) -> Path:
        """`global_step_N/actor/huggingface` is a model that transformers and vLLM load."""
        return self.out / "checkpoints"

    @property
    def rollouts(self) -> Path:
        """`N.jsonl`: every completion of step N with its score and flags."""
        return self.out / "rollouts"


def config_text(job: VerlJob, files: VerlFiles, reward_kwargs: Mapping[str, object]) -> str:
    """The file `config.yaml`: verl's defaults first, then ours over them."""
    head: Settings = {
        # verl's own configuration, wherever it is installed; ours comes last and wins.
        "hydra": {"searchpath": ["pkg://verl.trainer.config"], "run": {"dir": str(files.out / "hydra")}},
        "defaults": ["ppo_trainer", "_self_"],
    }
    document = {**head, **settings(job, files, reward_kwargs)}
    return (
        "# Written by ralign train --engine verl. What is not here is as verl has it: see composed.yaml.\n"
        + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    )


def settings(job: VerlJob, files: VerlFiles, reward_kwargs: Mapping[str, object]) -> Settings:
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
        "reward": _reward(job, reward_kwargs),
        "trainer": _trainer(job, files),
    }
    if job.algorithm == "ppo":
        ours["critic"] = _critic(job)
    return ours


def _data(job: VerlJob, files: VerlFiles) -> Settings:
    data: Settings = {
        "train_files": str(files.train),
        # verl wants a validation set to load, and never runs it here: `ralign bench` measures the checkpoints, with
        # intervals and the meta-judge of one's choice.
        "val_files": str(files.train),
        "val_max_samples": 1,
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
    if job.lora_rank:
        model |= {"lora_rank": job.lora_rank, "lora_alpha": job.lora_alpha or 2 * job.lora_rank}
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
        "ppo_mini_batch_size": job.mini_batch,
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


def _reward(job: VerlJob, reward_kwargs: Mapping[str, object]) -> Settings:
    reward: Settings = {
        "num_workers": job.reward_workers,
        "reward_manager": {"name": "naive"},
        "custom_reward_function": {
            "path": REWARD_MODULE,
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
