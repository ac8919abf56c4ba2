"""`ralign bench`: from the flags to a plan and its results. Goes out: a run directory."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from rich.console import Console

from ralign.errors import BadRow
from ralign.evals.bench.config import BenchConfig
from ralign.evals.bench.elsewhere import ElsewhereLabels, meta_judge_identity
from ralign.evals.bench.label_sheet import write_sheet
from ralign.evals.bench.labels import PeoplesLabels
from ralign.evals.bench.plan import JUDGMENTS, SCORES, BenchPlan
from ralign.files import PairSource, digest_of_file, find_pairs_files, list_bad_rows
from ralign.judging import JudgeCalls, Prompt, RecordedJudge
from ralign.metajudging import META_PROMPT, MetaJudgeCalls, RecordedMetaJudge
from ralign.metrics.power import prompts_needed, smallest_difference
from ralign.models import LoadLocalModel
from ralign.runs.execute import Results, execute
from ralign.runs.options import fingerprint
from ralign.runs.plan import Live


async def run_bench(config: BenchConfig, local_model: LoadLocalModel, console: Console) -> Results | None:
    """Run or resume a measurement; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prompts: dict[str, Prompt] = {}
    digests: dict[str, str] = {}
    skipped: list[BadRow] | None = [] if config.skip_bad_rows else None
    meta_skipped: list[BadRow] | None = [] if config.skip_bad_rows else None
    judge: Live | RecordedJudge
    if config.judgments is None:
        prompts["judge"] = config.judge.prompt
        calls = JudgeCalls(
            prompt=prompts["judge"],
            sampling=config.judge.sampling,
            seed=config.seed,
            written_in=config.judge.written_in,
        )
        judge = Live(config.judge.spec, calls)
    else:
        judge = RecordedJudge(
            config.judgments,
            config.judge.written_in,
            letters=config.recorded_letters,
            skip_bad_rows=skipped,
        )
    meta_judge: Live | RecordedMetaJudge | None = None
    if config.meta_judge.meta_judge is not None:
        if config.judgments is not None:
            # A mended file is read anew; but what the meta-judge was paid for is about the old one's rationales.
            digests["judgments_digest"] = digest_of_file(config.judgments)
        prompts["meta_judge"] = Prompt.load(config.meta_judge.meta_prompt, META_PROMPT)
        meta_judge = Live(
            config.meta_judge.spec(config.judge.judge_url),
            MetaJudgeCalls(
                prompt=prompts["meta_judge"], sampling=config.meta_judge.sampling, seed=config.seed
            ),
        )
    elif config.meta_judgments is not None:
        meta_judge = RecordedMetaJudge(config.meta_judgments, skip_bad_rows=meta_skipped)
    judge_name = config.judge.judge or (config.judgments.stem if config.judgments is not None else "")
    elsewhere: ElsewhereLabels | None = None
    if config.labels_from_elsewhere is not None:
        asked = fingerprint(
            config.meta_judge, {"meta_judge": prompts["meta_judge"]} if "meta_judge" in prompts else {}
        )
        identity = meta_judge_identity(asked, config.meta_votes)
        elsewhere = ElsewhereLabels.read(config.labels_from_elsewhere, identity, judge_name)
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
        written_in=config.judge.written_in,
        people=PeoplesLabels(config.labels) if config.labels else None,
        elsewhere=elsewhere,
    )
    for line in list_bad_rows([*pairs.skipped, *(skipped or ()), *(meta_skipped or ())]):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    results = await execute(
        "bench",
        plan,
        config,
        config.run_directory,
        calls=config.calls,
        fingerprint=_identity(config, prompts, pairs_digest=plan.index.digest, **digests),
        local_model=local_model,
        console=console,
    )
    if config.label_sheet is not None and results is not None and results.complete:
        run = config.run_directory
        line = write_sheet(
            run, pairs, config.label_sheet, scores=run / SCORES, judgments=run / JUDGMENTS, judge=judge_name
        )
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if config.calls.dry_run:
        for line in _power_lines(plan, config.detect):
            console.print(line, highlight=False, soft_wrap=True)
    return results


def _identity(config: BenchConfig, prompts: Mapping[str, Prompt], **digests: str) -> dict[str, Any]:
    found = fingerprint(config, prompts, **digests)
    if config.judgments is not None and config.meta_judge.meta_judge is None:
        # Nothing was paid for: the texts are read anew, in whichever format is named today.
        del found["verdict"]
    return found


def _power_lines(plan: BenchPlan, detect: float | None) -> Iterator[str]:
    """Smallest difference between two runs that these prompts can show, before any is known."""
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


def label_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """How many of people's labels a run could use, and how far annotators agree."""
    labels = document.get("labels")
    if labels is None:
        return
    unused = ", ".join(
        f"{labels[why]:,} {why.replace('_', ' ')}"
        for why in ("undecided", "no_such_verdict", "other_rationale", "same_prompt")
        if labels[why]
    )
    yield f"Labels: {labels['used']:,} of {labels['rows']:,} used{f' (not: {unused})' if unused else ''}."
    for each in labels["annotators"]:
        kappa = each["kappa"]
        said = (
            "undefined"
            if kappa is None
            else f"{kappa['value']:.3f} [{kappa['low']:.3f}, {kappa['high']:.3f}]"
        )
        yield f"Kappa of {each['first']} and {each['second']}, on {each['labelled_by_both']:,}: {said}."


def recorded_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Rows that a run could use of its files of recorded answers, and what looks wrong in them."""
    for name, counts in document.get("recorded", {}).items():
        unused = ", ".join(
            f"{counts[why]:,} {why.replace('_', ' ')}"
            for why in (
                "unknown_pair",
                "beyond_limit",
                "other_order",
                "other_draw",
                "duplicate",
                "unreadable",
            )
            if counts[why]
        )
        yield (
            f"Recorded {name.replace('_', '-')}: {counts['used']:,} of {counts['rows']:,} rows used"
            f"{f' (not: {unused})' if unused else ''}; {counts['missing']:,} missing."
        )
    if "judgments" not in document.get("recorded", {}):
        return
    for name, figures in document["benchmarks"].items():
        measured = figures["order_consistency"] or (
            document["orders"] == ["ba"] and figures["label_accuracy"]
        )
        if measured and measured["high"] < 0.5:
            what = (
                "the two orders contradict each other"
                if figures["order_consistency"]
                else "the labels are missed"
            )
            yield (
                f"Warning: in {name} {what} more often than by chance. If the file has its verdicts in the letters "
                "shown, give --recorded-letters shown."
            )
