"""`ralign bench`: from a config to the objects of a run, and from its results to what people read.

Comes in: a `BenchConfig`. Goes out: a run directory, tables on the console, an exit code.
"""

import platform
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, cast

from rich.console import Console

from ralign import __version__
from ralign.errors import InputError
from ralign.evals.bench.config import BenchConfig
from ralign.evals.bench.expected import expect
from ralign.evals.bench.progress import ConsoleProgress
from ralign.evals.bench.results import Results
from ralign.evals.bench.run import Plan, bench
from ralign.evals.bench.run_directory import count_recorded
from ralign.evals.bench.tally import Tally
from ralign.files import find_pairs_files, list_bad_rows
from ralign.judging import JUDGE_PROMPT, ChatJudge, Judge, Prompt, RecordedJudge
from ralign.metajudging import META_PROMPT, ChatMetaJudge, MetaJudge, RecordedMetaJudge
from ralign.models import ChatModel, LoadLocalModel, ModelSpec, Sampling
from ralign.models.endpoint_model import EndpointModel
from ralign.models.pool import ModelPool
from ralign.models.price import Expected, Price, parse_prices


class Stages(NamedTuple):
    """What judges, and what meta-judges."""

    judge: Judge
    meta_judge: MetaJudge | None
    models: dict[str, ChatModel]
    """By stage, `judge` and `meta_judge`: those that are asked rather than read from a file."""


def bench_plan(config: BenchConfig) -> Plan:
    """What is measured, apart from the models.

    Raises:
        InputError: a source means no file.
    """
    endpoints = {url for url in (config.judge_url, _meta_judge_url(config)) if url is not None}
    return Plan(
        files=find_pairs_files(config.pairs),
        orders=config.order_list,
        draws=config.draws,
        meta_votes=config.meta_votes,
        limit=config.limit,
        skip_bad_rows=config.skip_bad_rows,
        rows_in_flight=config.concurrency * max(1, len(endpoints)),
        seed=config.seed,
        resamples=config.resamples,
    )


