"""From a tally to `scores.jsonl` and `results.json`.

Comes in: the tally of a run. Goes out: one `Score` a judgment, and every measure with its counts and its interval,
for each benchmark and each of its subsets.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from ralign import __version__
from ralign.evals.bench.scores import scores_of
from ralign.evals.bench.tally import Tally
from ralign.files import write_atomically, write_scores
from ralign.metrics.summary import summarise


class Results(NamedTuple):
    """What a run came to, as results.json has it."""

    document: dict[str, Any]
    complete: bool
    """Whether every call that was owed has been answered."""


def write_results(
    out: Path, tally: Tally, facts: Mapping[str, object], *, seed: int, resamples: int
) -> Results:
    """Write scores.jsonl and results.json into the run directory."""
    write_scores(out / "scores.jsonl", scores_of(tally))
    judgments_owed, votes_owed = tally.owed()
    document: dict[str, Any] = {
        "ralign": __version__,
        "complete": judgments_owed == 0 and votes_owed == 0,
        "owed": {"judgments": judgments_owed, "meta_judgments": votes_owed},
        "orders": list(tally.orders),
        "draws": tally.draws,
        "meta_votes": tally.votes if tally.meta_judging else 0,
        "usage": {
            stage: {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
            for stage, usage in tally.usage.items()
        },
        **facts,
        "benchmarks": {},
    }
    rng = np.random.default_rng(seed)
    for name, rows, subsets in tally.index.groups():
        benchmark = _measure(tally, rows, rng, resamples)
        benchmark["subsets"] = {subset: _measure(tally, of, rng, resamples) for subset, of in subsets.items()}
        document["benchmarks"][name] = benchmark
    write_atomically(out / "results.json", orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return Results(document, complete=bool(document["complete"]))


def _measure(
    tally: Tally, rows: NDArray[np.intp], rng: np.random.Generator, resamples: int
) -> dict[str, Any]:
    summary = summarise(
        tally.outcomes(rows), tally.orders, has_meta_judge=tally.meta_judging, resamples=resamples, rng=rng
    )
    return summary.as_dict()
