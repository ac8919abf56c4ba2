"""Training run: from a task to a run directory with a model in it, whatever is trained and whichever engine trains.

Comes in: a `Task`, and the engine. Goes out:

    config.toml           resolved, with versions and the run's fingerprint
    train_log.jsonl       one line a step
    signs.jsonl           a policy's alone: signs of reward hacking, one line a step
    checkpoints/          what the same command resumes from
    held_out/             a meta-judge's alone: the pairs it has not learned from
    model/                weights, tokenizer, README.md, config.toml, the logs; there once all of it is

Where several processes train (one a GPU), the first alone writes here; the engine's checkpoints apart.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console

from ralign.files import (
    check_fingerprint,
    list_bad_rows,
    lock_directory,
    versions,
    write_atomically,
    write_pairs,
)
from ralign.models import LoadLocalModel
from ralign.records import PreferencePair
from ralign.runs.options import as_table, fingerprint
from ralign.training.checkpoints import last_complete, remove_partial, run_digest
from ralign.training.examples import TrainingData, list_left_out
from ralign.training.model_card import model_card
from ralign.training.options import Engine, TrainingOptions
from ralign.training.preflight import preflight
from ralign.training.tasks.reward_hacking_watch import SIGNS
from ralign.training.tasks.task import Task
from ralign.training.train_log import LOG, cut_after, read_steps

# Each engine needs its own of these, and none needs all.
_PACKAGES: Final = ("torch", "transformers", "trl", "peft", "accelerate", "vllm", "verl")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """One run, as an engine sees it."""

    task: Task
    data: TrainingData
    """The task's; an engine replaces it by what fits its tokenizer."""
    digest: str
    """Names the run: its checkpoints are marked with it."""
    main: bool
    """Whether this process writes."""
    console: Console
    local_model: LoadLocalModel

    @property
    def training(self) -> TrainingOptions:
        """The options that every task has."""
        return self.task.training

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.training.out / "checkpoints"

    @property
    def log_file(self) -> Path:
        """The training log."""
        return self.training.out / LOG

    @property
    def start(self) -> Path:
        """Folder of the weights that training starts from, where they had to be made: a LoRA adapter's, merged."""
        return self.training.out / "start"

    @property
    def unfinished(self) -> Path:
        """Folder where the engine puts weights and tokenizer at the end."""
        return self.training.out / "model.unfinished"

    @property
    def model(self) -> Path:
        """Folder of the finished model."""
        return self.training.out / "model"

    def warn(self, line: str) -> None:
        """Print a line that asks for attention, in the process that writes."""
        if self.main:
            self.console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def tell(self, line: str) -> None:
        """Print a line as it is, in the process that writes."""
        if self.main:
            self.say(line)

    def say(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, highlight=False, soft_wrap=True)


class Trained(NamedTuple):
    """Outcome of an engine's training."""

    data: TrainingData
    """What was trained on: the task's data without what is too long for the model."""
    stopped: str | None = None
    """Which stop rule ended it, in one line; None: it went to its end."""


TrainingEngine = Callable[[TrainingRun], Trained | None]
"""Trains, from the last complete checkpoint where there is one, and leaves the model in `run.unfinished`; None after a
dry run."""

LoadEngine = Callable[[Engine], TrainingEngine]
"""Loads an engine by name; what a dry run with TRL never does."""


class RunResult(NamedTuple):
    """Outcome of a run."""

    model: Path | None
    """Folder of the model; None where there is none yet."""
    stopped: str | None = None
    """Which stop rule ended it, in one line."""


