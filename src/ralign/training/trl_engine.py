"""TRL 1.16 as the engine of `ralign train`: SFTTrainer for the warm start, GRPOTrainer for reinforcement learning.

The paper trains with PPO. TRL has no PPO trainer any more, so here it is GRPO: the mean reward of a prompt's group is
the baseline instead of a value model. One process a GPU: `accelerate launch -m ralign train ...`.
"""

import asyncio
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, cast

import torch
from accelerate import PartialState
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from peft import LoraConfig, PeftModel
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback

from ralign.errors import InputError
from ralign.files import AppendLog
from ralign.training.checkpoints import last_whole
from ralign.training.command import TrainingRun
from ralign.training.config import Role, TrainConfig
from ralign.training.decision_reward import DecisionReward
from ralign.training.examples import Example, TrainingData, list_left_out
from ralign.training.open_reward import greet_meta_judge, open_reward
from ralign.training.start_model import Start, chat, fitting, load_start
from ralign.training.trl_callbacks import SealCheckpoints, StepLog
from ralign.training.trl_config import check_extras, grpo_config, on_gpu, sft_config
from ralign.training.trl_reward import TrlReward, pair_columns
from ralign.training.trl_trainers import AsyncReward, JudgeGRPO, JudgeSFT, NotingReward

_UNSCORED: Final = "All reward functions returned None"


@dataclass(frozen=True, slots=True, kw_only=True)
class RlRole:
    """Whose reinforcement learning it is: a judge's, a meta-judge's, or a policy's (`ralign.policy`)."""

    reward: Callable[[TrainingRun, Start, int], AbstractContextManager[AsyncReward]]
    """Takes the run, its start, and how many processes train; opened around the whole of training."""
    columns: Callable[[Example], Mapping[str, object]]
    """What the reward needs of an example, as columns of the data."""
    callbacks: Sequence[TrainerCallback] = ()
    """Told of everything before those that log and report, so that they may add to it."""


def train(run: TrainingRun, role: RlRole | None = None) -> TrainingData:
    """Train, from the last whole checkpoint where there is one, and leave the model in `run.unfinished`.

    Args:
        run: what is trained, and where.
        role: in reinforcement learning, whose it is; the config's `role` unless told.

    Returns:
        What was trained on: the run's data without what is too long for the model.

    Raises:
        InputError: the model, an option or the sizes do not fit.
        EndpointRefused: the meta-judge will refuse every call.
        MetaJudgeDown: the meta-judge is down, and training was not to wait any longer.
    """
    config = run.config
    check_extras(config)
    processes = _processes(config)
    if run.main and config.stage == "rl":
        asyncio.run(greet_meta_judge(run))
    start = load_start(config)
    fit = fitting(run.data.examples, start, config)
    if run.main:
        for line in list_left_out(fit.left_out):
            run.console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    data = replace(run.data, examples=fit.examples, left_out=run.data.left_out + fit.left_out)
    run = replace(run, data=data)
    steps = config.steps_over(len(data.examples))
    disable_progress_bar()
    with ExitStack() as stack:
        # TRL 1.16 and peft 0.21 ask a model for this by a name that transformers 5.23 has given up.
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        log = stack.enter_context(AppendLog(run.log)) if run.main else None
        if config.stage == "sft":
            trainer = _sft(run, start, steps=steps, processes=processes)
        else:
            trainer = _grpo(run, start, stack, role or ROLES[config.role], steps=steps, processes=processes)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(StepLog(run, log, trainer.take_rows))
        trainer.add_callback(SealCheckpoints(run))
        whole = last_whole(run.checkpoints, run.digest)
        try:
            trainer.train(resume_from_checkpoint=None if whole is None else str(whole.path))
        except torch.OutOfMemoryError:
            raise InputError(
                f"out of GPU memory with --micro-batch {config.micro_batch}; what needs less: a smaller one, "
                "--gradient-checkpointing, --lora-rank, shorter --max-completion-tokens, a smaller --vllm-memory"
            ) from None
    _save(trainer, start, run)
    return data


def _processes(config: TrainConfig) -> int:
    """How many processes train; waits until the first has put the run directory in order.

    Raises:
        InputError: several GPUs and one process, which transformers would train in a way that TRL does not take.
    """
    # The others wait in their next collective while one rank waits for the meta-judge.
    timeout = timedelta(seconds=config.outage_patience + config.deadline + 1800)
    state = PartialState(cpu=not on_gpu(), timeout=timeout)
    if state.num_processes == 1 and torch.cuda.device_count() > 1:
        raise InputError(
            f"{torch.cuda.device_count()} GPUs are visible to one process; start one process a GPU with "
            "`accelerate launch -m ralign train ...`, or show it one: CUDA_VISIBLE_DEVICES=0"
        )
    state.wait_for_everyone()
    return state.num_processes


