"""What a run of `ralign rubric` came to: `results.json`, every figure with its counts.

    score          mean over the graded items, with its 95 % interval, bootstrapped over items; null without any
    score_bounds   what it were, had all ungraded items failed, or all passed in full
    mean_grade     mean of the scores from 1 to 10, where items have one (an item without an answer has none)

An item's value, from 0 to 1, is the share of its questions that pass, or (score - 1) / 9. An item whose judge gave no
readable grade for some criterion is ungraded: left out of the score, and counted. One without an answer is 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from ralign import __version__
from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.log import GradeLog
from ralign.files import write_atomically
from ralign.metrics.intervals import interval, resampled_sums


class RubricResults(NamedTuple):
    """What a run came to, as results.json has it."""

    document: dict[str, Any]
    complete: bool
    """Whether every call that was owed has been answered."""


def write_results(
    out: Path,
    items: Sequence[RubricItem],
    log: GradeLog,
    facts: Mapping[str, object],
    *,
    left_out: int,
    seed: int,
    resamples: int,
) -> RubricResults:
    """Measure, and write results.json; it is there whole or not at all."""
    owed = sum(len(log.owed(item)) for item in items)
    rng = np.random.default_rng(seed)
    document: dict[str, Any] = {
        "ralign": __version__,
        "complete": owed == 0,
        "owed": {"grades": owed},
        **measure(items, log, resamples=resamples, rng=rng),
        "left_out": left_out,
        "usage": asdict(log.usage),
        **facts,
    }
    groups = sorted({item.group for item in items if item.group is not None})
    if groups:
        document["groups"] = {
            group: measure([item for item in items if item.group == group], log, resamples=resamples, rng=rng)
            for group in groups
        }
    write_atomically(out / "results.json", orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return RubricResults(document, complete=owed == 0)


def measure(
    items: Sequence[RubricItem], log: GradeLog, *, resamples: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Every figure over some items."""
    answered = [item for item in items if not log.owed(item)]
    values = [value_of(item, log) for item in answered]
    graded = np.array([value for value in values if value is not None], dtype=np.float64)
    ungraded = len(values) - len(graded)
    scores = [score for item in items if (score := log.score(item)) is not None]
    score = None
    if len(graded):
        sums = resampled_sums(graded[:, None], resamples, rng)[:, 0]
        score = interval(float(graded.mean()), sums / len(graded))
    total = float(graded.sum())
    return {
        "items": len(items),
        "score": None if score is None else score._asdict(),
        "score_bounds": {"low": total / len(values), "high": (total + ungraded) / len(values)}
        if values
        else None,
        "mean_grade": float(np.mean(scores)) if scores else None,
        "counts": {
            "graded": len(graded),
            "ungraded": ungraded,
            "without_answer": sum(not item.answer for item in items),
            "unanswered": len(items) - len(answered),
        },
    }


def value_of(item: RubricItem, log: GradeLog) -> float | None:
    """An item's value, all its criteria answered; None where one of them has no grade."""
    if not item.answer:
        return 0.0
    values = log.values(item)
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
