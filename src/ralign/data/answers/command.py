"""`ralign answers`: from a config to the objects of a run, and from its results to what people read."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

from rich.console import Console

from ralign import __version__
from ralign.data.answers.answer import Answerer
from ralign.data.answers.config import AnswersConfig
from ralign.data.answers.log import AnswerLog
from ralign.data.answers.run import ANSWERS, LEFT_OUT, PROMPTS, AnswersResults, write_answers
from ralign.data.gold.progress import ConsoleProgress
from ralign.data.prompts import PolicyPrompt, read_prompts
from ralign.errors import BadRow, InputError
from ralign.files import list_bad_rows
from ralign.models import LoadLocalModel, ModelSpec, Sampling
from ralign.models.endpoint_model import EndpointModel
from ralign.models.pool import ModelPool
from ralign.models.price import CHARACTERS_PER_TOKEN, Expected, Price, parse_prices
from ralign.records import Usage


async def run_answers(
    config: AnswersConfig, local_model: LoadLocalModel, console: Console
) -> AnswersResults | None:
    """Run or take up a run of answers; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    price = _price(config)
    bad_rows: list[BadRow] = []
    prompts = read_prompts(
        config.prompts, limit=config.limit, skip_bad_rows=bad_rows if config.skip_bad_rows else None
    )
    for line in list_bad_rows(bad_rows):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if config.dry_run:
        _show_expected(expect(config, prompts, price), config, console)
        return None
    async with ModelPool(
        local_model,
        concurrency=config.concurrency,
        deadline=config.deadline,
        try_timeout=config.try_timeout,
    ) as opened:
        choice = ModelSpec(
            name=config.model,
            url=config.model_url,
            key_variable=config.model_key_variable,
            body=config.model_body,
            body_flag="--model-body",
        )
        model = await opened.open(choice)

        def facts(log: AnswerLog) -> dict[str, object]:
            adapted = dict(model.adapted) if isinstance(model, EndpointModel) else {}
            money = {} if price is None else {"money": round(price.of(log.usage), 6)}
            return {"adapted_parameters": adapted, **money}

        return await write_answers(
            prompts,
            Answerer(
                model=model,
                sampling=Sampling(temperature=config.temperature, max_tokens=config.max_tokens),
                seed=config.seed,
            ),
            config.out,
            column=config.column,
            draws_limit=config.draws_limit,
            in_flight=config.concurrency,
            config={"answers": asdict(config), "versions": _versions()},
            identity=config.identity(),
            facts=facts,
            progress=ConsoleProgress(console, what="prompts"),
        )


def expect(config: AnswersConfig, prompts: Sequence[PolicyPrompt], price: Price | None) -> Expected:
    """What a run still takes, every owed prompt answered at the first draw. No call is made."""
    log = AnswerLog(config.out / ANSWERS, [prompt.id for prompt in prompts])
    owed = [prompt for prompt in prompts if log.standings[prompt.id].owes(config.draws_limit)]
    characters = sum(len(message.content) for prompt in owed for message in prompt.conversation)
    usage = Usage(
        prompt_tokens=characters // CHARACTERS_PER_TOKEN,
        completion_tokens=len(owed) * config.expected_completion_tokens,
    )
    return Expected(calls=len(owed), usage=usage, price=price)


def show_results(results: AnswersResults, config: AnswersConfig, console: Console) -> None:
    """Say what a run came to, and what to do next."""
    document, out = results.document, config.out
    left_out = document["left_out"]
    console.print(
        f"{document['answered']:,} of {document['prompts']:,} prompts have an answer; left out: "
        f"{left_out['cut_off']:,} cut off, {left_out['empty']:,} empty, each in {document['draws_limit']} draws "
        "(--draws-limit, --max-tokens).",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{out}/{PROMPTS} has the prompts with their answers in the column {config.column}, {out}/{LEFT_OUT} the "
        "others and why.",
        highlight=False,
        soft_wrap=True,
    )
    if not results.complete:
        console.print(
            f"Unfinished: {document['unanswered']:,} prompts wait for an answer; the same command asks again.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def _price(config: AnswersConfig) -> Price | None:
    prices = parse_prices(config.price)
    for model in prices:
        if model != config.model:
            raise InputError(f"--price names {model!r}, which is not the model")
    return prices.get(config.model)


def _show_expected(expected: Expected, config: AnswersConfig, console: Console) -> None:
    money = "" if expected.money is None else f", {expected.money:,.2f} in money"
    console.print(
        f"{expected.calls:,} calls, about {expected.usage.prompt_tokens:,} tokens in and "
        f"{expected.usage.completion_tokens:,} out{money}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"If no answer has to be drawn again. Counted at {CHARACTERS_PER_TOKEN} characters a token and "
        f"{config.expected_completion_tokens:,} tokens an answer (--expected-completion-tokens), thinking included. "
        "Nothing was called.",
        highlight=False,
        soft_wrap=True,
    )


def _versions() -> dict[str, str]:
    return {"ralign": __version__, "python": platform.python_version(), "aiohttp": version("aiohttp")}
