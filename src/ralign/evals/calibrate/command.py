"""`ralign calibrate`: from the flags to labels, decisions and how far they agree. Goes out: a run directory, if any."""

from rich.console import Console

from ralign import __version__
from ralign.evals.bench.elsewhere import meta_judge_identity
from ralign.evals.calibrate.config import CalibrateConfig
from ralign.evals.calibrate.decisions import recorded_decisions, run_decisions
from ralign.evals.calibrate.labelled import labelled_by_run, read_labelled
from ralign.evals.calibrate.plan import CalibratePlan
from ralign.evals.compare import distinguishing_names
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, MetaJudgeCalls
from ralign.models import LoadLocalModel
from ralign.runs.execute import Results, execute
from ralign.runs.options import fingerprint
from ralign.runs.plan import Live


async def run_calibrate(
    config: CalibrateConfig, local_model: LoadLocalModel, console: Console
) -> Results | None:
    """Run or resume a calibration; a dry run prints what it would take, and gives None.

    Raises:
        InputError: the config, a file or the recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    if config.against_run is not None:
        labelled = labelled_by_run(config.against_run)
    else:
        labelled = read_labelled(config.labelled, config.columns, against=config.against)
    judgments = labelled.judgments
    names = distinguishing_names(config.runs) if len(config.runs) > 1 else [path.name for path in config.runs]
    given = [recorded_decisions(judgments, column) for column in config.recorded]
    given += [run_decisions(judgments, path, name) for path, name in zip(config.runs, names, strict=True)]
    if config.meta_judge.meta_judge is None:
        plan = CalibratePlan(labelled, given, config.out)
        prompts: dict[str, Prompt] = {}
    else:
        prompts = {"meta_judge": Prompt.load(config.meta_judge.meta_prompt, META_PROMPT)}
        calls = MetaJudgeCalls(
            prompt=prompts["meta_judge"], sampling=config.meta_judge.sampling, seed=config.seed
        )
        plan = CalibratePlan(
            labelled,
            given,
            config.out,
            Live(config.meta_judge.spec(None), calls),
            votes=config.meta_votes,
            name=config.meta_judge.meta_judge,
            identity=meta_judge_identity(fingerprint(config.meta_judge, prompts), config.meta_votes),
        )
    if config.out is None:
        document = plan.results()
        del document["owed"]
        return Results(
            {"ralign": __version__, "command": "calibrate", "complete": True, **document}, complete=True
        )
    return await execute(
        "calibrate",
        plan,
        config,
        config.out,
        calls=config.calls,
        fingerprint=fingerprint(config, prompts, asked_digest=labelled.asked_digest),
        local_model=local_model,
        console=console,
    )
