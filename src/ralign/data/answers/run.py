"""The loop of `ralign answers`, and the files it leaves in its run directory.

    answers.jsonl    every answer that came back, one line each, its thinking apart
    prompts.jsonl    the prompts that have an answer: their rows as they came, and the answer in a column of its own
    left_out.jsonl   the others, each with why
    results.json     every count

An answer that the token limit cut off, or that says nothing after its thinking, is no reference: a policy would win
against it by ending its sentences. It is drawn again, and after the last draw the prompt is left out and listed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ralign import __version__
from ralign.data.answers.answer import PROBLEMS, Answerer
from ralign.data.answers.log import AnswerLog
from ralign.data.gold.progress import Progress, Tell, silent
from ralign.data.prompts import PolicyPrompt, prompts_digest, write_rows
from ralign.errors import InputError, RalignError, first_error
from ralign.files import DirectoryLock, check_fingerprint, write_atomically

ANSWERS = "answers.jsonl"
PROMPTS = "prompts.jsonl"
LEFT_OUT = "left_out.jsonl"


class AnswersResults(NamedTuple):
    """What a run came to, as results.json has it."""

    document: dict[str, Any]
    complete: bool
    """Whether every call that was owed has been answered."""


async def write_answers(
    prompts: Sequence[PolicyPrompt],
    answerer: Answerer,
    out: Path,
    *,
    column: str = "reference_answer",
    draws_limit: int = 2,
    in_flight: int = 64,
    config: Mapping[str, object] | None = None,
    identity: Mapping[str, object] | None = None,
    facts: Callable[[AnswerLog], Mapping[str, object]] = lambda log: {},
    progress: Progress = silent,
) -> AnswersResults:
    """Answer the prompts into the run directory `out`, taking up what is recorded there.

    Args:
        prompts: each is asked until it has an answer that can be compared with.
        answerer: asked once for each owed (prompt, draw).
        out: the run directory; made where it is missing.
        column: where the answers go in prompts.jsonl.
        draws_limit: answers a prompt at most.
        in_flight: prompts asked at once.
        config: written to config.toml as it is; must hold no secret.
        identity: what makes this run the same run; a directory with another identity is refused.
        facts: asked at the end for more to put into results.json, such as what the run cost.
        progress: told after every answer.

    Raises:
        InputError: a prompt has the column already, or another identity.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    for prompt in prompts:
        if column in prompt.row:
            raise InputError(f"{prompt.location}: has a column {column} already; choose another --column")
    wanted = {"prompts_digest": prompts_digest(prompts), **(identity or {})}
    with DirectoryLock(out):
        check_fingerprint(out, config or {}, wanted, log=ANSWERS)
        log = AnswerLog(out / ANSWERS, [prompt.id for prompt in prompts])
        try:
            with log, progress(len(prompts)) as tell:
                await _ask(prompts, answerer, log, draws_limit, in_flight, tell)
        finally:
            # Also when the run was interrupted: what is done can be used, and the page says what is missing.
            results = _write_results(prompts, log, out, column, draws_limit, facts(log))
    return results


async def _ask(
    prompts: Sequence[PolicyPrompt],
    answerer: Answerer,
    log: AnswerLog,
    draws_limit: int,
    in_flight: int,
    tell: Tell,
) -> None:
    """Workers that share one iterator of prompts."""

    async def settle(prompt: PolicyPrompt) -> None:
        while log.standings[prompt.id].owes(draws_limit):
            answer = await answerer.answer(prompt, log.standings[prompt.id].draws)
            log.append(answer)
            if answer.failure == "call":
                return  # the next session asks again

    async def work(owed: Iterator[PolicyPrompt]) -> None:
        for prompt in owed:
            await settle(prompt)
            tell(1, f"{log.call_failures:,} calls failed")

    owed = iter(prompts)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight, len(prompts))):
                group.create_task(work(owed))
    except* RalignError as errors:
        raise first_error(errors) from None


def _write_results(
    prompts: Sequence[PolicyPrompt],
    log: AnswerLog,
    out: Path,
    column: str,
    draws_limit: int,
    facts: Mapping[str, object],
) -> AnswersResults:
    counts: Counter[str] = Counter()
    left_out: list[dict[str, object]] = []

    def answered() -> Iterator[dict[str, object]]:
        for prompt in prompts:
            answer = log.taken(prompt.id)
            if answer is not None:
                counts["answered"] += 1
                by = {"model": answer.model or "", "draw": answer.draw}
                yield {**prompt.row, column: answer.text.strip(), f"{column}_by": by}
                continue
            standing = log.standings[prompt.id]
            reason = "unanswered" if standing.owes(draws_limit) else (standing.problem or "unanswered")
            counts[reason] += 1
            left_out.append({"id": prompt.id, "reason": reason, "draws": standing.draws})

    write_rows(out / PROMPTS, answered())
    write_rows(out / LEFT_OUT, left_out)
    complete = not counts["unanswered"]
    document: dict[str, Any] = {
        "ralign": __version__,
        "complete": complete,
        "prompts": len(prompts),
        "answered": counts["answered"],
        "left_out": {problem: counts[problem] for problem in PROBLEMS},
        "unanswered": counts["unanswered"],
        "draws_limit": draws_limit,
        "usage": asdict(log.usage),
        **facts,
    }
    write_atomically(out / "results.json", orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return AnswersResults(document, complete=complete)
