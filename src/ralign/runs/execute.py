"""The loop under every command that calls models: ask for what is owed, record it, write what it comes to.

Comes in: a plan, its config, a run directory. Goes out: the run directory, finished as far as the models answered:

    config.toml    what was asked for, with versions and the fingerprint that makes two runs the same run; no secrets
    *.jsonl        one log a role, appended line by line as answers arrive
    results.json   every figure with its counts; `complete` and `owed` say whether anything is missing
"""

import asyncio
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import orjson
from rich.console import Console

from ralign import __version__
from ralign.errors import ConfigMismatch, InputError, RalignError, UnreadableAnswers, first_error
from ralign.files import check_fingerprint, lock_directory, read_log, versions, write_atomically
from ralign.files.fingerprint import CONFIG
from ralign.models.endpoint_model import EndpointModel
from ralign.models.model import BATCH_DISCOUNT, Budget, LoadLocalModel, Price, parse_prices
from ralign.models.pool import ModelPool
from ralign.records import Answered, Failure, Usage
from ralign.runs.batch import BatchRun, Ledger, batch_spec
from ralign.runs.forecast import forecast, forecast_lines
from ralign.runs.gc_pause import gc_pause
from ralign.runs.options import CallOptions, as_table
from ralign.runs.plan import Call, Plan, Role
from ralign.runs.progress import Progress, money

Item = TypeVar("Item")


class Results(NamedTuple):
    """Results of a run, as results.json has them."""

    document: dict[str, Any]
    complete: bool
    """Whether every call that was owed has been answered."""


