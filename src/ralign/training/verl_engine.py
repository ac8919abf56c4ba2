"""verl as the engine of `ralign train`: reinforcement learning on Ray, on one machine or many, with PPO or GRPO.

Comes in: a `TrainingRun`. Goes out: the files of `ralign.training.verl_launch`, checked by the installed verl; after a
run that is not dry, the model of its last checkpoint, and a training log made of what every sample got. verl itself is
another process, of another environment if need be (`--verl-python`).
"""

import asyncio
import shutil
import sys
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any, cast

from transformers import PreTrainedTokenizerBase

from ralign.errors import InputError
from ralign.files import write_atomically
from ralign.training.command import TrainingRun
from ralign.training.config import TrainConfig
from ralign.training.examples import TrainingData, list_left_out
from ralign.training.start_model import fitting, load_start
from ralign.training.train_log import encode_step
from ralign.training.verl_job import Schedule, ServedMetaJudge, VerlFiles, VerlJob
from ralign.training.verl_launch import (
    EngineFailed,
    ask_meta_judge_once,
    check_run,
    last_step,
    launch,
    write_run,
)
from ralign.training.verl_log import gather_steps
from ralign.training.verl_worker import RewardSettings


def train(run: TrainingRun) -> TrainingData | None:
    """Write the run for verl, let verl check it, and unless the run is dry, launch it.

    Returns:
        What was trained on; None after a dry run.

    Raises:
        InputError: a flag that verl has no use for, or what verl refuses.
        EndpointRefused, CallFailed: the meta-judge cannot be asked from here.
        EngineFailed: verl ended with an error.
    """
    config = run.config
    refuse_what_verl_cannot(config)
    python = config.verl_python or sys.executable
    start = load_start(config)
    fit = fitting(run.data.examples, start, config)
    for line in list_left_out(fit.left_out):
        run.console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    files = VerlFiles(out=config.out.resolve())
    job = verl_job(config, examples=len(fit.examples))
    reward = reward_settings(config, files, thought_opened=start.thought_opened)
    if config.meta_prompt is not None:
        write_atomically(files.meta_prompt, config.meta_prompt.read_bytes())
    write_run(job, reward, files, fit.examples, python=python, control_tokens=control_tokens(start.tokenizer))
    for note in check_run(files, python=python):
        run.console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)
    command = f"bash {files.launch}"
    if config.dry_run:
        run.console.print(f"verl takes it. To start: {command}", highlight=False, soft_wrap=True)
        return None
    asyncio.run(ask_meta_judge_once(reward))
    run.console.print(command, highlight=False, soft_wrap=True)
    launch(files)
    take_model(run, files)
    return replace(run.data, examples=fit.examples, left_out=run.data.left_out + fit.left_out)


def refuse_what_verl_cannot(config: TrainConfig) -> None:
    """Refuse flags that would be without effect.

    Raises:
        InputError: naming the flag.
    """
    wrong = {
        "--stage sft: verl trains by reinforcement here; --engine trl makes the warm start": config.stage
        == "sft",
        "--lora-rank: verl's checkpoints of adapters are not tried; leave it out": config.lora_rank > 0,
        "--schedule linear: verl has constant and cosine": config.schedule == "linear",
        "--vllm: verl always samples with vLLM; leave it out": config.vllm is not None,
        "--weights: verl keeps float32 and computes in bfloat16; leave it out": config.weights != "auto",
        "--on-outage stop: a reward cannot stop verl; --unscored leave_out ends a step without samples": (
            config.on_outage == "stop"
        ),
        "--meta-judge without --meta-judge-url: give one, or --serve-meta-judge": (
            config.meta_judge is not None and config.meta_judge_url is None and not config.serve_meta_judge
        ),
        "--serve-meta-judge needs --meta-judge, and no --meta-judge-url": (
            config.serve_meta_judge and (config.meta_judge is None or config.meta_judge_url is not None)
        ),
    }
    for complaint, found in wrong.items():
        if found:
            raise InputError(f"--engine verl with {complaint}")


