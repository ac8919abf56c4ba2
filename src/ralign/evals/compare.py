"""Runs over the same pairs, compared pair by pair with the first of them.

Comes in: two or more run directories. Goes out: for each benchmark and each of its subsets the paired differences of
every measure, their intervals and tests. Orders and draws may differ, as a pair weighs one in any run; that is noted,
and so is a run that is unfinished. A pair that not all of them have is left out and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from ralign.errors import InputError
from ralign.evals.bench.labels import LABELS, Corrected, LabelledVerdict, correct, read_labels
from ralign.evals.bench.plan import SCORES
from ralign.evals.bench.scores import outcomes_of
from ralign.evals.label_rows import JudgmentKey
from ralign.files import read_scores
from ralign.metrics.comparison import Comparison, compare
from ralign.metrics.double_sampling import corrected_difference
from ralign.metrics.intervals import difference
from ralign.metrics.outcomes import ALIGNED, MISALIGNED, UNANSWERED, Outcomes
from ralign.records import FAILURE_REASONS, Order, Score
from ralign.runs.gc_pause import gc_pause

Key = tuple[str, str]
"""(benchmark, pair id)."""


class ComparedBenchmark(NamedTuple):
    """How the runs differ on one benchmark."""

    whole: Comparison
    subsets: dict[str, Comparison]
    corrected: dict[str, Any] | None = None
    """S-Corr and F-Score of each run by its own labels, ready for JSON; None where no run has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """How runs differ from the first of them."""

    names: tuple[str, ...]
    """The shortest parts of their paths that tell them apart."""
    benchmarks: dict[str, ComparedBenchmark]
    failures: tuple[dict[str, int], ...]
    """Judgments of each run that call neither answer better, over all its pairs: ties, and those without a verdict by
    why. None of them is right."""
    notes: tuple[str, ...]
    """What a reader of the figures must know: unfinished runs, other orders or draws, pairs that are left out."""

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "runs": list(self.names),
            "notes": list(self.notes),
            "failures": dict(zip(self.names, self.failures, strict=True)),
            "benchmarks": {
                name: {
                    **each.whole.as_dict(self.names),
                    "subsets": {subset: of.as_dict(self.names) for subset, of in each.subsets.items()},
                    **({"corrected": each.corrected} if each.corrected else {}),
                }
                for name, each in self.benchmarks.items()
            },
        }


class _Run(NamedTuple):
    path: Path
    orders: tuple[Order, ...]
    draws: int
    rows: dict[Key, int]
    subset: list[str | None]
    """By row."""
    outcomes: Outcomes
    has_meta_judge: bool
    failures: dict[str, int]
    labels: Mapping[JudgmentKey, bool]
    """People's labels of its verdicts, as `ralign bench --labels` left them."""
    owed: str
    """What is missing of an unfinished run; empty where it is complete."""


def compare_runs(paths: Sequence[Path]) -> RunComparison:
    """Differences of each run minus the first, by benchmark and subset.

    Raises:
        InputError: fewer than two runs, one given twice, a directory without scores, no pair in common, or pairs that
            are not the same.
    """
    if len(paths) < 2:
        raise InputError(f"{len(paths)} run given, expected two or more: ralign compare FIRST SECOND...")
    names = distinguishing_names(paths)
    # Scores live until they are counted: the collector would search hundreds of thousands of them again and again.
    with gc_pause():
        runs = [_read(path) for path in paths]
    common = [key for key in runs[0].rows if all(key in run.rows for run in runs[1:])]
    if not common:
        raise InputError(f"{' and '.join(map(str, paths))} have no pair in common")
    _check_same_pairs(runs, common)
    groups: dict[str, dict[str | None, list[Key]]] = {}
    for key in common:
        subset = runs[0].subset[runs[0].rows[key]]
        groups.setdefault(key[0], {}).setdefault(subset, []).append(key)

    def compared(keys: Sequence[Key]) -> Comparison:
        chosen = [np.array([run.rows[key] for key in keys], dtype=np.intp) for run in runs]
        return compare(
            [run.outcomes.of_pairs(rows) for run, rows in zip(runs, chosen, strict=True)],
            [run.orders for run in runs],
            has_meta_judge=[run.has_meta_judge for run in runs],
        )

    return RunComparison(
        names=tuple(names),
        benchmarks={
            name: ComparedBenchmark(
                compared([key for keys in subsets.values() for key in keys]),
                {subset: compared(keys) for subset, keys in subsets.items() if subset is not None},
                _corrected(names, runs, [key for keys in subsets.values() for key in keys]),
            )
            for name, subsets in groups.items()
        },
        failures=tuple(run.failures for run in runs),
        notes=tuple(_notes(names, runs, len(common))),
    )


