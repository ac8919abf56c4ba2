"""TRL 1.16 as the training engine: SFTTrainer for the warm start, GRPOTrainer for reinforcement learning.

The paper trains with PPO. TRL has no PPO trainer any more, so here it is GRPO: the mean reward of a prompt's group is
the baseline instead of a value model. One process a GPU: `accelerate launch -m ralign train ...`.
"""

import logging
import warnings
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import torch
from accelerate import PartialState
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from peft import LoraConfig, PeftModel
from transformers import PreTrainedModel, PrinterCallback, Trainer

from ralign.errors import InputError
from ralign.files import AppendLog
from ralign.thinking import marked_decoder
from ralign.training.checkpoints import last_complete
from ralign.training.engines.base_model import BaseModel, chat, engine_options, fitting, load_base_model
from ralign.training.engines.trl.callbacks import MarkCheckpoints, StepLog, WatchRewardHacking
from ralign.training.engines.trl.config import check_extras, grpo_config, on_gpu, sft_config
from ralign.training.engines.trl.reward import TrlReward
from ralign.training.engines.trl.trainers import RowGRPO, RowSFT
from ralign.training.examples import list_left_out
from ralign.training.options import TrainingOptions
from ralign.training.run import Trained, TrainingRun
from ralign.training.tasks.reward_hacking_watch import SIGNS


def train(run: TrainingRun) -> Trained:
    """Train, from the last complete checkpoint where there is one, and leave the model in `run.unfinished`.

    Raises:
        InputError: the model, an option or the sizes do not fit.
        EndpointRefused: the judge or meta-judge will refuse every call.
        MetaJudgeDown: it is down, and training was not to wait any longer.
    """
    training, task = run.training, run.task
    check_extras(training)
    processes = _processes(run)
    base = load_base_model(training, run.tell)
    examples, left_out = fitting(task.data.examples, base, training)
    for line in list_left_out(left_out):
        run.warn(line)
    data = replace(task.data, examples=examples, left_out=task.data.left_out + left_out)
    run = replace(run, data=data)
    steps = training.steps_over(len(examples), task.stage)
    with PartialState().main_process_first():
        training = engine_options(training, base, run.start)
    disable_progress_bar()
    with ExitStack() as stack:
        # TRL 1.16 and peft 0.21 ask a model for this by a name that transformers 5.23 has given up.
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        log = stack.enter_context(AppendLog(run.log_file)) if run.main else None
        folder = str(run.checkpoints)
        common: dict[str, Any] = {
            "model": training.model,
            "train_dataset": _dataset(run, base),
            "processing_class": base.tokenizer,
            "peft_config": lora_config(training),
        }
        if task.stage == "sft":
            args = sft_config(training, folder, steps=steps, processes=processes)
            trainer = RowSFT(args=args, **common)
        else:
            # TRL prints a whole prompt for each step with an unscored completion; the metrics say how many there were.
            trl_log = logging.getLogger("trl.trainer.grpo_trainer")
            unscored = "All reward functions returned None"
            trl_log.addFilter(lambda record: unscored not in record.getMessage())
            opened = task.open_reward(run.local_model, processes=processes, log=run.warn)
            reward = TrlReward(
                lambda: opened,
                lambda row, text, finish_reason: task.completion(
                    examples[row], text, finish_reason, thought_opened=base.thought_opened
                ),
                end_tokens=base.end_tokens,
                decode=marked_decoder(base.tokenizer),
                updates=training.updates,
                name=task.reward_name,
            )
            args = grpo_config(training, base, folder, steps=steps, processes=processes)
            trainer = RowGRPO(reward=reward, args=args, **common)
            stack.callback(trainer.close)
            # Left first: it ends what it runs in the trainer's event loop.
            stack.enter_context(reward)
        if task.watch is not None:
            signs = stack.enter_context(AppendLog(training.out / SIGNS)) if run.main else None
            # Before all others, transformers' own reporters too: it adds to what they log.
            trainer.callback_handler.callbacks.insert(0, WatchRewardHacking(run, task.watch, signs))
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(StepLog(run, log, trainer.take_rows))
        trainer.add_callback(MarkCheckpoints(run))
        last = last_complete(run.checkpoints, run.digest)
        try:
            trainer.train(resume_from_checkpoint=None if last is None else str(last.path))
        except torch.OutOfMemoryError:
            raise InputError(
                f"out of GPU memory with --micro-batch {training.micro_batch}; what needs less: a smaller one, "
                "--gradient-checkpointing, --lora-rank, shorter --max-completion-tokens, a smaller --vllm-memory"
            ) from None
    _save(trainer, base, run)
    return Trained(data, None if task.watch is None else task.watch.fired)


