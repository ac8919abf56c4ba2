"""A run without its texts: the index of its pairs, and what each judgment counts for. 100,000 pairs take megabytes.

`index_pairs` gives each pair a row, with its label, benchmark and subset, and one digest of everything that the judge
and the meta-judge will read. `Score`s (lines of `scores.jsonl`) and `Outcomes` (the arrays that the measures take) are
two spellings of the same thing; `scores_of` and `outcomes_of` lead from one to the other.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ralign.files import PairsDigest, mark_taken, prompt_number
from ralign.metrics.outcomes import (
    ALIGNED,
    META_FAILED,
    MISALIGNED,
    NO_LABEL,
    NO_VERDICT,
    NOT_META_JUDGED,
    TIE,
    UNANSWERED,
    VERDICT_A,
    VERDICT_B,
    Outcomes,
)
from ralign.records import FAILURE_REASONS, Order, PreferencePair, Score, Verdict


@dataclass(frozen=True, slots=True)
class PairsIndex:
    """One row a pair, in the order of the files."""

    ids: list[str]
    benchmark: list[str]
    """The benchmark of each row; equal strings are one object."""
    subset: list[str | None]
    label: NDArray[np.int8]
    """Shape (pairs,): VERDICT_A, VERDICT_B, TIE or NO_LABEL."""
    prompt: NDArray[np.intp]
    """Shape (pairs,): a hash of the benchmark and the conversation, the same for pairs of one prompt."""
    has_gold: NDArray[np.bool_]
    """Shape (pairs,): whether there is a gold rationale to compare with, and a label that it argues for."""
    rows: dict[tuple[str, str], int]
    """(benchmark, id) -> row; -1 for a pair that the limit leaves out."""
    digest: str
    """Of every pair's conversation, answers, label and gold rationale, whatever the limit."""

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
    labels = array("b")
    has_gold = bytearray()
    prompts = array("q")
    rows: dict[tuple[str, str], int] = {}
    shared: dict[str, str] = {}
    digest = PairsDigest()
    for pair, taken in mark_taken(pairs):
        digest.add(pair)
        benchmark = shared.setdefault(pair.benchmark, pair.benchmark)
        rows[benchmark, pair.id] = len(ids) if taken else -1
        if not taken:
            continue
        ids.append(pair.id)
        benchmarks.append(benchmark)
        subsets.append(None if pair.subset is None else shared.setdefault(pair.subset, pair.subset))
        labels.append(_CODE[pair.label])
        has_gold.append(pair.gold_rationale is not None and pair.label in ("A", "B"))
        prompts.append(prompt_number(pair))
    return PairsIndex(
        ids=ids,
        benchmark=benchmarks,
        subset=subsets,
        label=np.frombuffer(labels, dtype=np.int8),
        prompt=np.frombuffer(prompts, dtype=np.int64).astype(np.intp),
        has_gold=np.frombuffer(bytes(has_gold), dtype=np.bool_),
        rows=rows,
        digest=digest.hexdigest(),
    )


_LETTER: dict[int, Verdict] = {VERDICT_A: "A", VERDICT_B: "B", TIE: "tie"}
_CODE: dict[Verdict | None, int] = {"A": VERDICT_A, "B": VERDICT_B, "tie": TIE, None: NO_LABEL}
_ALIGNED = {ALIGNED: True, MISALIGNED: False}


def scores_of(
    index: PairsIndex, outcomes: Outcomes, reasons: NDArray[np.int8], orders: Sequence[Order], draws: int
) -> Iterator[Score]:
    """One score for every judgment that the run owes, answered or not.

    `reasons`: shape (pairs, orders, draws), of each failed judgment the place of its reason in `FAILURE_REASONS`, else
    -1.
    """
    labels: list[int] = outcomes.label.tolist()
    prompts: list[int] = outcomes.prompt.tolist()
    verdicts: list[list[list[int]]] = outcomes.verdict.tolist()
    alignments: list[list[list[int]]] = outcomes.aligned.tolist()
    whys: list[list[list[int]]] = reasons.tolist()
    for row, pair_id in enumerate(index.ids):
        for order, shown in enumerate(orders):
            for draw in range(draws):
                verdict, aligned = verdicts[row][order][draw], alignments[row][order][draw]
                why = whys[row][order][draw]
                yield Score(
                    pair_id=pair_id,
                    benchmark=index.benchmark[row],
                    subset=index.subset[row],
                    prompt=prompts[row],
                    order=shown,
                    draw=draw,
                    label=_LETTER.get(labels[row]),
                    answered=verdict != UNANSWERED,
                    verdict=_LETTER.get(verdict),
                    failure_reason=None if why < 0 else FAILURE_REASONS[why],
                    aligned=_ALIGNED.get(aligned),
                    meta_failed=aligned == META_FAILED,
                )


def outcomes_of(pairs: Sequence[Sequence[Score]], orders: Sequence[Order], draws: int) -> Outcomes:
    """The outcomes of some pairs: one entry of `pairs` holds all the scores of one pair."""
    shape = (len(pairs), len(orders), draws)
    verdict: NDArray[np.int8] = np.full(shape, UNANSWERED, dtype=np.int8)
    aligned: NDArray[np.int8] = np.full(shape, NOT_META_JUDGED, dtype=np.int8)
    for row, scores in enumerate(pairs):
        for score in scores:
            at = row, orders.index(score.order), score.draw
            if score.answered:
                verdict[at] = NO_VERDICT if score.verdict is None else _CODE[score.verdict]
            if score.meta_failed:
                aligned[at] = META_FAILED
            elif score.aligned is not None:
                aligned[at] = ALIGNED if score.aligned else MISALIGNED
    label = np.array([_CODE[scores[0].label] for scores in pairs], dtype=np.int8)
    prompt = np.array([scores[0].prompt for scores in pairs], dtype=np.intp)
    return Outcomes(label=label, prompt=prompt, verdict=verdict, aligned=aligned)
