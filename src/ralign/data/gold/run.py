"""The loop of `ralign gold`: draft, check, draw again, until a draft is taken or the draws are used up.

Comes in: pairs, a writer, a check judge or none, a run directory. Goes out: the run directory, finished as far as
the models answered. The paper (section 2) says that gold rationales come from a strong model that is shown the label
and the human comments; that drafts are checked and drawn again is ours.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ralign.data.gold.judgment_log import JudgmentLog
from ralign.data.gold.plan import Index, Plan
from ralign.data.gold.progress import Progress, silent
from ralign.data.gold.results import GoldResults, write_results
from ralign.data.gold.review import review
from ralign.data.gold.writer import Checker, Writer
from ralign.errors import RalignError, first_error
from ralign.files import DirectoryLock, check_fingerprint
from ralign.records import PreferencePair

DRAFTS = "drafts.jsonl"
CHECKS = "checks.jsonl"


async def write_gold(
    plan: Plan,
    writer: Writer,
    checker: Checker | None,
    out: Path,
    *,
    index: Index | None = None,
    config: Mapping[str, object] | None = None,
    identity: Mapping[str, object] | None = None,
    facts: Callable[[JudgmentLog, JudgmentLog | None], Mapping[str, object]] = lambda drafts, checks: {},
    progress: Progress = silent,
) -> GoldResults:
    """Write gold rationales into the run directory `out`, taking up what is recorded there.

    Args:
        plan: the pairs, and how often a draft is drawn.
        writer: asked once for each owed (pair, draw).
        checker: asked once about each draft that passes the other tests; None: they are enough.
        out: the run directory; made where it is missing.
        index: `plan.index()`, where the caller already has it.
        config: written to config.toml as it is; must hold no secret.
        identity: what makes this run the same run; a directory with another identity is refused.
        facts: asked at the end for more to put into results.json, such as what the run cost.
        progress: told after every answer.

    Raises:
        InputError: a bad row, no pairs, or another identity.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    index = plan.index() if index is None else index
    with DirectoryLock(out):
        check_fingerprint(out, config or {}, {"pairs_digest": index.digest, **(identity or {})}, log=DRAFTS)
        drafts = JudgmentLog(out / DRAFTS, index.rows, draws_limit=plan.draws_limit)
        checks = None
        if checker is not None:
            checks = JudgmentLog(out / CHECKS, index.rows, draws_limit=plan.draws_limit)
        logs = (drafts,) if checks is None else (drafts, checks)
        try:
            for log in logs:
                log.open()
            with progress(len(index.rows)) as tell:
                await _Loop(plan, writer, checker, drafts, checks, tell).run()
        finally:
            # Also when the run was interrupted: what is done can be used, and the page says what is missing.
            for log in logs:
                log.close()
            results = write_results(out, plan, drafts, checks, facts(drafts, checks))
    return results


class _Loop:
    """Workers that share one iterator of pairs."""

    def __init__(
        self,
        plan: Plan,
        writer: Writer,
        checker: Checker | None,
        drafts: JudgmentLog,
        checks: JudgmentLog | None,
        tell: Callable[[int, str], None],
    ) -> None:
        self._plan = plan
        self._writer = writer
        self._checker = checker
        self._drafts = drafts
        self._checks = checks
        self._tell = tell
        self._taken = self._given_up = 0

    async def run(self) -> None:
        """Ask for all that is owed.

        Raises:
            EndpointRefused: the first of the workers' errors; the others are cancelled.
        """
        pairs = enumerate(self._plan.pairs())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._plan.pairs_in_flight):
                    group.create_task(self._work(pairs))
        except* RalignError as errors:
            raise first_error(errors) from None

    async def _work(self, pairs: Iterator[tuple[int, PreferencePair]]) -> None:
        for row, pair in pairs:
            if self._plan.wants(pair):
                await self._settle(row, pair)
            failed = self._drafts.call_failures + (self._checks.call_failures if self._checks else 0)
            self._tell(1, f"{self._taken:,} taken, {self._given_up:,} given up, {failed:,} calls failed")

    async def _settle(self, row: int, pair: PreferencePair) -> None:
        """Ask until a draft is taken, the draws are used up, or a call fails: the next session asks again."""
        drafts = list(self._drafts.recorded(row).values())
        checks = None if self._checks is None else self._checks.recorded(row)
        while True:
            stands = review(pair, drafts, checks, draws_limit=self._plan.draws_limit)
            if stands.owed is None:
                self._taken += stands.gold is not None
                self._given_up += stands.gold is None
                return
            if stands.owed.call == "draft":
                answer = await self._writer.draft(pair, stands.owed.draw)
                self._drafts.append(row, answer)
                drafts.append(answer)
            else:
                assert self._checker is not None, "a check is owed only where there is a check judge"
                assert self._checks is not None, "which has its log"
                assert checks is not None, "and its answers"
                answer = await self._checker.check(pair, drafts[stands.owed.draw])
                self._checks.append(row, answer)
                checks[answer.draw] = answer
            if answer.failure == "call":
                return
