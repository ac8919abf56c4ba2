"""`ralign train`: from a config to a run directory with a model in it, whichever engine trains.

Comes in: a `TrainConfig`, and the engine. Goes out:

    config.toml           resolved, with versions and what names the run
    train_log.jsonl       one line a step
    checkpoints/          what the same command goes on from
    held_out/             a meta-judge's alone: the pairs it has not learned from
    model/                the judge: weights, tokenizer, README.md, config.toml, train_log.jsonl; there once all is

Where several processes train (one a GPU), the first alone writes here; the engine's checkpoints apart.
"""

import os
import platform
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from rich.console import Console

from ralign import __version__
from ralign.errors import InputError
from ralign.files import (
    DirectoryLock,
    check_fingerprint,
    find_pairs_files,
    list_bad_rows,
    write_atomically,
    write_pairs,
)
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT
from ralign.models import LoadLocalModel
from ralign.models.price import Price, parse_prices
from ralign.records import PreferencePair
from ralign.training.checkpoints import last_whole, remove_torn, run_digest
from ralign.training.config import Engine, TrainConfig
from ralign.training.examples import TrainingData, list_left_out
from ralign.training.expected import expect, expected_lines
from ralign.training.model_card import model_card
from ralign.training.roles import load_lesson
from ralign.training.train_log import LOG, cut_after, read_steps

_UNFINISHED: Final = "model.unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """All that an engine is told of a run."""

    config: TrainConfig
    data: TrainingData
    meta_prompt: Prompt | None
    digest: str
    """Names the run: what its checkpoints are sealed with."""
    main: bool
    """Whether this process writes."""
    console: Console
    local_model: LoadLocalModel

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.config.out / "checkpoints"

    @property
    def log(self) -> Path:
        """The training log."""
        return self.config.out / LOG

    @property
    def unfinished(self) -> Path:
        """Where the engine puts weights and tokenizer at the end."""
        return self.config.out / _UNFINISHED

    @property
    def model(self) -> Path:
        """Where the finished model is."""
        return self.config.out / "model"


TrainingEngine = Callable[[TrainingRun], TrainingData | None]
"""Trains, from the last whole checkpoint where there is one, and leaves the model in `run.unfinished`. Gives what it
trained on: the data, without what its tokenizer finds too long; None after a dry run."""

LoadEngine = Callable[[Engine], TrainingEngine]
"""Loads an engine by name; what a dry run never does."""


def run_train(
    config: TrainConfig, engine: LoadEngine, local_model: LoadLocalModel, console: Console
) -> Path | None:
    """Train a judge, or go on training it; a dry run prints what it would take, and gives None.

    Returns:
        The folder of the model.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: the meta-judge will refuse every call.
    """
    prices = _price(config)
    meta_prompt = Prompt.load(config.meta_prompt, META_PROMPT) if config.needs_meta_judge else None
    files = find_pairs_files(config.pairs)
    data, digests = load_lesson(config, files)
    main = int(os.environ.get("RANK", "0")) == 0
    if main:
        for line in (*list_bad_rows(data.bad_rows), *list_left_out(data.left_out)):
            console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    config.steps_over(len(data.examples))
    if config.dry_run:
        for line in expected_lines(expect(config, data, meta_prompt, prices), config):
            console.print(line, highlight=False, soft_wrap=True)
        if config.engine == "trl":
            return None  # verl's dry run also writes what it would launch, and lets verl check it
    train = engine(config.engine)
    if meta_prompt is not None:
        digests["meta_prompt_digest"] = meta_prompt.digest
    identity = config.identity(digests)
    run = TrainingRun(
        config=config,
        data=data,
        meta_prompt=meta_prompt,
        digest=run_digest(identity),
        main=main,
        console=console,
        local_model=local_model,
    )
    with DirectoryLock(config.out) if main else nullcontext():
        if main:
            written = {"train": asdict(config), "versions": versions()}
            check_fingerprint(config.out, written, identity, log=LOG)
            if run.model.exists():
                console.print(f"Trained already: {run.model}", highlight=False, soft_wrap=True)
                return run.model
            resume(run)
            _keep_back(run)
        trained_on = train(run)
        if trained_on is None:
            return None
        if main:
            _publish(run, trained_on, [file.name for file in files])
            console.print(_how_to_measure(run), highlight=False, soft_wrap=True)
    return run.model


def versions() -> dict[str, str]:
    """Of Python, ralign, and whatever of the training packages is there."""
    found = {"ralign": __version__, "python": platform.python_version()}
    for package in ("torch", "transformers", "trl", "peft", "accelerate", "vllm", "verl"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def resume(run: TrainingRun) -> None:
    """Leave the run directory as it was right after its last whole checkpoint."""
    say = run.console.print
    for torn in remove_torn(run.checkpoints, run.digest):
        say(f"checkpoint-{torn.step} was not whole and is removed", style="yellow", highlight=False)
    whole = last_whole(run.checkpoints, run.digest)
    cut_after(run.log, whole.step if whole else 0)
    if whole is not None:
        say(f"going on from step {whole.step:,}", highlight=False)
    shutil.rmtree(run.unfinished, ignore_errors=True)


def _how_to_measure(run: TrainingRun) -> str:
    config = run.config
    if config.role == "judge":
        return f"The judge: {run.model}. Measure it: ralign bench PAIRS --judge {run.model}"
    if not run.data.held_out:
        return f"The meta-judge: {run.model}. No pair was held out to measure it with."
    shown = {example.order for example in run.data.examples}
    orders = "both" if len(shown) > 1 else shown.pop()
    prompt = f" --meta-prompt {config.meta_prompt}" if config.meta_prompt else ""
    return (
        f"The meta-judge: {run.model}. Measure it: ralign bench '{config.out}/held_out/*.jsonl' --judgments "
        f"{config.judged}/judgments.jsonl --orders {orders} --meta-judge {run.model}{prompt} --out RUN"
    )


def _keep_back(run: TrainingRun) -> None:
    """Write what is held out, in files named as those it comes from: a pair may have its benchmark from its file."""
    by_name: dict[str, list[PreferencePair]] = {}
    for pair in run.data.held_out:
        # Only a benchmark that the pair itself names can hold a slash, and that one it keeps whatever the file's name.
        by_name.setdefault(pair.benchmark.replace("/", "-"), []).append(pair)
    for name, pairs in by_name.items():
        folder = run.config.out / "held_out"
        folder.mkdir(exist_ok=True)
        write_pairs(folder / f"{name}.jsonl", pairs)


def _publish(run: TrainingRun, trained_on: TrainingData, files: list[str]) -> None:
    """Put card, config and log beside the weights, and the folder in its place, the last file last."""
    steps = read_steps(run.log)
    card = model_card(
        run.config,
        pairs=files,
        examples=len(trained_on.examples),
        left_out=len(trained_on.left_out),
        steps=steps,
        versions=versions(),
    )
    write_atomically(run.unfinished / "README.md", card.encode())
    for name in (LOG, "config.toml"):
        write_atomically(run.unfinished / name, (run.config.out / name).read_bytes())
    run.unfinished.rename(run.model)


def _price(config: TrainConfig) -> Price | None:
    prices = parse_prices(config.price)
    for model in prices:
        if model != config.meta_judge:
            raise InputError(f"--price names {model!r}, which is not the meta-judge")
    return prices.get(config.meta_judge or "")
