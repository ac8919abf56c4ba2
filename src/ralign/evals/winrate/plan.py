"""`ralign winrate` as a plan: every pair is judged in both orders.

Comes in: pairs of answers and a judge. Goes out: the run directory of `ralign.runs` with `judgments.jsonl`, and beside
it `comparisons.jsonl`: one line a prompt, with its outcome, and how the two answers look.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ralign.errors import InputError
from ralign.evals.winrate.comparisons import Comparisons
from ralign.evals.winrate.results import compare, measure
from ralign.evals.winrate.style import Style
from ralign.files import PairsDigest, replacing
from ralign.judging import BOXED, VerdictFormat, suggested_flag
from ralign.metrics.official import Game, weighted_win_rate
from ralign.metrics.outcomes import (
    NO_VERDICT,
    REASON_CODES,
    TIE,
    UNANSWERED,
    VERDICT_A,
    VERDICT_B,
    count_reasons,
)
from ralign.records import Judgment, Order, Verdict
from ralign.runs.log import Log
from ralign.runs.plan import Ask, Call, Live, Role

ORDERS: tuple[Order, ...] = ("ab", "ba")
JUDGMENTS = "judgments.jsonl"
COMPARISONS = "comparisons.jsonl"

_VERDICTS = {"A": VERDICT_A, "B": VERDICT_B, "tie": TIE, None: NO_VERDICT}


class WinratePlan:
    """A win rate.

    Args:
        comparisons: the pairs, and the prompts without an answer.
        out: the run directory.
        judge: asked once for each owed (pair, order).
        by: a column of the references' rows to give every figure by.
        written_in: the format that the judge's verdicts are read in.
    """

    def __init__(
        self,
        comparisons: Comparisons,
        out: Path,
        judge: Live | Ask,
        *,
        by: str | None = None,
        written_in: VerdictFormat = BOXED,
    ) -> None:
        digest = PairsDigest()
        for pair in comparisons.pairs:
            digest.add(pair)
        self.digest = digest.hexdigest()
        self._comparisons = comparisons
        self._rows = {pair.id: row for row, pair in enumerate(comparisons.pairs)}
        self._out = out
        self._by = by
        self.size = len(comparisons.pairs) * len(ORDERS)
        # One small integer a slot (`ralign.metrics.outcomes`), so that no figure reads a judgment back from disk.
        self._verdicts: NDArray[np.int8] = np.full(self.size, UNANSWERED, dtype=np.int8)
        self._much: NDArray[np.bool_] = np.zeros(self.size, dtype=np.bool_)
        # Why there is no verdict: see `REASON_CODES`.
        self._reason: NDArray[np.int8] = np.full(self.size, -1, dtype=np.int8)
        self.judgments = Log(out / JUDGMENTS, Judgment, self._slot, self.size, note=self._count)
        self._judge = Role("judge", self.judgments, judge, suggest=suggested_flag(written_in))
        self.roles = [self._judge]

    def waves(self) -> Iterator[range]:
        """The slots, order by order within a prompt."""
        yield range(self.size)

    def owed(self, slot: int) -> Sequence[Call]:
        """The judgment of a pair in one order."""
        if slot in self.judgments:
            return ()
        row, order = divmod(slot, len(ORDERS))
        return (Call(self._judge, (self._comparisons.pairs[row], ORDERS[order], 0)),)

    def forecast(self, slot: int) -> tuple[Sequence[Call], Sequence[Call]]:
        """The owed judgment: no call leads to another."""
        owed = self.owed(slot)
        return owed, owed

    def results(self) -> dict[str, Any]:
        """Every figure with its counts and its interval, over all prompts and by group; writes comparisons.jsonl."""
        compared = compare(self._comparisons, self._verdicts.reshape(-1, len(ORDERS)), by=self._by)
        with replacing(self._out / COMPARISONS) as file:
            for one in compared:
                # A style is a named tuple, which orjson leaves to us.
                file.write(
                    orjson.dumps(one._asdict(), default=Style._asdict, option=orjson.OPT_APPEND_NEWLINE)
                )
        # Arena-Hard's own win rate, over the prompts that were judged.
        letters: dict[int, Verdict] = {VERDICT_A: "A", VERDICT_B: "B", TIE: "tie"}
        games = [
            Game(letters.get(verdict), much)
            for verdict, much in zip(self._verdicts.tolist(), self._much.tolist(), strict=True)
        ]
        arena = weighted_win_rate(games[row : row + len(ORDERS)] for row in range(0, self.size, len(ORDERS)))
        document: dict[str, Any] = {
            "owed": {"judgments": int((self._verdicts == UNANSWERED).sum())},
            **measure(compared),
            "left_out": self._comparisons.left_out,
            "without_reference": self._comparisons.without_reference,
            "failures": count_reasons(self._reason),
            "official": {"arena_hard": None if arena is None else arena._asdict()},
        }
        # After the figures over all prompts, whose intervals must not depend on whether groups were asked for.
        if self._by is not None:
            document["by"] = self._by
            document["groups"] = {
                group: measure([one for one in compared if one.group == group])
                for group in sorted({one.group for one in compared if one.group is not None})
            }
        return document

    def _slot(self, judgment: Judgment) -> int:
        if judgment.pair_id not in self._rows:
            raise InputError(f"prompt {judgment.pair_id!r} is not in both files")
        return self._rows[judgment.pair_id] * len(ORDERS) + ORDERS.index(judgment.order)

    def _count(self, slot: int, judgment: Judgment) -> None:
        # A failed call says nothing, not even that there is no verdict: it is owed again.
        if judgment.failure != "call":
            self._verdicts[slot] = _VERDICTS[judgment.verdict]
            self._much[slot] = judgment.much or False
        self._reason[slot] = REASON_CODES[judgment.reason]
