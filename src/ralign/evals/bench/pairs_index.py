"""The pairs of a run without their texts, so that a run of 100,000 pairs fits in a few megabytes.

Comes in: pairs files. Goes out: a row number for each pair, with its label, benchmark and subset, and one digest of
everything that the judge and the meta-judge will read.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ralign.files import PairsDigest, prompt_number
from ralign.metrics.outcomes import VERDICT_A, VERDICT_B
from ralign.records import PreferencePair


@dataclass(frozen=True, slots=True)
class PairsIndex:
    """One row a pair, in the order of the files."""

    ids: list[str]
    benchmark: list[str]
    """The benchmark of each row; equal strings are one object."""
    subset: list[str | None]
    label: NDArray[np.int8]
    """Shape (pairs,): VERDICT_A or VERDICT_B."""
    prompt: NDArray[np.intp]
    """Shape (pairs,): a hash of the benchmark and the conversation, the same for pairs of one prompt."""
    has_gold: NDArray[np.bool_]
    """Shape (pairs,): whether there is a gold rationale to compare with."""
    rows: dict[tuple[str, str], int]
    """(benchmark, id) -> row."""
    digest: str
    """Of every pair's conversation, answers, label and gold rationale."""

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.ids)

    def groups(self) -> Iterator[tuple[str, NDArray[np.intp], dict[str, NDArray[np.intp]]]]:
        """For each benchmark: its name, its rows, and the rows of each of its subsets."""
        for name in dict.fromkeys(self.benchmark):
            rows = np.array(
                [row for row, benchmark in enumerate(self.benchmark) if benchmark == name], dtype=np.intp
            )
            subsets: dict[str, list[int]] = {}
            for row in rows.tolist():
                subset = self.subset[row]
                if subset is not None:
                    subsets.setdefault(subset, []).append(row)
            yield name, rows, {subset: np.array(of, dtype=np.intp) for subset, of in subsets.items()}


def index_pairs(pairs: Iterable[PreferencePair]) -> PairsIndex:
    """Read the pairs once and keep what is needed to count."""
    ids: list[str] = []
    benchmarks: list[str] = []
    subsets: list[str | None] = []
    labels = bytearray()
    has_gold = bytearray()
    prompts = array("q")
    rows: dict[tuple[str, str], int] = {}
    shared: dict[str, str] = {}
    digest = PairsDigest()
    for pair in pairs:
        benchmark = shared.setdefault(pair.benchmark, pair.benchmark)
        rows[benchmark, pair.id] = len(ids)
        ids.append(pair.id)
        benchmarks.append(benchmark)
        subsets.append(None if pair.subset is None else shared.setdefault(pair.subset, pair.subset))
        labels.append(VERDICT_A if pair.label == "A" else VERDICT_B)
        has_gold.append(pair.gold_rationale is not None)
        prompts.append(prompt_number(pair))
        digest.add(pair)
    return PairsIndex(
        ids=ids,
        benchmark=benchmarks,
        subset=subsets,
        label=np.frombuffer(bytes(labels), dtype=np.int8),
        prompt=np.frombuffer(prompts, dtype=np.int64).astype(np.intp),
        has_gold=np.frombuffer(bytes(has_gold), dtype=np.bool_),
        rows=rows,
        digest=digest.hexdigest(),
    )
