"""`ralign probe`: from the flags to a plan and its results. Goes out: a run directory."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from rich.console import Console

from ralign.errors import BadRow, InputError
from ralign.evals.probe.config import ProbeConfig
from ralign.evals.probe.plan import probe
from ralign.evals.probe.verdict_probabilities import ChatReader, ChoosingModel
from ralign.files import PairSource, digest_of_file, find_pairs_files, list_bad_rows, versions
from ralign.judging import ChatJudge, Judge, RecordedJudge
from ralign.models import Sampling
from ralign.models.python import open_python
from ralign.runs.execute import Results
from ralign.runs.options import as_table, fingerprint

LoadChoosingModel = Callable[[ProbeConfig], AbstractAsyncContextManager[ChoosingModel]]
"""Loads the judge; its batches end with the context."""


def open_python_judge(name: str) -> AbstractAsyncContextManager[ChoosingModel]:
    """The judge that `python:MODULE:NAME` means: an object, or a class of it, that is a `ChoosingModel`.

    Raises:
        InputError: there is none of that name.
    """
    model = open_python(name, concurrency=1, deadline=0)
    if not hasattr(model, "choice_log_probs"):
        raise InputError(
            f"{name}: has no method choice_log_probs, by which a probe reads verdicts (see ralign.models.local)"
        )
    return model if isinstance(model, AbstractAsyncContextManager) else nullcontext(model)


async def run_probe(config: ProbeConfig, load: LoadChoosingModel, console: Console) -> Results:
    """Run or resume a probe.

    Raises:
        InputError: the config, a file, the model or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prompt, written_in = config.words.prompt, config.words.written_in
    if written_in.written is None:
        raise InputError(
            f"--verdict is {config.words.verdict!r}, and nothing says how a verdict is written: name a format"
        )
    pairs = PairSource(find_pairs_files(config.pairs), limit=config.limit, skip_bad_rows=config.skip_bad_rows)
    digests: dict[str, str] = {}
    recorded: Judge | None = None
    skipped: list[BadRow] | None = [] if config.skip_bad_rows else None
    if config.judgments is not None:
        digests["judgments_digest"] = digest_of_file(config.judgments)
        recorded = RecordedJudge(config.judgments, written_in, skip_bad_rows=skipped)
    # All of it, before minutes go into loading weights: a bad row is found here.
    rows = list(pairs)
    for line in list_bad_rows([*pairs.skipped, *(skipped or ())]):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    # Loaded once: the same weights judge and are read. So the model is opened here and not by `execute`.
    async with load(config) as model:
        sampling = Sampling(temperature=config.judge_temperature, max_tokens=config.judge_max_tokens)
        return await probe(
            rows,
            recorded
            or ChatJudge(
                model=model, prompt=prompt, sampling=sampling, seed=config.seed, written_in=written_in
            ),
            ChatReader(model=model, prompt=prompt, written_in=written_in),
            config.out,
            orders=config.order_list,
            seed=config.seed,
            written_in=written_in,
            # The next batch waits while one is read.
            in_flight=2 * config.batch,
            config={"probe": as_table(config), "versions": versions("numpy", "torch", "transformers")},
            fingerprint=fingerprint(config, {"judge": prompt}, **digests),
            console=console,
        )
