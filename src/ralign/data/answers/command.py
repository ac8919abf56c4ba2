"""`ralign answers`: from the flags to a plan and its results. Goes out: a run directory."""

from rich.console import Console

from ralign.data.answers.answer import AnswerCalls
from ralign.data.answers.config import AnswersConfig
from ralign.data.answers.plan import LEFT_OUT, PROMPTS, AnswersPlan
from ralign.data.prompts import read_prompts
from ralign.errors import BadRow
from ralign.files import list_bad_rows
from ralign.models import LoadLocalModel
from ralign.runs.execute import Results, execute
from ralign.runs.options import fingerprint
from ralign.runs.plan import Live


async def run_answers(config: AnswersConfig, local_model: LoadLocalModel, console: Console) -> Results | None:
    """Run or resume a run of answers; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    # In memory, unlike pairs: a prompt is short, and its whole row goes out again with the answer.
    bad_rows: list[BadRow] = []
    prompts = read_prompts(config.prompts, skip_bad_rows=bad_rows if config.skip_bad_rows else None)
    for line in list_bad_rows(bad_rows):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    plan = AnswersPlan(
        prompts,
        config.out,
        Live(config.model.spec, AnswerCalls(sampling=config.model.sampling, seed=config.seed)),
        column=config.column,
        draws_limit=config.draws_limit,
        limit=config.limit,
    )
    return await execute(
        "answers",
        plan,
        config,
        config.out,
        calls=config.calls,
        fingerprint=fingerprint(config, prompts_digest=plan.digest),
        local_model=local_model,
        console=console,
    )


def show_results(results: Results, config: AnswersConfig, console: Console) -> None:
    """Say how many prompts got an answer, and where they are."""
    document, out = results.document, config.out
    left_out = document["left_out"]
    console.print(
        f"{document['answered']:,} of {document['prompts']:,} prompts have an answer; left out: "
        f"{left_out['cut_off']:,} cut off, {left_out['empty']:,} empty, each in {document['draws_limit']} draws "
        f"(--draws-limit, --max-tokens).\n{out}/{PROMPTS} has the prompts with their answers in the column "
        f"{config.column}, {out}/{LEFT_OUT} the others and why.",
        highlight=False,
        soft_wrap=True,
    )