def _sft(run: TrainingRun, start: Start, *, steps: int, processes: int) -> JudgeSFT:
    return JudgeSFT(
        model=run.config.model,
        args=sft_config(run.config, str(run.checkpoints), steps=steps, processes=processes),
        train_dataset=_dataset(run.data.examples, start),
        processing_class=start.tokenizer,
        peft_config=_lora(run.config),
    )


def _judge_reward(run: TrainingRun, start: Start, processes: int) -> TrlReward:
    return TrlReward(
        lambda: open_reward(run, processes=processes),
        end_tokens=start.end_tokens,
        thought_opened=start.thought_opened,
    )


def _decision_reward(run: TrainingRun, start: Start, processes: int) -> DecisionReward:
    del run, processes
    return DecisionReward(end_tokens=start.end_tokens, thought_opened=start.thought_opened)


ROLES: Final[Mapping[Role, RlRole]] = {
    "judge": RlRole(reward=_judge_reward, columns=lambda example: pair_columns(example.pair, example.order)),
    "meta-judge": RlRole(reward=_decision_reward, columns=lambda example: {"decision": example.decision}),
}


def _grpo(
    run: TrainingRun, start: Start, stack: ExitStack, role: RlRole, *, steps: int, processes: int
) -> JudgeGRPO:
    logging.getLogger("trl.trainer.grpo_trainer").addFilter(_says_more_than_rates)
    reward = role.reward(run, start, processes)
    noting = NotingReward(cast(AsyncReward, reward))
    trainer = JudgeGRPO(
        model=run.config.model,
        reward_funcs=cast(Any, noting),
        noting=noting,
        args=grpo_config(run.config, start, str(run.checkpoints), steps=steps, processes=processes),
        train_dataset=_dataset(run.data.examples, start, role.columns),
        processing_class=start.tokenizer,
        peft_config=_lora(run.config),
    )
    trainer.callback_handler.callbacks[:0] = role.callbacks
    stack.callback(trainer.close)
    stack.enter_context(reward)  # left first: it ends what it runs in the trainer's event loop
    return trainer


def _says_more_than_rates(record: logging.LogRecord) -> bool:
    """TRL prints a whole prompt for each step with an unscored completion; the rates say how many there were."""
    return _UNSCORED not in record.getMessage()


def _dataset(
    examples: tuple[Example, ...],
    start: Start,
    columns: Callable[[Example], Mapping[str, object]] | None = None,
) -> Dataset:
    """One row an example: to imitate prompt and completion, to be rewarded prompt and the reward's columns."""
    rows: list[dict[str, Any]] = []
    for number, example in enumerate(examples):
        row: dict[str, Any] = {"prompt": chat(example), "row": number}
        if columns is not None:
            row |= columns(example)
        else:
            row["completion"] = [{"role": "assistant", "content": example.target or ""}]
            row["chat_template_kwargs"] = start.template_kwargs
        rows.append(row)
    return Dataset.from_list(rows)


def _lora(config: TrainConfig) -> LoraConfig | None:
    if config.lora_rank == 0:
        return None
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha or 2 * config.lora_rank,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _save(trainer: Trainer, start: Start, run: TrainingRun) -> None:
    """Leave whole weights and tokenizer in `run.unfinished`: adapters merged, weights stored as the start's are.

    Where the weights are spread over processes (FSDP, DeepSpeed), what the engine saves is left as it is: of a model
    with adapters, the adapters.
    """
    spread = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    if trainer.is_fsdp_enabled:
        cast(Any, trainer.accelerator.state.fsdp_plugin).set_state_dict_type("FULL_STATE_DICT")
    model = trainer.accelerator.unwrap_model(cast(Any, trainer.model))
    if spread:
        trainer.save_model(str(run.unfinished))
    elif not isinstance(model, PeftModel):
        if run.main:
            _store(cast(PreTrainedModel, model), start, run)
    else:
        trainer.save_model(str(run.config.out / "adapter"))
        if run.main:
            _store(cast(PreTrainedModel, cast(Any, model).merge_and_unload()), start, run)
    if run.main:
        start.tokenizer.save_pretrained(str(run.unfinished))
    PartialState().wait_for_everyone()


def _store(model: PreTrainedModel, start: Start, run: TrainingRun) -> None:
    if start.dtype is not None:
        cast(Any, model).to(start.dtype)
    model.save_pretrained(run.unfinished)
