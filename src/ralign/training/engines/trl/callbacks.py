"""TRL callbacks: the training log, a line on the console, checkpoints marked complete, the watch on reward hacking.

transformers counts optimizer steps; what is logged and watched is training steps, of `updates` optimizer steps each.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Final

from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ralign.files import AppendLog
from ralign.training.checkpoints import mark_complete, prune
from ralign.training.reward.scored import ScoredAnswer
from ralign.training.run import TrainingRun
from ralign.training.tasks.reward_hacking_watch import RewardHackingWatch, encode_signs
from ralign.training.train_log import Step, encode_step

TakeRows = Callable[[], list[int]]
"""Rows, in the examples, of the prompts this process has worked on since it was last asked."""

# The engine's name for it, ours, format.
_SHOWN: Final = (
    ("loss", "loss", ".4f"),
    ("mean_token_accuracy", "token accuracy", ".3f"),
    ("reward", "reward", ".3f"),
    ("ralign/label_right", "right", ".2f"),
    ("ralign/aligned_of_asked", "aligned", ".2f"),
    ("ralign/not_scored", "unscored", ".2f"),
    ("judge/score", "score", ".3f"),
    ("judge/unscored", "unscored", ".2f"),
    ("judge/order_disagreement", "orders differ", ".2f"),
    ("judge/length_coefficient", "length penalty", ".3f"),
    ("frac_reward_zero_std", "even groups", ".2f"),
    ("completions/mean_length", "length", ".0f"),
    ("completions/clipped_ratio", "cut off", ".2f"),
    ("kl", "kl", ".4f"),
    ("clip_ratio/region_mean", "clipped", ".3f"),
    ("grad_norm", "gradient", ".2f"),
    ("step_time", "seconds", ".1f"),
)


class StepLog(TrainerCallback):
    """Writes a line a training step, and prints it in short."""

    def __init__(self, run: TrainingRun, log: AppendLog | None, take_rows: TakeRows) -> None:
        """Take the run, its log (None in processes that do not write), and who knows the rows."""
        self._run: Final = run
        self._updates: Final = run.training.updates
        self._log: Final = log
        self._take_rows: Final = take_rows
        self._pairs: tuple[str, ...] = ()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Bring together which pairs the step was about, over all processes."""
        if state.global_step % self._updates:
            return
        rows: list[int] = gather_object(self._take_rows())
        examples = self._run.data.examples
        self._pairs = tuple(dict.fromkeys(examples[row].pair.id for row in rows))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float | None] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the step's figures; the summary that transformers gives at the end is no step."""
        if self._log is None or logs is None or "train_runtime" in logs:
            return
        step, steps = state.global_step // self._updates, state.max_steps // self._updates
        self._log.append(encode_step(Step(step, logs, self._pairs)))
        self._run.say(step_line(step, steps, logs))


class MarkCheckpoints(TrainerCallback):
    """Marks each checkpoint as complete once all processes have written it, and removes the older ones."""

    def __init__(self, run: TrainingRun) -> None:
        """Take the run whose checkpoints they are."""
        self._run: Final = run

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Wait for everyone's part, then mark."""
        PartialState().wait_for_everyone()
        if not self._run.main:
            return
        folder = self._run.checkpoints
        mark_complete(Path(folder) / f"checkpoint-{state.global_step}", self._run.digest)
        prune(folder, self._run.digest, keep=self._run.training.keep_checkpoints)


class WatchRewardHacking(TrainerCallback):
    """Shows a policy's watch every training step; it goes before those that log and mark checkpoints."""

    def __init__(self, run: TrainingRun, watch: RewardHackingWatch, log: AppendLog | None) -> None:
        """`log`: of the signs; None in processes that do not write."""
        self._run: Final = run
        self._watch: Final = watch
        self._log: Final = log

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Where a run is resumed, go on with the length penalty of its checkpoint."""
        if state.global_step:
            self._watch.restore(self._run.checkpoints / f"checkpoint-{state.global_step}")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Bring the step's answers together, over all processes."""
        if state.global_step % self._run.training.updates:
            return
        scored: list[ScoredAnswer] = gather_object(self._watch.take())
        signs = self._watch.step(state.global_step // self._run.training.updates, scored)
        if self._log is not None:
            self._log.append(encode_signs(signs))
        if self._watch.fired is not None:
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float | None] | None = None,
        **kwargs: Any,
    ) -> None:
        """Put the signs among what is logged; the summary at the end is no step."""
        if logs is not None and "train_runtime" not in logs:
            logs.update(self._watch.metrics())

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Put the length penalty's state into the checkpoint before it is marked."""
        if state.is_world_process_zero:
            self._watch.save(self._run.checkpoints / f"checkpoint-{state.global_step}")


def step_line(step: int, steps: int, metrics: Mapping[str, float | None]) -> str:
    """One compact line: the figures that there are, in a fixed order, a rate over nothing left out."""
    parts = [f"step {step:>{len(str(steps))}}/{steps}"]
    for name, label, form in _SHOWN:
        value = metrics.get(name)
        if value is not None and isfinite(value):
            parts.append(f"{label} {value:{form}}")
    return "  ".join(parts)
