"""What happens beside TRL's loop: the training log, a line on the console, checkpoints sealed once they are whole."""

from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Final

from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ralign.files import AppendLog
from ralign.training.checkpoints import prune, seal
from ralign.training.command import TrainingRun
from ralign.training.train_log import Step, encode_step

TakeRows = Callable[[], list[int]]
"""The places, in the examples, of the prompts this process has worked on since it was last asked."""

_SHOWN: Final = (  # the engine's name for it, ours, format
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
    ("grad_norm", "gradient", ".2f"),
    ("step_time", "seconds", ".1f"),
)


class StepLog(TrainerCallback):
    """Writes a line a step, and says it in short."""

    def __init__(self, run: TrainingRun, log: AppendLog | None, take_rows: TakeRows) -> None:
        """Take the run, its log (None in processes that do not write), and who knows the rows."""
        self._run: Final = run
        self._log: Final = log
        self._take_rows: Final = take_rows
        self._pairs: tuple[str, ...] = ()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Bring together which pairs the step was about, over all processes."""
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
        self._log.append(encode_step(Step(state.global_step, logs, self._pairs)))
        line = step_line(state.global_step, state.max_steps, logs)
        self._run.console.print(line, highlight=False, soft_wrap=True)


class SealCheckpoints(TrainerCallback):
    """Marks each checkpoint as whole once all processes have written it, and removes the older ones."""

    def __init__(self, run: TrainingRun) -> None:
        """Take the run whose checkpoints they are."""
        self._run: Final = run

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Wait for everyone's part, then seal."""
        PartialState().wait_for_everyone()
        if not self._run.main:
            return
        folder = self._run.checkpoints
        seal(Path(folder) / f"checkpoint-{state.global_step}", self._run.digest)
        prune(folder, self._run.digest, keep=self._run.config.keep_checkpoints)


def step_line(step: int, steps: int, metrics: Mapping[str, float | None]) -> str:
    """One compact line: the figures that there are, in a fixed order, a rate over nothing left out."""
    parts = [f"step {step:>{len(str(steps))}}/{steps}"]
    for name, label, form in _SHOWN:
        value = metrics.get(name)
        if value is not None and isfinite(value):
            parts.append(f"{label} {value:{form}}")
    return "  ".join(parts)