async def execute(
    command: str,
    plan: Plan[Item],
    config: object,
    out: Path,
    *,
    calls: CallOptions,
    fingerprint: Mapping[str, object],
    local_model: LoadLocalModel,
    console: Console,
    packages: Iterable[str] = ("aiohttp",),
) -> Results | None:
    """Run a plan in the run directory `out`, resuming what is recorded there; None after a dry run.

    Args:
        command: names the table of config.toml.
        plan: what is asked, and what it comes to.
        config: written to config.toml; must hold no secret.
        out: made where it is missing.
        calls: how the calls are made.
        fingerprint: what makes this run the same run; a directory with another one is refused.
        local_model: loads a model on this machine.
        console: where progress goes.
        packages: whose versions config.toml names beside ours.

    Raises:
        InputError: a flag, a file or the recorded run does not fit.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    prices = _prices_by_role(plan.roles, calls)
    budget = Budget() if calls.max_cost is None else Budget(limit=calls.max_cost)
    mode = calls.batch_mode
    live = {
        role: role.live.spec if mode is None else batch_spec(role.name, role.live, mode)
        for role in plan.roles
        if role.live is not None
    }
    if calls.dry_run:
        # Without the lock: a dry run reads, and may be asked about a run that is going on.
        for role in plan.roles:
            role.log.load(ask_again=calls.ask_again)
        tokens = calls.expected_completion_tokens
        if mode is not None:
            prices = {role: price.in_batches for role, price in prices.items()}
        for line in forecast_lines(forecast(plan, prices, tokens), tokens):
            console.print(line, highlight=False, soft_wrap=True)
        if mode is not None and prices:
            console.print(f"At the price of batches: {BATCH_DISCOUNT:.0%} less.", highlight=False)
        return None
    async with ModelPool(
        local_model,
        concurrency=calls.concurrency,
        deadline=calls.deadline,
        try_timeout=calls.try_timeout,
        budget=budget,
    ) as pool:
        models = {role.name: await pool.open(spec, prices.get(role.name)) for role, spec in live.items()}
        for role in live:
            role.open(models[role.name])
        return await run(
            command,
            plan,
            out,
            config={command: as_table(config), "versions": versions(*packages)},
            fingerprint=fingerprint,
            models=models,
            prices=prices,
            # Two models at two addresses are kept busy side by side; two at one address share its bound.
            in_flight=calls.concurrency * max(1, len({spec.url for spec in live.values()})),
            budget=budget,
            batches=None
            if mode is None
            else BatchRun(
                plan,
                out,
                models,
                mode=mode,
                most_requests=calls.batch_requests,
                prices=prices,
                budget=budget,
                keep_going=calls.keep_going,
                show=partial(console.print, highlight=False, soft_wrap=True),
            ),
            console=console,
            keep_going=calls.keep_going,
            ask_again=calls.ask_again,
        )


async def run(
    command: str,
    plan: Plan[Item],
    out: Path,
    *,
    config: Mapping[str, object] | None = None,
    fingerprint: Mapping[str, object] | None = None,
    models: Mapping[str, object] | None = None,
    prices: Mapping[str, Price] | None = None,
    in_flight: int = 64,
    budget: Budget | None = None,
    batches: BatchRun | None = None,
    console: Console | None = None,
    keep_going: bool = True,
    ask_again: Failure | None = None,
) -> Results:
    """Run a plan whose roles can all answer; see `execute`.

    Args:
        command: as results.json names it.
        plan: what is asked, and what it comes to.
        out: the run directory.
        config: written to config.toml as it is; must hold no secret.
        fingerprint: what makes this run the same run.
        models: the opened models by role.
        prices: by role.
        in_flight: items worked on at once. The models bound their own calls; this bounds memory.
        budget: what the models charge their calls to; once it is spent no call is begun.
        batches: hands the models' calls in together; None: each is a call of its own.
        console: where progress goes; None: nowhere.
        keep_going: go on also where nearly no answer can be read.
        ask_again: a recorded failure that is owed again, besides `call`.

    Raises:
        InputError: a file or the recorded run does not fit.
        UnreadableAnswers: nearly no answer can be read; what was recorded stays.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    prices = prices or {}
    budget = budget or Budget()
    progress = Progress(plan, prices, models or {})
    logs = [role.log for role in plan.roles]
    with lock_directory(out), ExitStack() as stack:
        # Before the logs are read: lines of another run must never be taken for ours.
        asked = config or {}, fingerprint or {}
        try:
            check_fingerprint(out, *asked, logs=[log.path.name for log in logs])
        except ConfigMismatch:
            # A run that failed before its first answer (a misspelt model, a wrong key) must not block the corrected
            # command. One of another command keeps its answers under other names.
            of_this_command = command in tomllib.loads((out / CONFIG).read_text(encoding="utf-8"))
            if not of_this_command or Ledger(out).load().open or any(_holds_answer(log.path) for log in logs):
                raise
            for log in logs:
                log.path.unlink(missing_ok=True)
            (out / CONFIG).unlink()
            check_fingerprint(out, *asked, logs=())
        for role in plan.roles:
            if role.recorded:
                role.log.path.unlink(missing_ok=True)
            role.log.load(ask_again=ask_again)
        budget.spent += money(plan.roles, prices)  # by earlier sessions
        for log in logs:
            stack.enter_context(log)
        if batches is None:
            Ledger(out).load().refuse_calls()
        through = False
        try:
            if batches is None:
                with progress.shown(console), gc_pause():
                    for items in plan.waves():
                        await _settle(plan, items, in_flight, budget, progress, keep_going)
            else:
                await batches.settle()
            if not keep_going:
                for role in plan.roles:
                    role.check.end(record for _, record in role.log.records())
            through = True
        finally:
            # Also when the run was interrupted: what is done can be used, and the page says what is missing.
            figures = plan.results()
            # Every command says in the same two words whether it is through: `view` and scripts need one reader.
            owed = figures.pop("owed")
            document: dict[str, Any] = {
                "ralign": __version__,
                "command": command,
                "complete": through and not any(owed.values()),
                "owed": owed,
                **({"in_batches": batches.waiting} if batches is not None and batches.waiting else {}),
                **figures,
                "usage": {
                    role.name: asdict(role.log.usage) for role in plan.roles if role.log.usage != Usage()
                },
                "adapted_parameters": _adapted_parameters(models or {}),
            }
            if budget.exhausted or (batches is not None and batches.held_back):
                document["max_cost"] = budget.limit
            if prices:
                document["money"] = round(money(plan.roles, prices), 6)
            write_atomically(out / "results.json", orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return Results(document, complete=document["complete"])


def _adapted_parameters(models: Mapping[str, object]) -> dict[str, dict[str, str | None]]:
    """By role, the request's parameters that its model does not take, and what was sent in their place."""
    return {
        name: dict(model.adapted)
        for name, model in models.items()
        if isinstance(model, EndpointModel) and model.adapted
    }


def _holds_answer(log: Path) -> bool:
    """Whether a log has a line that somebody paid for; a damaged one may be."""
    for line in read_log(log, skip_partial=True):
        try:
            row: object = orjson.loads(line.data)
        except orjson.JSONDecodeError:
            return True
        record = cast("dict[str, object]", row) if isinstance(row, dict) else {}
        if record.get("failure") != "call" or record.get("usage"):
            return True
    return False


async def _settle(
    plan: Plan[Item],
    items: Iterable[Item],
    in_flight: int,
    budget: Budget,
    progress: Progress,
    keep_going: bool,
) -> None:
    """Workers that share one iterator of items; the first error of one ends all."""
    # One iterator for all: a worker takes the next item only when it is free, so files are read as they are needed.
    waiting = iter(items)
    stopped = asyncio.Event()

    async def answer(call: Call) -> bool:
        # No try here: what a role raises (an endpoint that refuses every call) ends the run; what fails is a record.
        role, about = call
        assert role.ask is not None, "the models are open"
        record: Answered = await role.ask(*about)
        role.log.append(record)
        if not keep_going:
            try:
                role.check.see(record)
            except UnreadableAnswers:
                # Answers from a file come without a pause in which the other workers could be cancelled.
                stopped.set()
                raise
        return record.failure == "call"

    async def work() -> None:
        for item in waiting:
            if stopped.is_set():
                return
            while owed := plan.owed(item):
                # Left quietly, as an error would end the calls in flight, which are paid for.
                if budget.exhausted:
                    return
                if len(owed) == 1:  # the usual case, without the cost of a task of its own
                    failed = await answer(owed[0])
                else:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(answer(call)) for call in owed]
                    failed = any(task.result() for task in tasks)
                # A call that failed for good is asked for again by the next session, not by this one.
                if failed:
                    break
            progress.settled += 1

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight, plan.size)):
                group.create_task(work())
    except* RalignError as errors:
        raise first_error(errors) from None


