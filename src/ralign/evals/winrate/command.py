"""`ralign winrate`: from the flags to a plan and its results. Goes out: a run directory."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from ralign.data.prompts import read_prompts
from ralign.evals.winrate.comparisons import match_answers
from ralign.evals.winrate.config import WinrateConfig
from ralign.evals.winrate.plan import WinratePlan
from ralign.judging import JudgeCalls
from ralign.models import LoadLocalModel
from ralign.runs.execute import Results, execute
from ralign.runs.options import fingerprint
from ralign.runs.plan import Live


async def run_winrate(config: WinrateConfig, local_model: LoadLocalModel, console: Console) -> Results | None:
    """Run or resume a measurement; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prompt = config.judge.prompt
    calls = JudgeCalls(
        prompt=prompt, sampling=config.judge.sampling, seed=config.seed, written_in=config.judge.written_in
    )
    # Before the files are read: a judge that is not named is found out at once.
    judge = Live(config.judge.spec, calls)
    comparisons = match_answers(
        read_prompts([config.answers]),
        read_prompts([config.reference]),
        column=config.column,
        reference_column=config.reference_column,
        missing=config.missing,
    )
    plan = WinratePlan(comparisons, config.out, judge, by=config.by, written_in=config.judge.written_in)
    return await execute(
        "winrate",
        plan,
        config,
        config.out,
        calls=config.calls,
        fingerprint=fingerprint(config, {"judge": prompt}, pairs_digest=plan.digest),
        local_model=local_model,
        console=console,
        packages=("aiohttp", "numpy"),
    )


def show_results(results: Results, config: WinrateConfig, console: Console) -> None:
    """Print the figures, over all prompts and by group."""
    lines = lines_of(results.document)
    for group, measured in results.document.get("groups", {}).items():
        lines.append(
            f"{config.by} {group}: {_share(measured['win_rate'])}, at equal length "
            f"{_share(measured['length_controlled_win_rate'])}, {measured['prompts']:,} prompts"
        )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def lines_of(measured: Mapping[str, Any]) -> list[str]:
    """The lines that are printed of the figures over all prompts."""
    counts, lengths = measured["counts"], measured["lengths"]
    lines = [
        f"Win rate {_share(measured['win_rate'])} over {measured['prompts']:,} prompts: {counts['won']:,} won, "
        f"{counts['tied']:,} tied (the orders disagree, or both say so), {counts['lost']:,} lost."
    ]
    if (arena := measured["official"]["arena_hard"]) is not None:
        lines.append(
            f"Arena-Hard's own (a much better answer, [[A>>B]], weighs three): {100 * arena['value']:.1f} % over "
            f"{arena['of']:,} prompts."
        )
    if reasons := ", ".join(
        f"{reason.replace('_', ' ')} {count:,}" for reason, count in measured["failures"].items() if count
    ):
        lines.append(f"Judgments without a verdict: {reasons}.")
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
    if counts["missing_as_loss"]:
        lines.append(f"Lost for want of an answer: {counts['missing_as_loss']:,} prompts.")
    if counts["no_verdict"]:
        bounds = measured["win_rate_bounds"]
        lines.append(
            f"Without a verdict in both orders: {counts['no_verdict']:,} prompts, counted for nothing. Had they all "
            f"been lost, or won: {100 * bounds['low']:.1f} to {100 * bounds['high']:.1f} %."
        )
    for key, what in (("left_out", "an answer"), ("without_reference", "a reference")):
        if measured[key]:
            lines.append(f"Left out for want of {what}: {measured[key]:,} prompts.")
    return lines


def _share(interval: Mapping[str, float] | None) -> str:
    """`63.1 % [58.7, 67.4]`."""
    if interval is None:
        return "– (not to be had from these answers)"
    return f"{100 * interval['value']:.1f} % [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]"
