"""`ralign bench`: from the flags to a plan and its results. Goes out: a run directory."""

from rich.console import Console

from ralign.evals.bench.config import BenchConfig
from ralign.evals.bench.plan import BenchPlan
from ralign.files import PairSource, digest_of_file, find_pairs_files, list_bad_rows
from ralign.judging import JUDGE_PROMPT, JudgeCalls, Prompt, RecordedJudge
from ralign.metajudging import META_PROMPT, MetaJudgeCalls, RecordedMetaJudge
from ralign.models import LoadLocalModel
from ralign.runs import Ask, Live, Results, execute
from ralign.runs.options import fingerprint


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
    return await execute(
        "bench",
        plan,
        config,
        config.run_directory,
        calls=config.calls,
        fingerprint=fingerprint(config, prompts, pairs_digest=plan.index.digest, **digests),
        local_model=local_model,
        console=console,
    )
