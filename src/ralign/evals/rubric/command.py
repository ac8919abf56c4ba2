"""`ralign rubric`: from the flags to a plan and its results. Goes out: a run directory."""

from rich.console import Console

from ralign.evals.rubric.config import RubricConfig
from ralign.evals.rubric.item import read_items
from ralign.evals.rubric.judge import QUESTION_PROMPT, SCORE_PROMPT, GradeCalls
from ralign.evals.rubric.plan import RubricPlan
from ralign.judging import Prompt
from ralign.models import LoadLocalModel
from ralign.runs.execute import Results, execute
from ralign.runs.options import fingerprint
from ralign.runs.plan import Live


async def run_rubric(config: RubricConfig, local_model: LoadLocalModel, console: Console) -> Results | None:
    """Run or resume a run of grades; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    calls = GradeCalls(
        question_prompt=Prompt.load(config.question_prompt, QUESTION_PROMPT),
        score_prompt=Prompt.load(config.score_prompt, SCORE_PROMPT),
        sampling=config.judge.sampling,
        seed=config.seed,
    )
    judge = Live(config.judge.spec, calls)
    items, left_out = read_items(config.items, config.answers, config.columns, missing=config.missing)
    plan = RubricPlan(items, config.out, judge, left_out=left_out)
    prompts = {"question": calls.question_prompt, "score": calls.score_prompt}
    return await execute(
        "rubric",
        plan,
        config,
        config.out,
        calls=config.calls,
        fingerprint=fingerprint(config, prompts, items_digest=plan.digest),
        local_model=local_model,
        console=console,
    )


def show_results(results: Results, config: RubricConfig, console: Console) -> None:
    """Print the figures, over all items and by group."""
    document = results.document
    for name, part in {"all": document, **document.get("groups", {})}.items():
        score, counts = part["score"], part["counts"]
        figure = (
            "no score"
            if score is None
            else f"{100 * score['value']:.1f} % [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"
        )
        grade = "" if part["mean_grade"] is None else f", mean grade {part['mean_grade']:.2f} of 10"
        console.print(
            f"{name}: {figure}{grade}; {part['items']:,} items, {counts['ungraded']:,} ungraded, "
            f"{counts['without_answer']:,} without an answer",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if document["left_out"]:
        console.print(f"{document['left_out']:,} items without an answer were left out.", style="yellow")
