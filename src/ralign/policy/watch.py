"""What happens beside a policy's training, step by step: length penalty, signs of a gamed judge, stop rules.

Comes in: what every process has graded in a step. Goes out: `signs.jsonl`, one line a step; the signs among the step's
logged metrics as `signs/NAME`; a training that ends where a rule fires; the length penalty's state in each checkpoint.
All processes see all answers, so all steer and stop alike.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ralign.files import AppendLog
from ralign.policy.grading import Graded
from ralign.policy.lengths import LengthKeeper
from ralign.policy.signs_log import encode_signs
from ralign.rewards.policy import LengthState
from ralign.rewards.reward_hacking import RewardHackingSigns, signs_of
from ralign.rewards.stop_rules import StopRules


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStep:
    """One optimiser step, as those see it who watch."""

    step: int
    """From 1."""
    groups: Sequence[Sequence[Graded]]
    """The answers of each prompt, over all processes, with rewards and verdicts by order."""
    signs: RewardHackingSigns
    lengths: LengthState
    """The length penalty after the step."""


OnStep = Callable[[PolicyStep], object]
"""Told of each step, in every process."""


class PolicyWatch(TrainerCallback):
    """TRL's trainer tells it of every step; it goes before those that log."""

    def __init__(
        self,
        *,
        take_graded: Callable[[], list[Graded]],
        lengths: LengthKeeper,
        rules: StopRules,
        group_size: int,
        checkpoints: Path,
        log: AppendLog | None,
        on_step: OnStep = lambda step: None,
    ) -> None:
        """`log` is None in processes that do not write."""
        self.fired: str | None = None
        """Which rule ended training, in one line; None: none did."""
        self._take_graded = take_graded
        self._lengths = lengths
        self._rules = rules
        self._group_size = group_size
        self._checkpoints = checkpoints
        self._log = log
        self._on_step = on_step
        self._signs: RewardHackingSigns | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Where a run is taken up, go on with the length penalty of its checkpoint."""
        if state.global_step:
            self._lengths.restore(self._checkpoints / f"checkpoint-{state.global_step}")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Bring the step's answers together, over all processes."""
        graded: list[Graded] = gather_object(self._take_graded())
        size = self._group_size
        groups = [graded[start : start + size] for start in range(0, len(graded), size)]
        self._lengths.step([each.completion for each in graded])
        self._signs = signs_of(state.global_step, [[each.as_answer() for each in group] for group in groups])
        if self._log is not None:
            self._log.append(encode_signs(self._signs))
        self._on_step(
            PolicyStep(step=state.global_step, groups=groups, signs=self._signs, lengths=self._lengths.state)
        )
        self.fired = self._rules.seen(self._signs)
        if self.fired is not None:
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
        if logs is not None and self._signs is not None and "train_runtime" not in logs:
            logs.update(logged_signs(self._signs))

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Put the length penalty's state into the checkpoint before it is sealed."""
        if state.is_world_process_zero:
            self._lengths.save(self._checkpoints / f"checkpoint-{state.global_step}")


def logged_signs(signs: RewardHackingSigns) -> Mapping[str, float]:
    """The signs by the names that they are logged under; NaN where the step cannot tell."""
    return {
        f"signs/{name}": math.nan if value is None else float(value)
        for name, value in signs.as_dict().items()
        if name not in ("step", "answers")
    }
