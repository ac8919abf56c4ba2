"""`ralign bench` as a plan: every pair is judged, and a right judgment goes straight to the meta-judge.

Comes in: pairs, a judge, a meta-judge or none. Goes out: the run directory of `ralign.runs` with `judgments.jsonl`,
`meta_judgments.jsonl`, and beside them `scores.jsonl`: what each judgment counts for, without its text. The paper's
section 3 (R-Align-BMK) is one order and one draw; here both are parameters.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.errors import InputError
from ralign.evals.bench.elsewhere import ElsewhereLabels
from ralign.evals.bench.labels import LABELS, MetaJudged, PeoplesLabels, correct, write_labels
from ralign.evals.bench.scores import PairsIndex, index_pairs, scores_of
from ralign.evals.label_rows import JudgmentKey
from ralign.files import write_scores
from ralign.judging import BOXED, Judge, RecordedJudge, VerdictFormat, suggested_flag
from ralign.metajudging import MetaJudge, RecordedMetaJudge
from ralign.metrics.official import official_measures
from ralign.metrics.outcomes import (
    ALIGNED,
    META_FAILED,
    MISALIGNED,
    NO_VERDICT,
    NOT_META_JUDGED,
    REASON_CODES,
    TIE,
    UNANSWERED,
    VERDICT_A,
    VERDICT_B,
    Outcomes,
    count_reasons,
)
from ralign.metrics.summary import summarise
from ralign.models.model import CHARACTERS_PER_TOKEN
from ralign.records import Judgment, MetaJudgment, Order, PreferencePair
from ralign.runs.execute import Results, run
from ralign.runs.log import Log
from ralign.runs.plan import Ask, Call, Live, Role

JUDGMENTS = "judgments.jsonl"
META_JUDGMENTS = "meta_judgments.jsonl"
SCORES = "scores.jsonl"

_VERDICTS = {"A": VERDICT_A, "B": VERDICT_B, "tie": TIE, None: NO_VERDICT}
_ALIGNED = {ALIGNED: True, MISALIGNED: False}
_DECISIONS = {True: ALIGNED, False: MISALIGNED, None: META_FAILED}


class Asked(NamedTuple):
    """One judgment of the run: a pair in one order, at one draw."""

    pair: PreferencePair
    order: Order
    draw: int
    slot: int


class BenchPlan:
    """A measurement.

    Args:
        pairs: what is judged; iterated once to count and once to ask.
        out: the run directory.
        judge: asked once for each (pair, order, draw).
        meta_judge: asked `meta_votes` times about each right judgment of a pair with a gold rationale; None: L-Acc
            alone is measured.
        orders: how the two answers are shown.
        draws: judgments a pair and order.
        meta_votes: meta-judgments a judgment; the majority counts.
        expected_tokens: of a rationale that is not there yet, for a forecast.
        written_in: the format that the judge's verdicts are read in.
        people: labels of this run's verdicts, to correct S-Corr and F-Score by.
        elsewhere: labels of others, for a sensitivity analysis.

    Raises:
        InputError: a bad row, no pairs, or no gold rationale to compare with.
    """

    def __init__(
        self,
        pairs: Iterable[PreferencePair],
        out: Path,
        judge: Live | Ask | RecordedJudge,
        meta_judge: Live | Ask | RecordedMetaJudge | None,
        *,
        orders: Sequence[Order] = ("ab",),
        draws: int = 1,
        meta_votes: int = 1,
        expected_tokens: int = 0,
        written_in: VerdictFormat = BOXED,
        people: PeoplesLabels | None = None,
        elsewhere: ElsewhereLabels | None = None,
    ) -> None:
        self.index: PairsIndex = index_pairs(pairs)
        self._pairs = pairs
        self._out = out
        self._people = people
        self._elsewhere = elsewhere
        self._orders = tuple(orders)
        self._draws = draws
        self._votes = 0 if meta_judge is None else meta_votes
        self._expected = "x" * (CHARACTERS_PER_TOKEN * expected_tokens)
        if meta_judge is not None and not self.index.has_gold.any():
            # Said before any call is paid: an S-Corr over nothing would print as a dash, hours later.
            raise InputError(
                "no pair has a gold rationale (gt_judgment), so there is nothing for a meta-judge to compare with: "
                "leave the meta-judge out to measure L-Acc alone"
            )
        # One small integer a judgment and a vote (`ralign.metrics.outcomes`): all that the measures need in memory.
        slots = len(self.index) * len(self._orders) * draws
        self._verdict: NDArray[np.int8] = np.full(slots, UNANSWERED, dtype=np.int8)
        # Read one by one as views: a number of a numpy array costs three times as much.
        self._verdicts, self._labels = memoryview(self._verdict.data), memoryview(self.index.label.data)
        self._has_gold = self.index.has_gold.tobytes()
        # Why there is no verdict, and no decision: see `REASON_CODES`.
        self._reason: NDArray[np.int8] = np.full(slots, -1, dtype=np.int8)
        self._meta_reason: NDArray[np.int8] = np.full((slots, self._votes), -1, dtype=np.int8)
        self._vote: NDArray[np.int8] = np.full((slots, self._votes), NOT_META_JUDGED, dtype=np.int8)
        self.judgments = Log(out / JUDGMENTS, Judgment, self._slot, slots, note=self._count_judgment)
        self.meta_judgments = Log(
            out / META_JUDGMENTS, MetaJudgment, self._vote_slot, slots * self._votes, note=self._count_vote
        )
        self._recorded: dict[str, dict[str, int]] = {}
        """For each file of recorded answers, how many of its rows are used, and why the others are not."""
        measured = self.index.rows, self._orders, draws
        suggest = suggested_flag(written_in)
        if isinstance(judge, RecordedJudge):
            self._recorded["judgments"] = judge.answers.use(*measured)
            self._judge = Role("judge", self.judgments, judge.judge, recorded=True, suggest=suggest)
        else:
            self._judge = Role("judge", self.judgments, judge, suggest=suggest)
        self._meta_judge: Role | None = None
        if isinstance(meta_judge, RecordedMetaJudge):
            self._recorded["meta_judgments"] = meta_judge.answers.use(*measured, meta_votes)
            self._meta_judge = Role("meta_judge", self.meta_judgments, meta_judge.meta_judge, recorded=True)
        elif meta_judge is not None:
            self._meta_judge = Role("meta_judge", self.meta_judgments, meta_judge)
        self.roles = [self._judge, *([self._meta_judge] if self._meta_judge else [])]
        self.size = slots

    def waves(self) -> Iterator[Iterator[Asked]]:
        """Every (pair, order, draw), read lazily from disk."""
        yield (
            Asked(pair, order, draw, (row * len(self._orders) + at) * self._draws + draw)
            for row, pair in enumerate(self._pairs)
            for at, order in enumerate(self._orders)
            for draw in range(self._draws)
        )

    def owed(self, asked: Asked) -> Sequence[Call]:
        """The judgment; then, where it is right and can be compared, the votes of the meta-judge."""
        pair, order, draw, slot = asked
        if slot not in self.judgments:
            return (Call(self._judge, (pair, order, draw)),)
        # Only right judgments need the meta-judge (section 2): of a wrong one, S-Corr says nothing.
        votes = self._owed_votes(slot)
        if not votes or self._meta_judge is None:
            return ()
        judgment = self.judgments.get(slot)
        return [Call(self._meta_judge, (pair, judgment, vote)) for vote in votes]

    def forecast(self, asked: Asked) -> tuple[Sequence[Call], Sequence[Call]]:
        """At least what is owed now; at most every owed judgment is right, so that the meta-judge is asked too."""
        owed = self.owed(asked)
        pair, order, draw, slot = asked
        if slot in self.judgments or self._meta_judge is None or pair.gold_rationale is None:
            return owed, owed
        # A rationale of the expected length stands for the one that the meta-judge will read.
        to_come = Judgment(pair_id=pair.id, order=order, draw=draw, rationale=self._expected)
        votes = [Call(self._meta_judge, (pair, to_come, vote)) for vote in range(self._votes)]
        return owed, [*owed, *votes]

    def results(self) -> dict[str, Any]:
        """Every measure with its counts and its interval, for each benchmark and each of its subsets."""
        right = (self._verdict.reshape(len(self.index), -1) == self.index.label[:, None]) & (
            self.index.has_gold[:, None]
        )
        every = self._outcomes(np.arange(len(self.index), dtype=np.intp))
        reasons = self._reason.reshape(len(self.index), len(self._orders), self._draws)
        meta_reasons = self._meta_reason.reshape(len(self.index), -1)
        write_scores(self._out / SCORES, scores_of(self.index, every, reasons, self._orders, self._draws))

        def measure(rows: NDArray[np.intp]) -> dict[str, Any]:
            outcomes, has_meta_judge = self._outcomes(rows), self._meta_judge is not None
            return {
                **summarise(outcomes, self._orders, has_meta_judge=has_meta_judge).as_dict(),
                "failures": count_reasons(reasons[rows]),
                "meta_failures": count_reasons(meta_reasons[rows]),
                "official": official_measures(outcomes, self._orders),
            }

        labelled, labels = self._people.used(self._meta_judged) if self._people is not None else ([], {})
        write_labels(self._out / LABELS, labelled)
        benchmarks: dict[str, Any] = {}
        for name, rows, subsets in self.index.groups():
            benchmarks[name] = measure(rows)
            if self._people is not None:
                own = [each for each in labelled if each.key.benchmark == name]
                benchmarks[name]["corrected"] = correct(self._outcomes(rows), self._orders, own).as_dict()
            if self._elsewhere is not None:
                benchmarks[name]["elsewhere"] = self._elsewhere.measure(self._outcomes(rows), self._orders)
            benchmarks[name]["subsets"] = {subset: measure(of) for subset, of in subsets.items()}
        owed = {
            "judgments": int((self._verdict == UNANSWERED).sum()),
            "meta_judgments": int(right.sum()) * self._votes - self.meta_judgments.answered,
        }
        # What a file lacks is owed by nobody: the same command would look in vain.
        recorded = {name: {**use, "missing": owed.pop(name, 0)} for name, use in self._recorded.items()}
        return {
            "owed": owed,
            **({"recorded": recorded} if recorded else {}),
            **({"labels": {**labels, "annotators": self._people.annotators()}} if self._people else {}),
            "orders": list(self._orders),
            "draws": self._draws,
            "meta_votes": self._votes,
            "benchmarks": benchmarks,
        }

    def _meta_judged(self, key: JudgmentKey) -> MetaJudged | None:
        """A right verdict that the meta-judge decided; None of any other."""
        row = self.index.rows.get((key.benchmark, key.pair_id), -1)
        if row < 0 or key.order not in self._orders or key.draw >= self._draws:
            return None
        at = self._orders.index(key.order), key.draw
        judgment = self.judgments.get((row * len(self._orders) + at[0]) * self._draws + at[1])
        outcomes = self._outcomes(np.array([row], dtype=np.intp))
        decision = int(outcomes.aligned[0][at])
        if judgment is None or outcomes.verdict[0][at] != outcomes.label[0] or decision not in _ALIGNED:
            return None
        return MetaJudged(int(outcomes.prompt[0]), _ALIGNED[decision], judgment.rationale)

    def _slot(self, record: Judgment | MetaJudgment) -> int | None:
        try:
            row = self.index.rows[record.benchmark, record.pair_id]
        except KeyError:
            raise InputError(
                f"pair {record.pair_id!r} of {record.benchmark!r} is not in the pairs files"
            ) from None
        # Answered under a higher limit, in another order, in a draw above today's: still paid for, not counted.
        if row < 0 or record.order not in self._orders or record.draw >= self._draws:
            return None
        return (row * len(self._orders) + self._orders.index(record.order)) * self._draws + record.draw

    def _vote_slot(self, record: MetaJudgment) -> int | None:
        slot = self._slot(record)
        return None if slot is None or record.vote >= self._votes else slot * self._votes + record.vote

    def _count_judgment(self, slot: int, judgment: Judgment) -> None:
        if judgment.failure != "call":
            self._verdicts[slot] = _VERDICTS[judgment.verdict]
        self._reason[slot] = REASON_CODES[judgment.reason]

    def _count_vote(self, slot: int, meta_judgment: MetaJudgment) -> None:
        at = divmod(slot, self._votes)
        # A failed call is a failed meta-judgment until it is answered: it moves the bounds, not the measure.
        if meta_judgment.failure != "call" or slot not in self.meta_judgments:
            self._vote[at] = _DECISIONS[meta_judgment.aligned]
            self._meta_reason[at] = REASON_CODES[meta_judgment.reason]

    def _owed_votes(self, slot: int) -> list[int]:
        """The votes still to come: only where the judgment is right and can be compared."""
        row = slot // (len(self._orders) * self._draws)
        if not self._has_gold[row] or self._verdicts[slot] != self._labels[row]:
            return []
        first = slot * self._votes
        return [owed - first for owed in self.meta_judgments.missing(first, first + self._votes)]

    def _outcomes(self, rows: NDArray[np.intp]) -> Outcomes:
        """The outcomes of some of the pairs, the majority of the votes taken."""
        shape = len(self.index), len(self._orders), self._draws
        votes = self._vote.reshape(*shape, self._votes)[rows]
        # A tie between the votes that answered is a failed meta-judgment, not an aligned or a misaligned one.
        yes, no = (votes == ALIGNED).sum(axis=-1), (votes == MISALIGNED).sum(axis=-1)
        asked = (votes != NOT_META_JUDGED).any(axis=-1)
        aligned = np.select(
            [yes > no, no > yes, asked], [ALIGNED, MISALIGNED, META_FAILED], default=NOT_META_JUDGED
        )
        return Outcomes(
            label=self.index.label[rows],
            prompt=self.index.prompt[rows],
            verdict=self._verdict.reshape(shape)[rows],
            aligned=aligned.astype(np.int8),
        )


async def bench(
    pairs: Iterable[PreferencePair],
    judge: Judge,
    meta_judge: MetaJudge | None,
    out: Path,
    *,
    orders: Sequence[Order] = ("ab",),
    draws: int = 1,
    meta_votes: int = 1,
    in_flight: int = 64,
    config: Mapping[str, object] | None = None,
    fingerprint: Mapping[str, object] | None = None,
) -> Results:
    """Measure a judge that is an object of this program; see `BenchPlan` and `ralign.runs.run`.

    Raises:
        InputError: a bad row, no pairs, no gold rationale to compare with, or another run's directory.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    recorded = isinstance(meta_judge, RecordedMetaJudge)
    plan = BenchPlan(
        pairs,
        out,
        judge if isinstance(judge, RecordedJudge) else judge.judge,
        meta_judge if recorded or meta_judge is None else meta_judge.meta_judge,
        orders=orders,
        draws=draws,
        meta_votes=meta_votes,
    )
    return await run(
        "bench",
        plan,
        out,
        config=config,
        fingerprint={"pairs_digest": plan.index.digest, **(fingerprint or {})},
        in_flight=in_flight,
    )