def show_end(results: Results, out: Path, console: Console) -> int:
    """Say where the figures are and what is missing; the exit code: 0 complete, 1 as far as the models answered."""
    if results.complete:
        console.print(f"Every figure with its counts: {out}/results.json", highlight=False, soft_wrap=True)
        return 0
    if (limit := results.document.get("max_cost")) is not None:
        console.print(
            f"Stopped at --max-cost {limit:g}: {results.document['money']:,.2f} spent, "
            f"{sum(results.document['owed'].values()):,} calls are owed; a higher one goes on.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
        return 1
    if waiting := results.document.get("in_batches"):
        console.print(
            f"{sum(waiting.values()):,} calls are out in batches ({out}/batches.jsonl); the same command goes on "
            "when their answers are there.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
        return 1
    owed = [
        f"{count:,} {name.replace('_', '-')}" for name, count in results.document["owed"].items() if count
    ]
    console.print(
        f"Unfinished: {' and '.join(owed)} had no answer (the logs in {out} say why); "
        "the same command asks for them again.",
        style="yellow",
        highlight=False,
        soft_wrap=True,
    )
    return 1


def _prices_by_role(roles: Iterable[Role], calls: CallOptions) -> dict[str, Price]:
    models = {role.name: role.live.spec.name for role in roles if role.live is not None}
    prices = parse_prices(calls.price)
    # A price for a model nobody asks is a misspelt name, and a run that looks free.
    for model in prices:
        if model not in models.values():
            asked = ", ".join(dict.fromkeys(models.values())) or "none"
            raise InputError(f"--price names {model!r}, which is none of the models asked ({asked})")
    # A model on this machine costs nothing.
    free = [
        role.live.spec.name
        for role in roles
        if role.live and role.live.spec.url is not None and role.live.spec.name not in prices
    ]
    if calls.max_cost is not None and free:
        raise InputError(f"--max-cost needs the price of every model: give --price {free[0]}=INPUT/OUTPUT")
    return {role: prices[model] for role, model in models.items() if model in prices}
