"""The loop of `ralign bench`: every owed judgment is asked for once, and a right one goes straight to the meta-judge.

Comes in: pairs files, a judge, a meta-judge or none, a run directory. Goes out: the run directory, finished as far
as the models answered, and its results. The paper's section 3 (R-Align-BMK) is one order and one draw; here both are
parameters.
"""

import asyncio
import gc
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ralign.errors import BadRow, InputError, RalignError, first_error
from ralign.evals.bench.pairs_index import PairsIndex, index_pairs
from ralign.evals.bench.progress import Progress, silent
from ralign.evals.bench.results import Results, write_results
from ralign.evals.bench.run_directory import RunDirectory
from ralign.evals.bench.tally import Tally
from ralign.files import PairsFile, read_pairs
from ralign.judging import Judge
from ralign.metajudging import MetaJudge
from ralign.records import Judgment, Order, PreferencePair

# Larger files are read twice, once to count and once to ask, so that memory stays flat.
_KEPT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, apart from the models."""

    files: Sequence[PairsFile]
    orders: tuple[Order, ...] = ("ab",)
    draws: int = 1
    meta_votes: int = 1
    limit: int | None = None
    skip_bad_rows: bool = False
    rows_in_flight: int = 64
    """Pairs being judged or meta-judged at once. The models bound their own calls; this bounds memory."""
    seed: int = 0
    resamples: int = 10_000
    skipped: list[BadRow] = field(default_factory=list[BadRow])
    """Filled with the rows left out, where bad rows are skipped."""
    kept: list[PreferencePair] = field(default_factory=list[PreferencePair])
    """Filled with the pairs by `index()`, where the files are small enough to be read once."""

    def pairs(self) -> Iterator[PreferencePair]:
        """The pairs, one by one; read from disk unless they are kept.

        Raises:
            BadRow: a row cannot be used, unless bad rows are skipped.
        """
        if self.kept:
            return iter(self.kept)
        self.skipped.clear()
        return islice(
            read_pairs(self.files, skip_bad_rows=self.skipped if self.skip_bad_rows else None), self.limit
        )

    def index(self) -> PairsIndex:
        """The pairs without their texts.

        Raises:
            InputError: there are none.
        """
        self.kept.clear()
        if sum(file.path.stat().st_size for file in self.files) <= _KEPT_BYTES:
            self.kept.extend(self.pairs())
        index = index_pairs(self.pairs())
        if not len(index):
            raise InputError(f"{', '.join(file.name for file in self.files)}: no usable pair")
        return index


async def bench(
    plan: Plan,
    judge: Judge,
    meta_judge: MetaJudge | None,
    out: Path,
    *,
    index: PairsIndex | None = None,
    config: Mapping[str, object] | None = None,
    identity: Mapping[str, object] | None = None,
    facts: Callable[[Tally], Mapping[str, object]] = lambda tally: {},
    progress: Progress = silent,
) -> Results:
    """Measure a judge into the run directory `out`, taking up what is recorded there.

    Args:
        plan: the pairs and how often each is judged.
        judge: asked once for each owed (pair, order, draw).
        meta_judge: asked `plan.meta_votes` times about each right judgment of a pair with a gold rationale.
        out: the run directory; made where it is missing.
        index: `plan.index()`, where the caller already has it.
        config: written to config.toml as it is; must hold no secret.
        identity: what makes this run the same run; a directory with another identity is refused.
        facts: asked at the end for more to put into results.json, such as what the run cost.
        progress: told of the tally while the run goes on.

    Raises:
        InputError: a bad row, no pairs, no gold rationale to compare with, or another identity.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    index = plan.index() if index is None else index
    if meta_judge is not None and not index.has_gold.any():
        raise InputError(
            "no pair has a gold rationale (gt_judgment), so there is nothing for a meta-judge to compare with: "
            "leave the meta-judge out to measure L-Acc alone"
        )
    tally = Tally(
        index, plan.orders, draws=plan.draws, votes=plan.meta_votes, meta_judging=meta_judge is not None
    )
    with RunDirectory(out) as directory:
        directory.claim(config or {}, {"pairs_digest": index.digest, **(identity or {})})
        directory.resume(tally)
        try:
            with progress(tally):
                await judge_owed(plan, judge, meta_judge, tally, directory)
        finally:
            # Also when the run was interrupted: the page of an unfinished run says that it is unfinished.
            results = write_results(out, tally, facts(tally), seed=plan.seed, resamples=plan.resamples)
    return results