def _corrected(names: Sequence[str], runs: Sequence[_Run], keys: Sequence[Key]) -> dict[str, Any] | None:
    """The corrected measures of each run on the pairs that all answered, and their differences to the first."""
    if not any(run.labels for run in runs):
        return None
    rows = [np.array([run.rows[key] for key in keys], dtype=np.intp) for run in runs]
    outcomes = [run.outcomes.of_pairs(of) for run, of in zip(runs, rows, strict=True)]
    in_all = np.all([(each.verdict != UNANSWERED).any(axis=(1, 2)) for each in outcomes], axis=0)
    kept = {key: at for at, key in enumerate(keys) if in_all[at]}
    found: list[Corrected] = []
    for run, each in zip(runs, outcomes, strict=True):
        labelled: list[LabelledVerdict] = []
        for key, people in run.labels.items():
            pair = key.benchmark, key.pair_id
            if pair in kept and key.order in run.orders and key.draw < run.draws:
                decision = int(each.aligned[kept[pair], run.orders.index(key.order), key.draw])
                if decision in (ALIGNED, MISALIGNED):
                    labelled.append(
                        LabelledVerdict(key, int(each.prompt[kept[pair]]), people, decision == ALIGNED)
                    )
        found.append(correct(each.of_pairs(in_all), run.orders, labelled))
    first = found[0]
    measured: list[dict[str, Any]] = []
    for name, each in zip(names, found, strict=True):
        measured.append({"run": name, **each.as_dict()})
        if each is first:
            continue
        spurious = fidelity = None
        if first.sample is not None and each.sample is not None:
            spurious = corrected_difference(first.sample, each.sample)
        if first.fidelity_score is not None and each.fidelity_score is not None:
            # Labels are each run's own, so nothing is taken off for what the errors have in common.
            alone = np.zeros(1)
            fidelity = difference(first.fidelity_score, each.fidelity_score, alone, alone)
        measured[-1]["difference"] = {
            "spurious_correctness": spurious and spurious._asdict(),
            "fidelity_score": fidelity and fidelity._asdict(),
        }
    return {"runs": measured}


def distinguishing_names(paths: Sequence[Path]) -> list[str]:
    """The shortest parts of paths that tell them apart: `a/bench` and `b/bench` are `a` and `b`.

    Raises:
        InputError: a run that is given twice.
    """
    parts = [path.resolve().parts for path in paths]
    for at, own in enumerate(parts):
        if own in parts[:at]:
            raise InputError(f"{paths[at]} is given twice")
    # What all end in says nothing; a run that is the folder of another keeps its own name.
    while len({own[-1] for own in parts}) == 1 and min(map(len, parts)) > 2:
        parts = [own[:-1] for own in parts]
    depth = 1
    while len({own[-depth:] for own in parts}) < len(parts):
        depth += 1
    return ["/".join(own[-depth:]) for own in parts]


def _read(path: Path) -> _Run:
    scores = path / SCORES
    if not scores.exists():
        raise InputError(f"{path}: has no {SCORES}; expected a run directory that `ralign bench` wrote")
    pairs: dict[Key, list[Score]] = {}
    orders: dict[Order, None] = {}
    draws = unanswered = 0
    has_meta_judge = False
    failures: dict[str, int] = dict.fromkeys(("tie", *FAILURE_REASONS), 0)
    for score in read_scores(scores):
        pairs.setdefault((score.benchmark, score.pair_id), []).append(score)
        orders.setdefault(score.order)
        draws = max(draws, score.draw + 1)
        unanswered += not score.answered
        if score.failure_reason is not None:
            failures[score.failure_reason] += 1
        # Of a pair whose label is a tie it is the right verdict, and of one without a label it is neither.
        failures["tie"] += score.verdict == "tie" and score.label in ("A", "B")
        has_meta_judge = has_meta_judge or score.meta_failed or score.aligned is not None
    if not pairs:
        raise InputError(f"{scores}: is empty")
    return _Run(
        path=path,
        orders=tuple(orders),
        draws=draws,
        rows={key: row for row, key in enumerate(pairs)},
        subset=[of[0].subset for of in pairs.values()],
        outcomes=outcomes_of(list(pairs.values()), tuple(orders), draws),
        has_meta_judge=has_meta_judge,
        failures=failures,
        labels=read_labels(path / LABELS),
        owed=_owed(path, unanswered),
    )


def _owed(path: Path, unanswered: int) -> str:
    """Missing answers, by results.json; without it the scores know of judgments alone."""
    results = path / "results.json"
    try:
        owed = orjson.loads(results.read_bytes())["owed"] if results.exists() else {"judgments": unanswered}
        return " and ".join(f"{count:,} {name.replace('_', '-')}" for name, count in owed.items() if count)
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{results}: is not what `ralign bench` wrote ({error!r})") from None


def _check_same_pairs(runs: Sequence[_Run], common: Sequence[Key]) -> None:
    own = [np.array([run.rows[key] for key in common], dtype=np.intp) for run in runs]
    for what in ("label", "prompt"):
        first, *others = (getattr(run.outcomes, what)[rows] for run, rows in zip(runs, own, strict=True))
        for run, its in zip(runs[1:], others, strict=True):
            if (differing := np.flatnonzero(first != its)).size:
                benchmark, pair_id = common[int(differing[0])]
                raise InputError(
                    f"pair {pair_id!r} of {benchmark!r} has another {what} in {run.path} than in {runs[0].path}"
                )


def _notes(names: Sequence[str], runs: Sequence[_Run], common: int) -> list[str]:
    notes = [
        f"{name} is unfinished: {run.owed} are owed."
        for name, run in zip(names, runs, strict=True)
        if run.owed
    ]
    for what, values in (
        ("orders", ["+".join(run.orders) for run in runs]),
        ("draws", [str(run.draws) for run in runs]),
    ):
        if len(set(values)) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
            notes.append(f"The runs differ in {what}: {listed}.")
    notes += [
        f"{alone:,} pairs of {name} are not in every run and were left out."
        for name, run in zip(names, runs, strict=True)
        if (alone := len(run.rows) - common)
    ]
    return notes