async def run_bench(config: BenchConfig, local_model: LoadLocalModel, console: Console) -> Results | None:
    """Run or take up a measurement; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prices = _prices_by_stage(config)
    prompts = _prompts(config)
    plan = bench_plan(config)
    index = plan.index()
    for line in list_bad_rows(plan.skipped):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    out = config.out or default_out(config)
    if config.dry_run:
        tally = Tally(
            index, plan.orders, draws=plan.draws, votes=plan.meta_votes, meta_judging=config.with_meta_judge
        )
        count_recorded(out, tally)
        tokens = config.expected_completion_tokens
        _show_expected(expect(plan, tally, prompts, prices, completion_tokens=tokens), tokens, console)
        return None
    async with open_stages(config, prompts, local_model) as stages:
        progress = ConsoleProgress(console, prices)

        def facts(tally: Tally) -> dict[str, object]:
            adapted = {
                stage: dict(model.adapted)
                for stage, model in stages.models.items()
                if isinstance(model, EndpointModel) and model.adapted
            }
            money = {"money": round(progress.money(tally), 6)} if prices else {}
            return {"adapted_parameters": adapted, **money}

        return await bench(
            plan,
            stages.judge,
            stages.meta_judge,
            out,
            index=index,
            config={"bench": asdict(config), "versions": _versions(config)},
            identity=config.identity(_digests(config, prompts)),
            facts=facts,
            progress=progress,
        )


@asynccontextmanager
async def open_stages(
    config: BenchConfig, prompts: Mapping[str, Prompt], local_model: LoadLocalModel
) -> AsyncGenerator[Stages]:
    """The judge and the meta-judge, with their connections open. Models at the same address share its connections.

    Raises:
        InputError: a key, an address or a recorded file does not fit.
    """
    models: dict[str, ChatModel] = {}
    async with ModelPool(
        local_model,
        concurrency=config.concurrency,
        deadline=config.deadline,
        try_timeout=config.try_timeout,
    ) as opened:
        if config.judgments is not None:
            judge: Judge = RecordedJudge(config.judgments)
        else:
            assert config.judge is not None
            models["judge"] = await opened.open(
                ModelSpec(
                    name=config.judge,
                    url=config.judge_url,
                    key_variable=config.judge_key_variable,
                    body=config.judge_body,
                    body_flag="--judge-body",
                )
            )
            sampling = Sampling(temperature=config.judge_temperature, max_tokens=config.judge_max_tokens)
            judge = ChatJudge(
                model=models["judge"], prompt=prompts["judge"], sampling=sampling, seed=config.seed
            )
        meta_judge: MetaJudge | None = None
        if config.meta_judgments is not None:
            meta_judge = RecordedMetaJudge(config.meta_judgments)
        elif config.meta_judge is not None:
            models["meta_judge"] = await opened.open(
                ModelSpec(
                    name=config.meta_judge,
                    url=_meta_judge_url(config),
                    key_variable=config.meta_judge_key_variable,
                    body=config.meta_body,
                    body_flag="--meta-body",
                )
            )
            sampling = Sampling(temperature=config.meta_temperature, max_tokens=config.meta_max_tokens)
            meta_judge = ChatMetaJudge(
                model=models["meta_judge"], prompt=prompts["meta_judge"], sampling=sampling, seed=config.seed
            )
        yield Stages(judge, meta_judge, models)


def default_out(config: BenchConfig) -> Path:
    """`runs/` and what judges: a directory that already holds another run is refused, never written over."""
    name = config.judge or cast("Path", config.judgments).stem
    return Path("runs") / "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)


def _meta_judge_url(config: BenchConfig) -> str | None:
    return (config.meta_judge_url or config.judge_url) if config.meta_judge is not None else None


def _prompts(config: BenchConfig) -> dict[str, Prompt]:
    prompts: dict[str, Prompt] = {}
    if config.judge is not None:
        prompts["judge"] = Prompt.load(config.judge_prompt, JUDGE_PROMPT)
    if config.meta_judge is not None:
        prompts["meta_judge"] = Prompt.load(config.meta_prompt, META_PROMPT)
    return prompts


def _prices_by_stage(config: BenchConfig) -> dict[str, Price]:
    models = {"judge": config.judge, "meta_judge": config.meta_judge}
    prices = parse_prices(config.price)
    for model in prices:
        if model not in models.values():
            raise InputError(f"--price names {model!r}, which is neither the judge nor the meta-judge")
    return {stage: prices[model] for stage, model in models.items() if model is not None and model in prices}


def _digests(config: BenchConfig, prompts: Mapping[str, Prompt]) -> dict[str, str]:
    digests = {f"{stage}_prompt_digest": prompt.digest for stage, prompt in prompts.items()}
    recorded = {"judgments_digest": config.judgments, "meta_judgments_digest": config.meta_judgments}
    for name, path in recorded.items():
        if path is not None:
            digests[name] = _file_digest(path)
    return digests


def _file_digest(path: Path) -> str:
    digest = blake2b(digest_size=8)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def _versions(config: BenchConfig) -> dict[str, str]:
    local = (config.judge is not None and config.judge_url is None) or (
        config.meta_judge is not None and _meta_judge_url(config) is None
    )
    packages = ("aiohttp", "numpy", *(("torch", "transformers") if local else ()))
    return {"ralign": __version__, "python": platform.python_version()} | {
        name: version(name) for name in packages
    }


def _show_expected(stages: Mapping[str, Expected], completion_tokens: int, console: Console) -> None:
    for stage, expected in stages.items():
        usage = expected.usage
        money = "" if expected.money is None else f", {expected.money:,.2f} in money"
        console.print(
            f"{stage.replace('_', '-')}: {expected.calls:,} calls, about {usage.prompt_tokens:,} tokens in and "
            f"{usage.completion_tokens:,} out{money}",
            highlight=False,
            soft_wrap=True,
        )
    if len([1 for expected in stages.values() if expected.money is not None]) > 1:
        total = sum(expected.money or 0.0 for expected in stages.values())
        console.print(f"in all: {total:,.2f} in money", highlight=False, soft_wrap=True)
    console.print(
        f"Counted at 4 characters a token and {completion_tokens:,} tokens an answer "
        "(--expected-completion-tokens), thinking included; the meta-judge as if every verdict were right. "
        "Nothing was called.",
        highlight=False,
        soft_wrap=True,
    )
