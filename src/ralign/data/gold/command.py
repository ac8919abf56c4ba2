"""`ralign gold`: from a config to the objects of a run, and from its results to what people read.

Comes in: a `GoldConfig`. Goes out: a run directory, a few lines on the console.
"""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version

from rich.console import Console

from ralign import __version__
from ralign.data.gold.config import GoldConfig
from ralign.data.gold.expected import Range, expect
from ralign.data.gold.judgment_log import JudgmentLog
from ralign.data.gold.plan import Index, Plan
from ralign.data.gold.progress import ConsoleProgress
from ralign.data.gold.results import GoldResults
from ralign.data.gold.run import CHECKS, DRAFTS, write_gold
from ralign.data.gold.writer import CHECK_PROMPT, GOLD_PROMPT, ChatChecker, ChatWriter
from ralign.errors import InputError
from ralign.files import find_pairs_files, list_bad_rows
from ralign.judging import Prompt
from ralign.models import ChatModel, LoadLocalModel, ModelSpec, Sampling
from ralign.models.endpoint_model import EndpointModel
from ralign.models.pool import ModelPool
from ralign.models.price import Price, parse_prices


async def run_gold(config: GoldConfig, local_model: LoadLocalModel, console: Console) -> GoldResults | None:
    """Run or take up a gold run; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prices = _prices_by_stage(config)
    prompts = {"judge": Prompt.load(config.gold_prompt, GOLD_PROMPT)}
    if config.check_judge is not None:
        prompts["check_judge"] = Prompt.load(config.check_prompt, CHECK_PROMPT)
    plan = Plan(
        files=find_pairs_files(config.pairs),
        draws_limit=config.draws_limit,
        limit=config.limit,
        rewrite=config.rewrite,
        skip_bad_rows=config.skip_bad_rows,
        pairs_in_flight=config.concurrency * (2 if config.check_judge is not None else 1),
    )
    index = plan.index()
    for line in list_bad_rows(plan.skipped):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if config.dry_run:
        _show_expected(_expect(config, plan, index, prompts, prices), config, console)
        return None
    async with ModelPool(
        local_model,
        concurrency=config.concurrency,
        deadline=config.deadline,
        try_timeout=config.try_timeout,
    ) as opened:
        models = {"judge": await opened.open(_judge(config))}
        writer = ChatWriter(
            model=models["judge"],
            prompt=prompts["judge"],
            sampling=Sampling(temperature=config.judge_temperature, max_tokens=config.judge_max_tokens),
            seed=config.seed,
        )
        checker = None
        if (choice := _check_judge(config)) is not None:
            models["check_judge"] = await opened.open(choice)
            checker = ChatChecker(
                model=models["check_judge"],
                prompt=prompts["check_judge"],
                sampling=Sampling(temperature=config.check_temperature, max_tokens=config.check_max_tokens),
                seed=config.seed,
            )
        return await write_gold(
            plan,
            writer,
            checker,
            config.out,
            index=index,
            config={"gold": asdict(config), "versions": _versions()},
            identity=config.identity(
                {f"{stage}_prompt_digest": prompt.digest for stage, prompt in prompts.items()}
            ),
            facts=lambda drafts, checks: _facts(models, prices, drafts, checks),
            progress=ConsoleProgress(console),
        )


def show_results(results: GoldResults, config: GoldConfig, console: Console) -> None:
    """Say what a run came to, and what to do next."""
    document = results.document
    out = config.out
    console.print(
        f"{document['gold']:,} of {document['pairs']:,} pairs got a gold rationale "
        f"({document['drafts']['answered']:,} drafts), {document['left_out']:,} were left out, "
        f"{document['had_gold']:,} had one.",
        highlight=False,
        soft_wrap=True,
    )
    reasons = {reason: count for reason, count in document["drafts"]["rejected"].items() if count}
    if reasons:
        listed = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in reasons.items())
        console.print(f"Drafts not taken: {listed}.", highlight=False, soft_wrap=True)
    console.print(
        f"{out}/pairs.jsonl has the pairs, {out}/left_out.jsonl the others and why.",
        highlight=False,
        soft_wrap=True,
    )
    if not results.complete:
        console.print(
            f"Unfinished: {document['unanswered']:,} pairs wait for an answer; the same command asks again.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def _judge(config: GoldConfig) -> ModelSpec:
    return ModelSpec(
        name=config.judge,
        url=config.judge_url,
        key_variable=config.judge_key_variable,
        body=config.judge_body,
        body_flag="--judge-body",
    )


def _check_judge(config: GoldConfig) -> ModelSpec | None:
    if config.check_judge is None:
        return None
    return ModelSpec(
        name=config.check_judge,
        url=config.check_judge_url or config.judge_url,
        key_variable=config.check_judge_key_variable,
        body=config.check_body,
        body_flag="--check-body",
    )


def _prices_by_stage(config: GoldConfig) -> dict[str, Price]:
    models = {"judge": config.judge, "check_judge": config.check_judge}
    prices = parse_prices(config.price)
    for model in prices:
        if model not in models.values():
            raise InputError(f"--price names {model!r}, which is neither the judge nor the check judge")
    return {stage: prices[model] for stage, model in models.items() if model is not None and model in prices}


def _facts(
    models: Mapping[str, ChatModel],
    prices: Mapping[str, Price],
    drafts: JudgmentLog,
    checks: JudgmentLog | None,
) -> dict[str, object]:
    adapted = {
        stage: dict(model.adapted)
        for stage, model in models.items()
        if isinstance(model, EndpointModel) and model.adapted
    }
    facts: dict[str, object] = {"adapted_parameters": adapted}
    if prices:
        logs = {"judge": drafts} | ({} if checks is None else {"check_judge": checks})
        facts["money"] = round(sum(price.of(logs[stage].usage) for stage, price in prices.items()), 6)
    return facts


def _expect(
    config: GoldConfig,
    plan: Plan,
    index: Index,
    prompts: Mapping[str, Prompt],
    prices: Mapping[str, Price],
) -> dict[str, Range]:
    drafts = JudgmentLog(config.out / DRAFTS, index.rows, draws_limit=plan.draws_limit)
    checks = None
    if config.check_judge is not None:
        checks = JudgmentLog(config.out / CHECKS, index.rows, draws_limit=plan.draws_limit)
    tokens = config.expected_completion_tokens
    return expect(plan, drafts, checks, prompts, prices, completion_tokens=tokens)


def _show_expected(stages: Mapping[str, Range], config: GoldConfig, console: Console) -> None:
    for stage, (least, most) in stages.items():
        money = ""
        if least.money is not None and most.money is not None:
            money = f", {least.money:,.2f} to {most.money:,.2f} in money"
        console.print(
            f"{stage.replace('_', ' ')}: {least.calls:,} to {most.calls:,} calls, about "
            f"{least.usage.prompt_tokens:,} to {most.usage.prompt_tokens:,} tokens in and "
            f"{least.usage.completion_tokens:,} to {most.usage.completion_tokens:,} out{money}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        f"From every first draft taken to every pair using up its {config.draws_limit} draws. Counted at 4 characters "
        f"a token and {config.expected_completion_tokens:,} tokens an answer (--expected-completion-tokens), thinking "
        "included. Nothing was called.",
        highlight=False,
        soft_wrap=True,
    )


def _versions() -> dict[str, str]:
    return {"ralign": __version__, "python": platform.python_version(), "aiohttp": version("aiohttp")}