def verl_job(config: TrainConfig, *, examples: int) -> VerlJob:
    """The config in verl's words.

    Raises:
        InputError: there are fewer examples than one step takes, or sizes that do not go together.
    """
    steps = config.steps_over(examples)
    served = None
    if config.serve_meta_judge and config.meta_judge is not None:
        served = ServedMetaJudge(
            model=config.meta_judge,
            gpus_per_node=config.meta_judge_gpus,
            tensor_parallel=config.meta_judge_tensor_parallel,
            max_completion_tokens=config.meta_max_tokens or 16384,
        )
    return VerlJob(
        model=config.model,
        algorithm=config.algorithm,
        batch=config.batch,
        group_size=config.group_size,
        steps=steps,
        epochs=ceil(steps / (examples // config.batch)),
        learning_rate=config.rate,
        critic_learning_rate=config.critic_learning_rate,
        critic_warmup_steps=config.critic_warmup_steps,
        warmup_steps=config.warmup_steps,
        schedule=cast(Schedule, config.schedule),
        weight_decay=config.weight_decay,
        clip_norm=config.clip_norm,
        clip=config.clip,
        clip_high=config.clip_high,
        gae_lambda=config.gae_lambda,
        kl_coef=config.kl_coef,
        temperature=config.temperature,
        max_prompt_tokens=config.max_prompt_tokens,
        max_completion_tokens=config.max_completion_tokens,
        thinking=None if config.thinking is None else config.thinking == "on",
        gradient_checkpointing=config.gradient_checkpointing,
        vllm_memory=config.vllm_memory,
        vllm_tensor_parallel=config.vllm_tensor_parallel,
        nodes=config.nodes,
        gpus_per_node=config.gpus_per_node,
        reward_workers=config.reward_workers,
        save_every=config.save_every,
        keep_checkpoints=config.keep_checkpoints,
        report_to=() if config.report_to == "none" else (config.report_to,),
        served_meta_judge=served,
        options=config.engine_option,
        seed=config.seed,
    )


def reward_settings(config: TrainConfig, files: VerlFiles, *, thought_opened: bool) -> RewardSettings:
    """What travels to the reward workers."""
    return RewardSettings(
        reward=config.reward,
        reward_weight=config.reward_weight,
        meta_judge=config.meta_judge,
        meta_judge_url=config.meta_judge_url,
        meta_judge_key_variable=config.meta_judge_key_variable,
        meta_prompt=None if config.meta_prompt is None else str(files.meta_prompt),
        meta_temperature=config.meta_temperature,
        meta_max_tokens=config.meta_max_tokens,
        meta_body=config.meta_body,
        meta_votes=config.meta_votes,
        concurrency=max(1, config.concurrency // config.reward_workers),
        deadline=config.deadline,
        try_timeout=config.try_timeout,
        patience=config.outage_patience,
        unscored=config.unscored,
        thought_opened=thought_opened,
        seed=config.seed,
    )


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> frozenset[str]:
    """The tokens that mean something to a chat: what is special, and what is written as a tag."""
    added = cast("dict[str, int]", cast(Any, tokenizer).get_added_vocab())
    tags = {token for token in added if token[:1] in ("<", "[") and token[-1:] in (">", "]")}
    return frozenset(token for token in tags.union(tokenizer.all_special_tokens) if len(token) > 1)


def take_model(run: TrainingRun, files: VerlFiles) -> None:
    """Put the last checkpoint's model, and the log of its rewards, where `ralign train` publishes them from.

    Raises:
        EngineFailed: verl has left no checkpoint with a model.
        InputError: a reward log that is none of ours.
    """
    step = last_step(files)
    if step is None or not (model := files.model_of(step)).is_dir():
        raise EngineFailed(f"verl ended without a checkpoint in {files.checkpoints}; see its output above")
    lines = (encode_step(each) + b"\n" for each in gather_steps(files.rewards))
    write_atomically(run.log, b"".join(lines))
    shutil.rmtree(run.unfinished, ignore_errors=True)
    shutil.copytree(model, Path(run.unfinished))
