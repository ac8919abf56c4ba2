"""`ralign gold`: from the flags to a plan and its results. Goes out: a run directory."""

from rich.console import Console

from ralign.data.gold.config import GoldConfig
from ralign.data.gold.plan import LEFT_OUT, PAIRS, GoldPlan
from ralign.data.gold.writer import CHECK_PROMPT, WRITER_PROMPT, CheckCalls, WriterCalls
from ralign.files import PairSource, find_pairs_files, list_bad_rows
from ralign.judging import Prompt
from ralign.models import LoadLocalModel
from ralign.runs.execute import Results, execute
from ralign.runs.options import fingerprint
from ralign.runs.plan import Live


async def run_gold(config: GoldConfig, local_model: LoadLocalModel, console: Console) -> Results | None:
    """Run or resume a gold run; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prompts = {"writer": Prompt.load(config.writer.writer_prompt, WRITER_PROMPT)}
    writer = WriterCalls(prompt=prompts["writer"], sampling=config.writer.sampling, seed=config.seed)
    judge: Live | None = None
    if config.judge.judge is not None:
        prompts["judge"] = Prompt.load(config.judge.judge_prompt, CHECK_PROMPT)
        judge = Live(
            # Mostly both are served at one address, the judge being another model there, or the writer itself.
            config.judge.spec.at(config.writer.writer_url),
            CheckCalls(prompt=prompts["judge"], sampling=config.judge.sampling, seed=config.seed),
        )
    pairs = PairSource(find_pairs_files(config.pairs), limit=config.limit, skip_bad_rows=config.skip_bad_rows)
    plan = GoldPlan(
        pairs,
        config.out,
        Live(config.writer.spec, writer),
        judge,
        draws_limit=config.draws_limit,
        rewrite=config.rewrite,
        expected_tokens=config.calls.expected_completion_tokens,
    )
    for line in list_bad_rows(pairs.skipped):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    return await execute(
        "gold",
        plan,
        config,
        config.out,
        calls=config.calls,
        fingerprint=fingerprint(config, prompts, pairs_digest=plan.digest),
        local_model=local_model,
        console=console,
    )


def show_results(results: Results, config: GoldConfig, console: Console) -> None:
    """Say how many pairs got a gold rationale, why drafts were not taken, and where both are."""
    document, out = results.document, config.out
    lines = [
        f"{document['gold']:,} of {document['pairs']:,} pairs got a gold rationale "
        f"({document['drafts']['answered']:,} drafts), {document['left_out']:,} were left out, "
        f"{document['had_gold']:,} had one."
    ]
    reasons = {reason: count for reason, count in document["drafts"]["rejected"].items() if count}
    if reasons:
        listed = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in reasons.items())
        lines.append(f"Drafts not taken: {listed}.")
    lines.append(f"{out}/{PAIRS} has the pairs, {out}/{LEFT_OUT} the others and why.")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
