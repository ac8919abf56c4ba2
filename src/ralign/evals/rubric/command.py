"""`ralign rubric`: from a config to the objects of a run, and from its results to what people read."""

import platform
from dataclasses import asdict
from importlib.metadata import version

from rich.console import Console

from ralign import __version__
from ralign.data.gold.progress import ConsoleProgress
from ralign.errors import InputError
from ralign.evals.rubric.config import RubricConfig
from ralign.evals.rubric.item import RubricItem, read_items
from ralign.evals.rubric.judge import QUESTION_PROMPT, SCORE_PROMPT, ChatRubricJudge, prompt_values
from ralign.evals.rubric.log import GradeLog
from ralign.evals.rubric.parse import Kind
from ralign.evals.rubric.results import RubricResults
from ralign.evals.rubric.run import GRADES, grade_items
from ralign.judging import Prompt
from ralign.models import LoadLocalModel, ModelSpec, Sampling
from ralign.models.endpoint_model import EndpointModel
from ralign.models.pool import ModelPool
from ralign.models.price import CHARACTERS_PER_TOKEN, Expected, Price, parse_prices
from ralign.records import Usage


async def run_rubric(
    config: RubricConfig, local_model: LoadLocalModel, console: Console
) -> RubricResults | None:
    """Run or take up a run of grades; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    price = _price(config)
    prompts: dict[Kind, Prompt] = {
        "question": Prompt.load(config.question_prompt, QUESTION_PROMPT),
        "score": Prompt.load(config.score_prompt, SCORE_PROMPT),
    }
    items, left_out = read_items(config.items, config.answers, config.columns(), missing=config.missing)
    if config.dry_run:
        _show_expected(_expect(config, items, prompts, price), config, console)
        return None
    async with ModelPool(
        local_model,
        concurrency=config.concurrency,
        deadline=config.deadline,
        try_timeout=config.try_timeout,
    ) as opened:
        model = await opened.open(_judge(config))

        def facts(log: GradeLog) -> dict[str, object]:
            adapted = dict(model.adapted) if isinstance(model, EndpointModel) else {}
            money = {} if price is None else {"money": round(price.of(log.usage), 6)}
            return {"adapted_parameters": adapted, **money}

        return await grade_items(
            items,
            ChatRubricJudge(
                model=model,
                question_prompt=prompts["question"],
                score_prompt=prompts["score"],
                sampling=Sampling(temperature=config.judge_temperature, max_tokens=config.judge_max_tokens),
                seed=config.seed,
            ),
            config.out,
            left_out=left_out,
            in_flight=config.concurrency,
            seed=config.seed,
            resamples=config.resamples,
            config={"rubric": asdict(config), "versions": _versions()},
            identity={
                **config.identity(),
                **{f"{kind}_prompt_digest": prompt.digest for kind, prompt in prompts.items()},
            },
            facts=facts,
            progress=ConsoleProgress(console, what="grades"),
        )


def show_results(results: RubricResults, config: RubricConfig, console: Console) -> None:
    """Say what a run came to, and what to do next."""
    document = results.document
    for name, part in {"all": document, **document.get("groups", {})}.items():
        score, counts = part["score"], part["counts"]
        figure = (
            "no score"
            if score is None
            else f"{100 * score['value']:.1f} % [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"
        )
        grade = "" if part["mean_grade"] is None else f", mean grade {part['mean_grade']:.2f} of 10"
        _say(
            console,
            f"{name}: {figure}{grade}; {part['items']:,} items, {counts['ungraded']:,} ungraded, "
            f"{counts['without_answer']:,} without an answer",
        )
    if document["left_out"]:
        _say(console, f"{document['left_out']:,} items without an answer were left out.", style="yellow")
    _say(console, f"Every figure with its counts: {config.out}/results.json")
    if not results.complete:
        owed = document["owed"]["grades"]
        _say(
            console,
            f"Unfinished: {owed:,} grades had no answer; the same command asks again.",
            style="yellow",
        )


def _judge(config: RubricConfig) -> ModelSpec:
    return ModelSpec(
        name=config.judge,
        url=config.judge_url,
        key_variable=config.judge_key_variable,
        body=config.judge_body,
        body_flag="--judge-body",
    )


def _expect(
    config: RubricConfig, items: list[RubricItem], prompts: dict[Kind, Prompt], price: Price | None
) -> Expected:
    log = GradeLog(config.out / GRADES, items)
    owed = [(item, criterion) for item in items for criterion in log.owed(item)]
    characters = sum(
        len(message.content)
        for item, criterion in owed
        for message in prompts[item.kind].render(item.conversation, prompt_values(item, criterion))
    )
    usage = Usage(
        prompt_tokens=characters // CHARACTERS_PER_TOKEN,
        completion_tokens=len(owed) * config.expected_completion_tokens,
    )
    return Expected(calls=len(owed), usage=usage, price=price)


def _show_expected(expected: Expected, config: RubricConfig, console: Console) -> None:
    money = "" if expected.money is None else f", {expected.money:,.2f} in money"
    _say(
        console,
        f"{expected.calls:,} calls, about {expected.usage.prompt_tokens:,} tokens in and "
        f"{expected.usage.completion_tokens:,} out{money}",
    )
    _say(
        console,
        f"Counted at {CHARACTERS_PER_TOKEN} characters a token and {config.expected_completion_tokens:,} tokens a "
        "grade (--expected-completion-tokens), thinking included. Nothing was called.",
    )


def _price(config: RubricConfig) -> Price | None:
    prices = parse_prices(config.price)
    for model in prices:
        if model != config.judge:
            raise InputError(f"--price names {model!r}, which is not the judge")
    return prices.get(config.judge)


def _versions() -> dict[str, str]:
    return {"ralign": __version__, "python": platform.python_version(), "aiohttp": version("aiohttp")}


def _say(console: Console, line: str, *, style: str | None = None) -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