def _processes(run: TrainingRun) -> int:
    """How many processes train; waits until the first has put the run directory in order.

    Raises:
        InputError: several GPUs and one process, which transformers would train in a way that TRL does not take.
    """
    calls = run.task.calls
    # The others wait in their next collective while one rank waits for a judge that is down.
    timeout = timedelta(seconds=calls.outage_patience + calls.deadline + 1800)
    state = PartialState(cpu=not on_gpu(), timeout=timeout)
    # transformers would wrap the model in DataParallel, which gathers the batch on the first GPU.
    if state.num_processes == 1 and torch.cuda.device_count() > 1:
        raise InputError(
            f"{torch.cuda.device_count()} GPUs are visible to one process; start one process a GPU with `accelerate "
            f"launch -m ralign {run.task.command} ...`, or show it one: CUDA_VISIBLE_DEVICES=0"
        )
    state.wait_for_everyone()
    return state.num_processes


def _dataset(run: TrainingRun, base: BaseModel) -> Dataset:
    """One row an example: the prompt and its number, and in supervised fine-tuning the completion."""
    rows: list[dict[str, Any]] = []
    for number, example in enumerate(run.data.examples):
        row: dict[str, Any] = {"prompt": chat(example), "row": number}
        if run.task.stage == "sft":
            row["completion"] = [{"role": "assistant", "content": example.target or ""}]
            row["chat_template_kwargs"] = base.template_kwargs
        rows.append(row)
    return Dataset.from_list(rows)


def lora_config(training: TrainingOptions) -> LoraConfig | None:
    """Adapters on all linear layers; None where every weight is trained."""
    if training.lora_rank == 0:
        return None
    return LoraConfig(
        r=training.lora_rank,
        lora_alpha=training.lora_alpha or 2 * training.lora_rank,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _save(trainer: Trainer, base: BaseModel, run: TrainingRun) -> None:
    """Leave weights and tokenizer in `run.unfinished`: adapters merged, weights stored as the base model's are.

    Where the weights are spread over processes (FSDP, DeepSpeed), what the engine saves is left as it is: of a model
    with adapters, the adapters.
    """
    model = trainer.accelerator.unwrap_model(cast(Any, trainer.model))
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        if trainer.is_fsdp_enabled:
            cast(Any, trainer.accelerator.state.fsdp_plugin).set_state_dict_type("FULL_STATE_DICT")
        trainer.save_model(str(run.unfinished))
    else:
        # The adapters too, before they are merged: merging in bfloat16 rounds them away in part.
        if isinstance(model, PeftModel):
            trainer.save_model(str(run.training.out / "adapter"))
        if run.main:
            if isinstance(model, PeftModel):
                model = cast(Any, model).merge_and_unload()
            # Trained in float32, published as it came: twice the size would say nothing more.
            if base.dtype is not None:
                cast(Any, model).to(base.dtype)
            cast(PreTrainedModel, model).save_pretrained(run.unfinished)
    if run.main:
        base.tokenizer.save_pretrained(str(run.unfinished))
    PartialState().wait_for_everyone()
