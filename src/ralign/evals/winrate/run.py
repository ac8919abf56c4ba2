"""The judging of a contest: every pair in both orders, into a run directory, and the results.

It is `ralign bench`'s judging: its run directory, its loop, its resuming. What is measured is not: there is no label.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from ralign.evals.bench.pairs_index import PairsIndex, index_pairs
from ralign.evals.bench.progress import Progress, silent
from ralign.evals.bench.run import Plan, judge_owed
from ralign.evals.bench.run_directory import RunDirectory
from ralign.evals.bench.tally import Tally
from ralign.evals.winrate.contest import Contest
from ralign.evals.winrate.results import WinrateResults, write_results
from ralign.judging import Judge
from ralign.records import Order

ORDERS: tuple[Order, ...] = ("ab", "ba")


async def judge_contest(
    contest: Contest,
    judge: Judge,
    out: Path,
    *,
    by: str | None = None,
    seed: int = 0,
    resamples: int = 2_000,
    in_flight: int = 64,
    config: Mapping[str, object] | None = None,
    identity: Mapping[str, object] | None = None,
    facts: Callable[[Tally], Mapping[str, object]] = lambda tally: {},
    progress: Progress = silent,
) -> WinrateResults:
    """Judge a contest into the run directory `out`, taking up what is recorded there.

    Args:
        contest: the pairs, and who did not turn up.
        judge: asked once for each owed (pair, order).
        out: the run directory; made where it is missing.
        by: a column of the references' rows to give every figure by.
        seed: seeds the bootstrap.
        resamples: of the bootstrap.
        in_flight: pairs judged at once.
        config: written to config.toml as it is; must hold no secret.
        identity: what makes this run the same run; a directory with another identity is refused.
        facts: asked at the end for more to put into results.json, such as what the run cost.
        progress: told of the tally while the run goes on.

    Raises:
        InputError: another identity.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    index = index_pairs(contest.pairs)
    tally = contest_tally(index)
    plan = contest_plan(contest, in_flight=in_flight)
    with RunDirectory(out) as directory:
        directory.claim(config or {}, {"pairs_digest": index.digest, **(identity or {})})
        directory.resume(tally)
        try:
            with progress(tally):
                await judge_owed(plan, judge, None, tally, directory)
        finally:
            # Also when the run was interrupted: what is done can be read, and the page says what is missing.
            results = write_results(out, contest, tally, facts(tally), by=by, seed=seed, resamples=resamples)
    return results


def contest_plan(contest: Contest, *, in_flight: int = 64) -> Plan:
    """The pairs as `ralign bench` takes them."""
    return Plan(files=(), orders=ORDERS, rows_in_flight=in_flight, kept=contest.pairs)


def contest_tally(index: PairsIndex) -> Tally:
    """Nothing judged yet; each pair owes one judgment in each order."""
    return Tally(index, ORDERS, draws=1, votes=1, meta_judging=False)
