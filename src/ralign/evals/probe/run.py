"""The loop of `ralign probe`: judge every pair, then read the verdict after each version of each rationale.

Comes in: pairs, a judge, a reader (the judge's model, or another), a run directory. Goes out: the run directory,
finished as far as the model answered. Judging comes first and whole, as another pair's rationale is one of the
versions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ralign.errors import CallFailed, RalignError
from ralign.evals.probe.interventions import (
    Version,
    Written,
    dropped,
    replaced,
    swapped,
    truncated,
    written,
)
from ralign.evals.probe.log import JUDGMENTS, Case, ProbeLog
from ralign.evals.probe.progress import Progress, silent
from ralign.evals.probe.response_references import WhyNot
from ralign.evals.probe.results import Results, write_results
from ralign.evals.probe.verdict_probabilities import Reader, Reading
from ralign.files import DirectoryLock, PairsDigest, check_fingerprint
from ralign.judging import Judge, call_seed, in_pair_letters
from ralign.records import Judgment, Order, PreferencePair, Verdict, opposite

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is probed, apart from the models."""

    pairs: Sequence[PreferencePair]
    orders: tuple[Order, ...] = ("ab",)
    seed: int = 0
    """Chooses whose rationale stands in for whose, and draws the resamples."""
    resamples: int = 10_000
    in_flight: int = 32
    """Calls at once; the model batches them."""

    def cases(self) -> dict[Case, PreferencePair]:
        """Every pair in every order."""
        return {Case(pair.benchmark, pair.id, order): pair for pair in self.pairs for order in self.orders}

    def digest(self) -> str:
        """Of all that is judged."""
        digest = PairsDigest()
        for pair in self.pairs:
            digest.add(pair)
        return digest.hexdigest()


async def probe(
    plan: Plan,
    judge: Judge,
    reader: Reader,
    out: Path,
    *,
    config: Mapping[str, object] | None = None,
    identity: Mapping[str, object] | None = None,
    progress: Progress = silent,
) -> Results:
    """Probe a judge into the run directory `out`, taking up what is recorded there.

    Args:
        plan: the pairs and their orders.
        judge: asked once for each case.
        reader: asked once for each version of each rationale.
        out: the run directory; made where it is missing.
        config: written to config.toml as it is; must hold no secret.
        identity: what makes this run the same run; a directory with another identity is refused.
        progress: told after every answer.

    Raises:
        InputError: another identity, or logs of another run.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    cases = plan.cases()
    with DirectoryLock(out):
        check_fingerprint(
            out, config or {}, {"pairs_digest": plan.digest(), **(identity or {})}, log=JUDGMENTS
        )
        log = ProbeLog(out, cases)
        try:
            with log:
                await _judge_all(plan, cases, judge, log, progress)
                await _read_all(plan, cases, reader, log, progress)
        finally:
            # Also when the run was interrupted: what is done can be used, and the results say what is missing.
            results = write_results(
                out, cases, texts_of(cases, log, plan.seed), log, plan.seed, plan.resamples
            )
    return results


Texts = dict[Version, Written | WhyNot | None]
"""By version: the text, or why there is none; None for `other` where no rationale ends in the other verdict."""


def texts_of(cases: Mapping[Case, PreferencePair], log: ProbeLog, seed: int) -> dict[Case, Texts]:
    """Every version of every rationale that ends in a verdict."""
    own = {case: written(log.judgments[case]) for case in cases if _can_be_probed(log.judgments.get(case))}
    donors: dict[Verdict, list[Case]] = {"A": [], "B": []}
    for case in own:
        donors[_shown_verdict(log.judgments[case])].append(case)
    texts: dict[Case, Texts] = {}
    for case, text in own.items():
        donor = _donor(case, donors[opposite(_shown_verdict(log.judgments[case]))], seed)
        half = truncated(text)
        texts[case] = {
            "own": text,
            "swap": swapped(text, cases[case]),
            "other": None if donor is None else replaced(text, own[donor]),
            "truncate": half,
            "truncate_swap": swapped(half, cases[case]),
            "drop": dropped(text),
        }
    return texts


async def _judge_all(
    plan: Plan, cases: Mapping[Case, PreferencePair], judge: Judge, log: ProbeLog, progress: Progress
) -> None:
    owed = [case for case in cases if case not in log.judgments]

    with progress("judgments", len(owed)) as tell:

        async def ask(case: Case) -> None:
            log.append(await judge.judge(cases[case], case.order, 0))
            tell(f"{log.failed_calls:,} calls failed")

        await _each(owed, ask, plan.in_flight)


async def _read_all(
    plan: Plan, cases: Mapping[Case, PreferencePair], reader: Reader, log: ProbeLog, progress: Progress
) -> None:
    owed: list[tuple[Case, Version, Written]] = [
        (case, version, text)
        for case, texts in texts_of(cases, log, plan.seed).items()
        for version, text in texts.items()
        if isinstance(text, Written) and (case, version) not in log.readings
    ]

    with progress("readings", len(owed)) as tell:

        async def read(item: tuple[Case, Version, Written]) -> None:
            case, version, text = item
            log.append(await _reading(reader, cases[case], case, version, text))
            tell(f"{log.failed_calls:,} calls failed")

        await _each(owed, read, plan.in_flight)


async def _reading(
    reader: Reader, pair: PreferencePair, case: Case, version: Version, text: Written
) -> Reading:
    benchmark, pair_id, order = case
    try:
        log_prob_a, log_prob_b = await reader.read(pair, order, text)
    except CallFailed as error:
        return Reading(
            pair_id=pair_id,
            benchmark=benchmark,
            order=order,
            version=version,
            failure="call",
            detail=str(error),
        )
    return Reading(
        pair_id=pair_id,
        benchmark=benchmark,
        order=order,
        version=version,
        log_prob_a=log_prob_a,
        log_prob_b=log_prob_b,
    )


async def _each(items: Sequence[Item], work: Callable[[Item], Awaitable[None]], at_once: int) -> None:
    """Work on all items, so many at once.

    Raises:
        RalignError: the first of the workers' errors; the others are cancelled.
    """
    waiting = iter(items)

    async def worker(items: Iterator[Item]) -> None:
        for item in items:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(items))):
                group.create_task(worker(waiting))
    except* RalignError as errors:
        raise _first(errors) from None


def _first(errors: BaseExceptionGroup[RalignError]) -> RalignError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, RalignError)
    return error


def _can_be_probed(judgment: Judgment | None) -> bool:
    """Whether there is a verdict, and something before it that it could hang on."""
    if judgment is None or judgment.verdict is None:
        return False
    own = written(judgment)
    return bool(own.rationale or own.thinking)


def _shown_verdict(judgment: Judgment) -> Verdict:
    assert judgment.verdict is not None, "only judgments with a verdict are probed"
    return in_pair_letters(judgment.verdict, judgment.order)


def _donor(case: Case, donors: Sequence[Case], seed: int) -> Case | None:
    """One of the donors, not of the same pair; always the same one. None where there is none."""
    start = call_seed(seed, "other", *case)
    for step in range(len(donors)):
        donor = donors[(start + step) % len(donors)]
        if (donor.benchmark, donor.pair_id) != (case.benchmark, case.pair_id):
            return donor
    return None
