"""`ralign probe`: from a config to the objects of a run. Goes out: a run directory."""

import platform
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from rich.console import Console

from ralign import __version__
from ralign.errors import BadRow, InputError
from ralign.evals.probe.config import ProbeConfig
from ralign.evals.probe.progress import ConsoleProgress
from ralign.evals.probe.results import Results
from ralign.evals.probe.run import Plan, probe
from ralign.evals.probe.verdict_probabilities import ChatReader, ChoosingModel
from ralign.files import find_pairs_files, list_bad_rows, read_pairs
from ralign.judging import JUDGE_PROMPT, ChatJudge, Judge, Prompt, RecordedJudge
from ralign.models import Sampling
from ralign.records import PreferencePair

LoadChoosingModel = Callable[[ProbeConfig], AbstractAsyncContextManager[ChoosingModel]]
"""Loads the judge; its batches end with the context."""


async def run_probe(config: ProbeConfig, load: LoadChoosingModel, console: Console) -> Results:
    """Run or take up a probe.

    Raises:
        InputError: the config, a file, the model or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: no call can succeed.
    """
    prompt = Prompt.load(config.judge_prompt, JUDGE_PROMPT)
    plan = Plan(
        pairs=_pairs(config, console),
        orders=config.order_list,
        seed=config.seed,
        resamples=config.resamples,
        in_flight=2 * config.batch,  # the next batch waits while one is read
    )
    digests = {"judge_prompt_digest": prompt.digest}
    if config.judgments is not None:
        digests["judgments_digest"] = _file_digest(config.judgments)
    recorded = None if config.judgments is None else RecordedJudge(config.judgments)
    async with load(config) as model:
        sampling = Sampling(temperature=config.judge_temperature, max_tokens=config.judge_max_tokens)
        judge: Judge = recorded or ChatJudge(model=model, prompt=prompt, sampling=sampling, seed=config.seed)
        return await probe(
            plan,
            judge,
            ChatReader(model=model, prompt=prompt),
            config.out,
            config={"probe": asdict(config), "versions": _versions()},
            identity=config.identity(digests),
            progress=ConsoleProgress(console),
        )


def _pairs(config: ProbeConfig, console: Console) -> list[PreferencePair]:
    files = find_pairs_files(config.pairs)
    skipped: list[BadRow] = []
    read = read_pairs(files, skip_bad_rows=skipped if config.skip_bad_rows else None)
    pairs = list(islice(read, config.limit))
    for line in list_bad_rows(skipped):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if not pairs:
        raise InputError(f"{', '.join(file.name for file in files)}: no usable pair")
    return pairs


def _file_digest(path: Path) -> str:
    try:
        return blake2b(path.read_bytes(), digest_size=8).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _versions() -> dict[str, str]:
    packages = ("numpy", "torch", "transformers")
    return {"ralign": __version__, "python": platform.python_version()} | {
        name: version(name) for name in packages
    }