async def judge_owed(
    plan: Plan, judge: Judge, meta_judge: MetaJudge | None, tally: Tally, directory: RunDirectory
) -> None:
    """Ask for every judgment and meta-judgment that a tally owes, recording each as it comes.

    Args:
        plan: the pairs, and how many are worked on at once.
        judge: asked once for each owed (pair, order, draw).
        meta_judge: asked about each right judgment; None where the tally is not `meta_judging`.
        tally: says what is owed, and is told what came.
        directory: claimed and taken up.

    Raises:
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    await _Loop(plan, judge, meta_judge, tally, directory).run()


class _Loop:
    """Workers that share one iterator of owed judgments."""

    def __init__(
        self, plan: Plan, judge: Judge, meta_judge: MetaJudge | None, tally: Tally, directory: RunDirectory
    ) -> None:
        self._plan = plan
        self._judge = judge
        self._meta_judge = meta_judge
        self._tally = tally
        self._directory = directory

    async def run(self) -> None:
        """Ask for all that is owed.

        Raises:
            EndpointRefused: the first of the workers' errors; the others are cancelled.
        """
        owed = self._owed()
        workers = min(self._plan.rows_in_flight, sum(self._tally.owed()))
        try:
            with _rare_collections():
                async with asyncio.TaskGroup() as group:
                    for _ in range(workers):
                        group.create_task(self._work(owed))
        except* RalignError as errors:
            raise first_error(errors) from None

    def _owed(self) -> Iterator[tuple[PreferencePair, int, int, int]]:
        """Each (pair, row, order, draw) that owes a judgment or a meta-judgment, read lazily from disk."""
        for row, pair in enumerate(self._plan.pairs()):
            for order in range(len(self._tally.orders)):
                for draw in range(self._tally.draws):
                    if self._tally.owes_judgment(row, order, draw) or self._tally.owed_votes(
                        row, order, draw
                    ):
                        yield pair, row, order, draw

    async def _work(self, owed: Iterator[tuple[PreferencePair, int, int, int]]) -> None:
        for pair, row, order, draw in owed:
            if self._tally.owes_judgment(row, order, draw):
                judgment = await self._judge.judge(pair, self._tally.orders[order], draw)
                self._directory.record_judgment(judgment)
                self._tally.add_judgment(judgment)
            else:
                judgment = self._directory.recorded_judgment(row, order, draw)
            votes = self._tally.owed_votes(row, order, draw)
            if votes:
                await self._ask_votes(pair, judgment, votes)

    async def _ask_votes(self, pair: PreferencePair, judgment: Judgment, votes: list[int]) -> None:
        if len(votes) == 1:
            await self._ask_vote(pair, judgment, votes[0])
            return
        async with asyncio.TaskGroup() as group:
            for vote in votes:
                group.create_task(self._ask_vote(pair, judgment, vote))

    async def _ask_vote(self, pair: PreferencePair, judgment: Judgment, vote: int) -> None:
        assert self._meta_judge is not None, "votes are owed only where there is a meta-judge"
        meta = await self._meta_judge.meta_judge(pair, judgment, vote)
        self._directory.record_meta_judgment(meta)
        self._tally.add_meta_judgment(meta)


@contextmanager
def _rare_collections() -> Generator[None]:
    """Collect garbage a hundred times more rarely: a tenth of the loop's time, for a few megabytes.

    Records are trees and go when their last reference goes; cycles come from failed calls alone.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100 * thresholds[0], *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
