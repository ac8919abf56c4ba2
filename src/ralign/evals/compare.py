"""Two runs over the same pairs, compared pair by pair.

Comes in: two run directories. Goes out: for each benchmark the paired differences of every measure with their
intervals, and McNemar's exact test on label-right. Orders and draws may differ, as a pair
weighs one in either run; a pair that only one of them has is left out and counted.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ralign.errors import InputError
from ralign.evals.bench.scores import outcomes_of
from ralign.files import read_scores
from ralign.metrics.comparison import Comparison, compare
from ralign.metrics.outcomes import Outcomes
from ralign.records import Order, Score


class _Run(NamedTuple):
    path: Path
    orders: tuple[Order, ...]
    draws: int
    pairs: dict[tuple[str, str], list[Score]]
    """(benchmark, id) -> its scores."""

    def outcomes(self, keys: Sequence[tuple[str, str]]) -> Outcomes:
        """The outcomes of these pairs, in this order."""
        return outcomes_of([self.pairs[key] for key in keys], self.orders, self.draws)


class RunComparison(NamedTuple):
    """How two runs differ."""

    benchmarks: dict[str, Comparison]
    only_in_first: int
    """Pairs that the other run does not have, over all benchmarks."""
    only_in_second: int

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "benchmarks": {name: comparison.as_dict() for name, comparison in self.benchmarks.items()},
            "only_in_first": self.only_in_first,
            "only_in_second": self.only_in_second,
        }


def compare_runs(first: Path, second: Path, *, seed: int = 0, resamples: int = 10_000) -> RunComparison:
    """Differences of `second` minus `first`, by benchmark.

    Raises:
        InputError: a directory without scores, no pair in common, or a label that differs.
    """
    one, two = _read(first), _read(second)
    common = [key for key in one.pairs if key in two.pairs]
    if not common:
        raise InputError(f"{first} and {second} have no pair in common")
    rng = np.random.default_rng(seed)
    benchmarks: dict[str, Comparison] = {}
    for name in dict.fromkeys(benchmark for benchmark, _ in common):
        keys = [key for key in common if key[0] == name]
        for key in keys:
            if one.pairs[key][0].label != two.pairs[key][0].label:
                raise InputError(f"pair {key[1]!r} of {name!r} has another label in {second} than in {first}")
        benchmarks[name] = compare(
            one.outcomes(keys), two.outcomes(keys), one.orders, two.orders, resamples=resamples, rng=rng
        )
    return RunComparison(benchmarks, len(one.pairs) - len(common), len(two.pairs) - len(common))


def _read(path: Path) -> _Run:
    scores = path / "scores.jsonl"
    if not scores.exists():
        raise InputError(f"{path}: has no scores.jsonl; expected a run directory that `ralign bench` wrote")
    pairs: dict[tuple[str, str], list[Score]] = {}
    orders: dict[Order, None] = {}
    draws = 0
    for score in read_scores(scores):
        pairs.setdefault((score.benchmark, score.pair_id), []).append(score)
        orders.setdefault(score.order)
        draws = max(draws, score.draw + 1)
    if not pairs:
        raise InputError(f"{scores}: is empty")
    return _Run(path, tuple(orders), draws, pairs)
