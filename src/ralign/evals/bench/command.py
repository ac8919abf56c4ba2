"""`ralign bench`: from the flags to a plan and its results. Goes out: a run directory."""

from collections.abc import Iterator

import numpy as np
from rich.console import Console

from ralign.evals.bench.config import BenchConfig
from ralign.evals.bench.plan import BenchPlan
from ralign.files import PairSource, digest_of_file, find_pairs_files, list_bad_rows
from ralign.judging import JUDGE_PROMPT, JudgeCalls, Prompt, RecordedJudge
from ralign.metajudging import META_PROMPT, MetaJudgeCalls, RecordedMetaJudge
from ralign.metrics.power import prompts_needed, smallest_difference
from ralign.models import LoadLocalModel
from ralign.runs.execute import Results, execute
from ralign.runs.options import fingerprint
from ralign.runs.plan import Ask, Live


async def run_bench(config: BenchConfig, local_model: LoadLocalModel, console: Console) -> Results | None:
    """Run or resume a measurement; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prompts: dict[str, Prompt] = {}
    digests: dict[str, str] = {}
    judge: Live | Ask
    if config.judgments is None:
        prompts["judge"] = Prompt.load(config.judge.judge_prompt, JUDGE_PROMPT)
        calls = JudgeCalls(prompt=prompts["judge"], sampling=config.judge.sampling, seed=config.seed)
        judge = Live(config.judge.spec, calls)
    else:
        judge = RecordedJudge(config.judgments).judge
        digests["judgments_digest"] = digest_of_file(config.judgments)
    meta_judge: Live | Ask | None = None
    if config.meta_judge.meta_judge is not None:
        prompts["meta_judge"] = Prompt.load(config.meta_judge.meta_prompt, META_PROMPT)
        meta_judge = Live(
            config.meta_judge.spec(config.judge.judge_url),
            MetaJudgeCalls(
                prompt=prompts["meta_judge"], sampling=config.meta_judge.sampling, seed=config.seed
            ),
        )
    elif config.meta_judgments is not None:
        meta_judge = RecordedMetaJudge(config.meta_judgments).meta_judge
        digests["meta_judgments_digest"] = digest_of_file(config.meta_judgments)
    pairs = PairSource(find_pairs_files(config.pairs), limit=config.limit, skip_bad_rows=config.skip_bad_rows)
    plan = BenchPlan(
        pairs,
        config.run_directory,
        judge,
        meta_judge,
        orders=config.order_list,
        draws=config.draws,
        meta_votes=config.meta_votes,
        expected_tokens=config.calls.expected_completion_tokens,
    )
    for line in list_bad_rows(pairs.skipped):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    results = await execute(
        "bench",
        plan,
        config,
        config.run_directory,
        calls=config.calls,
        fingerprint=fingerprint(config, prompts, pairs_digest=plan.index.digest, **digests),
        local_model=local_model,
        console=console,
    )
    if config.calls.dry_run:
        for line in _power_lines(plan, config.detect):
            console.print(line, highlight=False, soft_wrap=True)
    return results


def _power_lines(plan: BenchPlan, detect: float | None) -> Iterator[str]:
    """What difference between two runs these prompts can show, before any is known."""
    for name, rows, _ in plan.index.groups():
        prompts = len(np.unique(plan.index.prompt[rows]))
        found = [100 * smallest_difference(prompts, correlation=correlation) for correlation in (0.0, 0.5)]
        yield (
            f"{name}: two runs on {prompts:,} prompts show a difference in L-Acc from {found[0]:.1f} points on; where "
            f"their results correlate at .5, from {found[1]:.1f}."
        )
    if detect is not None:
        needed = [prompts_needed(detect / 100, correlation=correlation) for correlation in (0.0, 0.5)]
        yield f"A difference of {detect:g} points takes {needed[0]:,} prompts; at a correlation of .5, {needed[1]:,}."
    yield (
        "Shown: 8 times in 10 at p < .05, two-sided, both runs on the same prompts. Assumed, as nothing is known yet: "
        "half the verdicts right, and results that do not correlate. S-Corr takes more: it is of right verdicts alone."
    )
