"""The loop of `ralign rubric`: every owed grade asked for once, into a run directory that can be taken up again."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import orjson

from ralign.data.gold.progress import Progress, Tell, silent
from ralign.errors import RalignError, first_error
from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.judge import RubricJudge
from ralign.evals.rubric.log import GradeLog
from ralign.evals.rubric.results import RubricResults, write_results
from ralign.files import DirectoryLock, check_fingerprint

GRADES = "grades.jsonl"


async def grade_items(
    items: Sequence[RubricItem],
    judge: RubricJudge,
    out: Path,
    *,
    left_out: int = 0,
    in_flight: int = 64,
    seed: int = 0,
    resamples: int = 10_000,
    config: Mapping[str, object] | None = None,
    identity: Mapping[str, object] | None = None,
    facts: Callable[[GradeLog], Mapping[str, object]] = lambda log: {},
    progress: Progress = silent,
) -> RubricResults:
    """Grade the items into the run directory `out`, taking up what is recorded there.

    Args:
        items: with their answers; one without fails unasked.
        judge: asked once for each owed (item, criterion).
        out: the run directory; made where it is missing.
        left_out: items that were left out for want of an answer, to be counted.
        in_flight: calls at once.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        config: written to config.toml as it is; must hold no secret.
        identity: what makes this run the same run; a directory with another identity is refused.
        facts: asked at the end for more to put into results.json, such as what the run cost.
        progress: told after every answer.

    Raises:
        InputError: another identity, or a damaged log.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    with DirectoryLock(out):
        check_fingerprint(
            out, config or {}, {"items_digest": digest_of(items), **(identity or {})}, log=GRADES
        )
        log = GradeLog(out / GRADES, items)
        owed = [(item, criterion) for item in items for criterion in log.owed(item)]
        try:
            with log, progress(len(owed)) as tell:
                await _ask(owed, judge, log, in_flight, tell)
        finally:
            # Also when the run was interrupted: what is done can be used, and the page says what is missing.
            results = write_results(
                out, items, log, facts(log), left_out=left_out, seed=seed, resamples=resamples
            )
    return results


async def _ask(
    owed: Sequence[tuple[RubricItem, int]], judge: RubricJudge, log: GradeLog, in_flight: int, tell: Tell
) -> None:
    """Workers that share one iterator of calls."""

    async def work(calls: Iterator[tuple[RubricItem, int]]) -> None:
        for item, criterion in calls:
            log.append(await judge.grade(item, criterion))
            tell(1, f"{log.call_failures:,} calls failed")

    calls = iter(owed)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight, len(owed))):
                group.create_task(work(calls))
    except* RalignError as errors:
        raise first_error(errors) from None


def digest_of(items: Sequence[RubricItem]) -> str:
    """16 hexadecimal digits that name the content: prompts, answers and what decides."""
    digest = blake2b(digest_size=8)
    for item in items:
        turns = [(message.role, message.content) for message in item.conversation]
        digest.update(orjson.dumps([item.id, turns, item.answer, item.kind, item.criteria, item.passes_on]))
    return digest.hexdigest()