def run_training(task: Task, engine: LoadEngine, local_model: LoadLocalModel, console: Console) -> RunResult:
    """Train, or go on training; a dry run prints what it would take.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: the judge or meta-judge will refuse every call.
        MetaJudgeDown: it is down, and training is not to wait any longer.
    """
    training = task.training
    prices = task.prices()
    wanted = {**fingerprint(task.config), **task.digests}
    run = TrainingRun(
        task=task,
        data=task.data,
        digest=run_digest(wanted),
        # The name that torchrun and accelerate give a process's number; without a launcher there is one.
        main=int(os.environ.get("RANK", "0")) == 0,
        console=console,
        local_model=local_model,
    )
    for line in (*list_bad_rows(task.data.bad_rows), *list_left_out(task.data.left_out)):
        run.warn(line)
    training.steps_over(len(task.data.examples), task.stage)
    if training.dry_run:
        for line in task.forecast(prices):
            run.say(line)
        if training.engine == "trl":
            # Verl's dry run also writes what it would launch, and lets verl check it.
            return RunResult(None)
    train = engine(training.engine)
    # The first process holds the lock for all: the others of this run would be refused by it.
    with lock_directory(training.out) if run.main else nullcontext():
        if run.main:
            written = {task.command: as_table(task.config), "versions": versions(*_PACKAGES)}
            check_fingerprint(training.out, written, wanted, logs=[LOG])
            if run.model.exists():
                run.say(f"Trained already: {run.model}")
                return RunResult(run.model)
            _resume(run)
            _write_held_out(run)
            if task.stage == "rl" and not training.dry_run:
                asyncio.run(preflight(task, local_model, run.warn))
        trained = train(run)
        if trained is None:
            return RunResult(None)
        if trained.stopped is not None:
            shutil.rmtree(run.unfinished, ignore_errors=True)
            run.warn(
                f"Stopped: {trained.stopped}. The last checkpoint is in {run.checkpoints}, the signs of every step in "
                f"{training.out}/{SIGNS}; the same command with another --stop-when goes on from there."
            )
            return RunResult(None, trained.stopped)
        if run.main:
            _publish(run, trained.data)
            run.say(task.how_to_measure(run.model))
    return RunResult(run.model)


def _resume(run: TrainingRun) -> None:
    """Leave the run directory as it was right after its last complete checkpoint."""
    # The resumed run comes to the same step again, and must not find files of the first try there.
    for partial in remove_partial(run.checkpoints, run.digest):
        run.warn(f"checkpoint-{partial.step} was not complete and is removed")
    last = last_complete(run.checkpoints, run.digest)
    # A checkpoint is named after optimizer steps, of which a training step may take several.
    step = last.step // run.training.updates if last else 0
    for log in (run.log_file, run.training.out / SIGNS):
        cut_after(log, step)
    if last is not None:
        run.say(f"going on from step {step:,}")
    shutil.rmtree(run.unfinished, ignore_errors=True)


def _write_held_out(run: TrainingRun) -> None:
    """Write held-out pairs, in files named as those they come from: a pair may have its benchmark from its file."""
    by_name: dict[str, list[PreferencePair]] = {}
    for pair in run.data.held_out:
        # Only a benchmark that the pair itself names can hold a slash, and that one it keeps whatever the file's name.
        by_name.setdefault(pair.benchmark.replace("/", "-"), []).append(pair)
    for name, pairs in by_name.items():
        folder = run.training.out / "held_out"
        folder.mkdir(exist_ok=True)
        write_pairs(folder / f"{name}.jsonl", pairs)


def _publish(run: TrainingRun, trained_on: TrainingData) -> None:
    """Put card, config and logs beside the weights, and the folder in its place, as the last of all."""
    steps, packages = read_steps(run.log_file), versions(*_PACKAGES)
    card = model_card(run.task, trained_on=trained_on, steps=steps, versions=packages)
    write_atomically(run.unfinished / "README.md", card.encode())
    for name in (LOG, SIGNS, "config.toml"):
        source = run.training.out / name
        # Signs are a policy's, and verl tells nobody what its steps' answers were.
        if source.exists():
            write_atomically(run.unfinished / name, source.read_bytes())
    # Within one file system a rename is atomic: whoever finds `model/` finds all of it.
    run.unfinished.rename(run.model)
