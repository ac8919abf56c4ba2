"""What a run has come to so far: one small integer for each judgment and each meta-judgment that is owed.

Comes in: judgments and meta-judgments, from the logs of an earlier session or fresh from the models. Goes out: what
is still owed, and the `Outcomes` that the measures take.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ralign.errors import InputError
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
from ralign.records import Judgment, MetaJudgment, Order, Usage

# A vote whose call never came back is owed again; one that came back unreadable is not.
_CALL_FAILED = -3


class Tally:
    """The codes of `ralign.metrics.outcomes`, filled in as answers arrive."""

    def __init__(
        self, index: PairsIndex, orders: Sequence[Order], *, draws: int, votes: int, meta_judging: bool
    ) -> None:
        self.index = index
        self.orders = tuple(orders)
        self.draws = draws
        self.votes = votes
        self.meta_judging = meta_judging
        shape = (len(index), len(orders), draws)
        self._verdict: NDArray[np.int8] = np.full(shape, UNANSWERED, dtype=np.int8)
        self._vote: NDArray[np.int8] = np.full((*shape, votes), NOT_META_JUDGED, dtype=np.int8)
        self.judged = 0
        """Judgments that were answered."""
        self.meta_judged = 0
        """Meta-judgments that were answered."""
        self.call_failures = 0
        """Calls of this session that failed for good."""
        self._tokens = {"judge": [0, 0], "meta_judge": [0, 0]}

    def row(self, benchmark: str, pair_id: str) -> int:
        """The row of a pair.

        Raises:
            InputError: the pair is not in the pairs files.
        """
        try:
            return self.index.rows[benchmark, pair_id]
        except KeyError:
            raise InputError(f"pair {pair_id!r} of {benchmark!r} is not in the pairs files") from None

    def add_judgment(self, judgment: Judgment) -> tuple[int, int, int]:
        """Count a judgment and say where it stands: row, order, draw."""
        at = self.row(judgment.benchmark, judgment.pair_id), self.orders.index(judgment.order), judgment.draw
        before = int(self._verdict[at])
        if judgment.failure == "call":
            self.call_failures += 1
            code = UNANSWERED
        elif judgment.verdict is None:
            code = NO_VERDICT
        else:
            code = VERDICT_A if judgment.verdict == "A" else VERDICT_B
        self._verdict[at] = code
        self.judged += (code != UNANSWERED) - (before != UNANSWERED)
        self._add_usage("judge", judgment.usage)
        return at

    def add_meta_judgment(self, meta: MetaJudgment) -> tuple[int, int, int]:
        """Count a meta-judgment and say where its judgment stands: row, order, draw."""
        at = self.row(meta.benchmark, meta.pair_id), self.orders.index(meta.order), meta.draw, meta.vote
        answered_before = int(self._vote[at]) not in (NOT_META_JUDGED, _CALL_FAILED)
        if meta.failure == "call":
            self.call_failures += 1
            code = _CALL_FAILED
        elif meta.aligned is None:
            code = META_FAILED
        else:
            code = ALIGNED if meta.aligned else MISALIGNED
        self._vote[at] = code
        self.meta_judged += (code != _CALL_FAILED) - answered_before
        self._add_usage("meta_judge", meta.usage)
        return at[:3]

    def owes_judgment(self, row: int, order: int, draw: int) -> bool:
        """Whether no judge has answered this one yet."""
        return bool(self._verdict[row, order, draw] == UNANSWERED)

    def owed_votes(self, row: int, order: int, draw: int) -> list[int]:
        """The votes of the meta-judge that are still to come: only where the judgment is right and can be compared."""
        if not self.meta_judging or not self.index.has_gold[row]:
            return []
        if self._verdict[row, order, draw] != self.index.label[row]:
            return []
        codes: list[int] = self._vote[row, order, draw].tolist()
        return [vote for vote, code in enumerate(codes) if code in (NOT_META_JUDGED, _CALL_FAILED)]

    def owed(self) -> tuple[int, int]:
        """How many judgments are owed, and how many meta-judgments for the judgments that are there."""
        judgments = int((self._verdict == UNANSWERED).sum())
        if not self.meta_judging:
            return judgments, 0
        right = (self._verdict == self.index.label[:, None, None]) & self.index.has_gold[:, None, None]
        votes = (self._vote == NOT_META_JUDGED) | (self._vote == _CALL_FAILED)
        return judgments, int((votes & right[..., None]).sum())

    def outcomes(self, rows: NDArray[np.intp]) -> Outcomes:
        """The outcomes of some of the pairs, the majority of the votes taken."""
        votes = self._vote[rows]
        yes = (votes == ALIGNED).sum(axis=-1)
        no = (votes == MISALIGNED).sum(axis=-1)
        asked = (votes != NOT_META_JUDGED).any(axis=-1)
        aligned = np.select(
            [yes > no, no > yes, asked], [ALIGNED, MISALIGNED, META_FAILED], default=NOT_META_JUDGED
        ).astype(np.int8)
        return Outcomes(label=self.index.label[rows], verdict=self._verdict[rows], aligned=aligned)

    @property
    def usage(self) -> dict[str, Usage]:
        """Tokens by stage, `judge` and `meta_judge`, over all sessions; a stage that used none is left out."""
        return {
            stage: Usage(prompt_tokens=prompt, completion_tokens=completion)
            for stage, (prompt, completion) in self._tokens.items()
            if prompt or completion
        }

    def _add_usage(self, stage: str, usage: Usage | None) -> None:
        if usage is not None:
            tokens = self._tokens[stage]
            tokens[0] += usage.prompt_tokens
            tokens[1] += usage.completion_tokens
