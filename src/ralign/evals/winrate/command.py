"""`ralign winrate`: from a config to the objects of a run, and from its results to what people read."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from rich.console import Console

from ralign import __version__
from ralign.data.prompts import read_prompts
from ralign.errors import InputError
from ralign.evals.bench.expected import expect
from ralign.evals.bench.pairs_index import index_pairs
from ralign.evals.bench.progress import ConsoleProgress
from ralign.evals.bench.run_directory import count_recorded
from ralign.evals.bench.tally import Tally
from ralign.evals.winrate.config import WinrateConfig
from ralign.evals.winrate.contest import Contest, match
from ralign.evals.winrate.results import WinrateResults
from ralign.evals.winrate.run import contest_plan, contest_tally, judge_contest
from ralign.judging import JUDGE_PROMPT, ChatJudge, Prompt
from ralign.models import LoadLocalModel, ModelSpec, Sampling
from ralign.models.endpoint_model import EndpointModel
from ralign.models.pool import ModelPool
from ralign.models.price import Expected, Price, parse_prices


async def run_winrate(
    config: WinrateConfig, local_model: LoadLocalModel, console: Console
) -> WinrateResults | None:
    """Run or take up a contest; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prices = _prices(config)
    prompt = Prompt.load(config.judge_prompt, JUDGE_PROMPT)
    contest = read_contest(config)
    if config.dry_run:
        _show_expected(_expect(config, contest, prompt, prices), config, console)
        return None
    async with ModelPool(
        local_model,
        concurrency=config.concurrency,
        deadline=config.deadline,
        try_timeout=config.try_timeout,
    ) as opened:
        choice = ModelSpec(
            name=config.judge,
            url=config.judge_url,
            key_variable=config.judge_key_variable,
            body=config.judge_body,
            body_flag="--judge-body",
        )
        model = await opened.open(choice)
        progress = ConsoleProgress(console, prices)

        def facts(tally: Tally) -> dict[str, object]:
            adapted = dict(model.adapted) if isinstance(model, EndpointModel) else {}
            money = {"money": round(progress.money(tally), 6)} if prices else {}
            return {"adapted_parameters": adapted, **money}

        return await judge_contest(
            contest,
            ChatJudge(
                model=model,
                prompt=prompt,
                sampling=Sampling(temperature=config.judge_temperature, max_tokens=config.judge_max_tokens),
                seed=config.seed,
            ),
            config.out,
            by=config.by,
            seed=config.seed,
            resamples=config.resamples,
            in_flight=config.concurrency,
            config={"winrate": asdict(config), "versions": _versions()},
            identity={**config.identity(), "judge_prompt_digest": prompt.digest},
            facts=facts,
            progress=progress,
        )


def read_contest(config: WinrateConfig) -> Contest:
    """Both files, brought together.

    Raises:
        InputError: a file or an answer is missing, or a prompt differs.
    """
    return match(
        read_prompts([config.answers]),
        read_prompts([config.reference]),
        column=config.column,
        reference_column=config.reference_column,
        missing=config.missing,
    )


def show_results(results: WinrateResults, config: WinrateConfig, console: Console) -> None:
    """Say what a contest came to, and what to do next."""
    for line in lines_of(results.document):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    for group, measured in results.document.get("groups", {}).items():
        console.print(
            f"{config.by} {group}: {_share(measured['win_rate'])}, at equal length "
            f"{_share(measured['length_controlled_win_rate'])}, {measured['prompts']:,} prompts",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
    console.print(f"Every figure with its counts: {config.out}/results.json", highlight=False, soft_wrap=True)
    if not results.complete:
        console.print(
            f"Unfinished: {results.document['owed']['judgments']:,} judgments had no answer "
            f"({config.out}/judgments.jsonl says why); the same command asks for them again.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def lines_of(measured: Mapping[str, Any]) -> list[str]:
    """What is printed of the figures."""
    counts, lengths = measured["counts"], measured["lengths"]
    lines = [
        f"Win rate {_share(measured['win_rate'])} over {measured['prompts']:,} prompts: {counts['won']:,} won, "
        f"{counts['tied']:,} tied (the orders disagree), {counts['lost']:,} lost."
    ]
    if lengths is not None:
        lines += [
            f"At equal length {_share(measured['length_controlled_win_rate'])}; at equal length and markdown "
            f"{_share(measured['style_controlled_win_rate'])}.",
            f"Mean length {lengths['answer']:,.0f} characters against {lengths['reference']:,.0f}, longer on "
            f"{100 * lengths['longer']:.1f} %.",
        ]
    if measured["extrapolated"]:
        lines.append(
            "All answers are longer, or all shorter, than their references: equal length is extrapolated."
        )
    if counts["forfeited"]:
        lines.append(f"Lost for want of an answer: {counts['forfeited']:,} prompts.")
    if counts["no_verdict"]:
        bounds = measured["win_rate_bounds"]
        lines.append(
            f"Without a verdict in both orders: {counts['no_verdict']:,} prompts, counted for nothing. Had they all "
            f"been lost, or won: {100 * bounds['low']:.1f} to {100 * bounds['high']:.1f} %."
        )
    for key, what in (("left_out", "an answer"), ("without_reference", "a reference")):
        if measured.get(key):
            lines.append(f"Left out for want of {what}: {measured[key]:,} prompts.")
    return lines


def _share(interval: Mapping[str, float] | None) -> str:
    """`63.1 % [58.7, 67.4]`."""
    if interval is None:
        return "– (not to be had from these answers)"
    return f"{100 * interval['value']:.1f} % [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]"


def _prices(config: WinrateConfig) -> dict[str, Price]:
    prices = parse_prices(config.price)
    for model in prices:
        if model != config.judge:
            raise InputError(f"--price names {model!r}, which is not the judge")
    return {"judge": prices[config.judge]} if prices else {}


def _expect(config: WinrateConfig, contest: Contest, prompt: Prompt, prices: Mapping[str, Price]) -> Expected:
    tally = contest_tally(index_pairs(contest.pairs))
    count_recorded(config.out, tally)
    tokens = config.expected_completion_tokens
    return expect(contest_plan(contest), tally, {"judge": prompt}, prices, completion_tokens=tokens)["judge"]


def _show_expected(expected: Expected, config: WinrateConfig, console: Console) -> None:
    money = "" if expected.money is None else f", {expected.money:,.2f} in money"
    console.print(
        f"judge: {expected.calls:,} calls, about {expected.usage.prompt_tokens:,} tokens in and "
        f"{expected.usage.completion_tokens:,} out{money}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"Counted at 4 characters a token and {config.expected_completion_tokens:,} tokens a judgment "
        "(--expected-completion-tokens), thinking included. Nothing was called.",
        highlight=False,
        soft_wrap=True,
    )


def _versions() -> dict[str, str]:
    return {
        "ralign": __version__,
        "python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        "numpy": version("numpy"),
    }
