"""`train_log.jsonl`: one line a training step, with its metrics and the pairs it was about, each step once.

A run that is resumed drops the lines behind the checkpoint it goes on from: those steps are made again.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson

from ralign.errors import InputError
from ralign.files import read_log, write_atomically

LOG = "train_log.jsonl"


class Step(NamedTuple):
    """One line of the log."""

    step: int
    metrics: Mapping[str, float | None]
    """By the engine's names and the reward's; None where a figure has no value, as the mean over nothing."""
    pairs: tuple[str, ...]
    """Ids of the pairs whose prompts the step was about, in their order."""


def encode_step(step: Step) -> bytes:
    """One line, without its newline."""
    # JSON has no NaN: a figure without a value, as the mean over nothing, is null.
    metrics = {
        name: None if value is None or not math.isfinite(value) else value
        for name, value in step.metrics.items()
    }
    return orjson.dumps({"step": step.step, "metrics": metrics, "pairs": step.pairs})


def read_steps(path: Path) -> list[Step]:
    """The log's steps; a missing file has none, and a partial last line is left out.

    Raises:
        InputError: a line that is none of ours.
    """
    steps: list[Step] = []
    for line in read_log(path, skip_torn=True):
        try:
            row = cast("dict[str, Any]", orjson.loads(line.data))
            steps.append(Step(row["step"], row["metrics"], tuple(row["pairs"])))
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path}:{line.number}: is no line of a training log") from None
    return steps


def cut_after(path: Path, step: int) -> None:
    """Drop the lines of later steps."""
    steps = read_steps(path)
    kept = [each for each in steps if each.step <= step]
    if len(kept) < len(steps):
        write_atomically(path, b"".join(encode_step(each) + b"\n" for each in kept))


def mean_metrics(steps: Sequence[Step], *, last: int) -> dict[str, float]:
    """Each metric's mean over the last steps that have it."""
    values: dict[str, list[float]] = {}
    for step in steps[-last:]:
        for name, value in step.metrics.items():
            if value is not None:
                values.setdefault(name, []).append(value)
    return {name: math.fsum(found) / len(found) for name, found in values.items()}
