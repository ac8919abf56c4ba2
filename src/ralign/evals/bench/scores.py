"""Scores and the arrays that the measures take: two spellings of the same thing, and the way between them.

Comes in: the outcomes of a run, or the scores of pairs read back from a run directory. Goes out: the other one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ralign.evals.bench.pairs_index import PairsIndex
from ralign.metrics.outcomes import (
    ALIGNED,
    META_FAILED,
    MISALIGNED,
    NO_VERDICT,
    NOT_META_JUDGED,
    UNANSWERED,
    VERDICT_A,
    VERDICT_B,
    Outcomes,
)
from ralign.records import Order, Score, Verdict

_LETTER: dict[int, Verdict] = {VERDICT_A: "A", VERDICT_B: "B"}
_CODE: dict[Verdict, int] = {"A": VERDICT_A, "B": VERDICT_B}
_ALIGNED = {ALIGNED: True, MISALIGNED: False}


def scores_of(index: PairsIndex, outcomes: Outcomes, orders: Sequence[Order], draws: int) -> Iterator[Score]:
    """One score for every judgment that the run owes, answered or not."""
    labels: list[int] = outcomes.label.tolist()
    prompts: list[int] = outcomes.prompt.tolist()
    verdicts: list[list[list[int]]] = outcomes.verdict.tolist()
    alignments: list[list[list[int]]] = outcomes.aligned.tolist()
    for row, pair_id in enumerate(index.ids):
        for order, shown in enumerate(orders):
            for draw in range(draws):
                verdict, aligned = verdicts[row][order][draw], alignments[row][order][draw]
                yield Score(
                    pair_id=pair_id,
                    benchmark=index.benchmark[row],
                    subset=index.subset[row],
                    prompt=prompts[row],
                    order=shown,
                    draw=draw,
                    label=_LETTER[labels[row]],
                    answered=verdict != UNANSWERED,
                    verdict=_LETTER.get(verdict),
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
