"""What a probe came to: `results.json`, by benchmark, every figure with its count and its interval."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from ralign import __version__
from ralign.evals.probe.figures import Figures, Floats, Moved, measure
from ralign.evals.probe.interventions import VERSIONS, Version, Written
from ralign.evals.probe.log import Case, ProbeLog
from ralign.evals.probe.response_references import WhyNot
from ralign.files import write_atomically
from ralign.metrics.intervals import Interval
from ralign.records import PreferencePair


class Results(NamedTuple):
    """What a run came to, as results.json has it."""

    document: dict[str, Any]
    complete: bool
    """Whether every call that was owed has been answered."""


def write_results(
    out: Path,
    cases: Mapping[Case, PreferencePair],
    texts: Mapping[Case, Mapping[Version, Written | WhyNot | None]],
    log: ProbeLog,
    seed: int,
    resamples: int,
) -> Results:
    """Write the file; it is there whole or not at all."""
    benchmarks = {
        name: _benchmark([case for case in cases if case.benchmark == name], texts, log, seed, resamples)
        for name in dict.fromkeys(case.benchmark for case in cases)
    }
    owed = {
        "judgments": sum(case not in log.judgments for case in cases),
        "readings": sum(
            isinstance(text, Written) and (case, version) not in log.readings
            for case, versions in texts.items()
            for version, text in versions.items()
        ),
    }
    complete = not any(owed.values())
    document = {"ralign": __version__, "complete": complete, "owed": owed, "benchmarks": benchmarks}
    write_atomically(out / "results.json", orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return Results(document, complete)


def _benchmark(
    cases: list[Case],
    texts: Mapping[Case, Mapping[Version, Written | WhyNot | None]],
    log: ProbeLog,
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    pairs = {name: row for row, name in enumerate(dict.fromkeys(case.pair_id for case in cases))}
    orders = {order: column for column, order in enumerate(dict.fromkeys(case.order for case in cases))}
    shape = len(pairs), len(orders)
    chances: dict[Version, Floats] = {version: np.full(shape, np.nan) for version in VERSIONS}
    wrote_a, masses = np.full(shape, np.nan), list[float]()
    for case in cases:
        at = pairs[case.pair_id], orders[case.order]
        judgment = log.judgments.get(case)
        if judgment is not None and judgment.verdict is not None:
            wrote_a[at] = judgment.verdict == "A"
        for version in VERSIONS:
            if (reading := log.readings.get((case, version))) is not None:
                chances[version][at] = reading.chance_of_a
                if version == "own":
                    masses.append(reading.mass)
    figures = measure(chances, wrote_a, resamples=resamples, rng=np.random.default_rng(seed))
    return {
        "pairs": len(pairs),
        **_as_dicts(figures),
        # Small where the judge would not have written its verdict in a box there: then the readings say little.
        "mean_mass": sum(masses) / len(masses) if masses else None,
        "counts": _counts(cases, texts, log),
    }


def _counts(
    cases: list[Case], texts: Mapping[Case, Mapping[Version, Written | WhyNot | None]], log: ProbeLog
) -> dict[str, int]:
    judged = [log.judgments[case] for case in cases if case in log.judgments]
    probed = [texts[case] for case in cases if case in texts]
    swaps = Counter(text for text in (versions["swap"] for versions in probed) if isinstance(text, str))
    no_verdict = sum(judgment.verdict is None for judgment in judged)
    return {
        "judgments": len(judged),
        "no_verdict": no_verdict,
        "no_rationale": len(judged) - no_verdict - len(probed),
        "no_mention": swaps["no_mention"],
        "ambiguous": swaps["ambiguous"],
        "no_other": sum(versions["other"] is None for versions in probed),
    }


def _as_dicts(figures: Figures) -> dict[str, Any]:
    return {
        "versions": {version: _moved(moved) for version, moved in figures.moved.items()},
        "swap_above_other": _interval(figures.swap_above_other),
        "verdict_as_written": _interval(figures.as_written),
    }


def _moved(moved: Moved) -> dict[str, Any]:
    return {
        "judgments": moved.judgments,
        "verdict_changed": _interval(moved.verdict_changed),
        "probability_lost": _interval(moved.probability_lost),
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else found._asdict()
