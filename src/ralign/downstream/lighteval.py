"""Runs of lighteval over a policy, in the environment it is installed in: one a benchmark, each in its own folder.

    lighteval_out/
      config.toml, .lock     which policy and how it is sampled; another is refused
      aime24/
        model.yaml           the policy, as lighteval wants it (JSON, which is YAML)
        lighteval.log        what it printed
        cache/               the answers, lighteval's own cache
        out/results, out/details

Each benchmark's cache is its own folder's: lighteval's default, in the home directory, goes by the model's name, and
gives a retrained policy behind the same name its predecessor's answers. Calls that failed are taken out of the cache
before a benchmark is run again (`lighteval_details`). Keys go through the environment, never into a file: lighteval
writes its model's parameters into its results.

Read from, and tried with, lighteval 0.13.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ralign.downstream.lighteval_details import forget_failed_calls
from ralign.downstream.results_files import read_results
from ralign.errors import InputError, RalignError
from ralign.files import DirectoryLock, check_fingerprint, write_atomically

_LOG = "lighteval.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Model that lighteval asks, and how it is sampled."""

    name: str
    """At its endpoint, or its path or hub name."""
    url: str | None
    """None: lighteval loads it with vLLM."""
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    concurrency: int
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    """More of lighteval's own for its model."""

    @property
    def backend(self) -> tuple[str, ...]:
        """lighteval's command."""
        return ("vllm",) if self.url is None else ("endpoint", "litellm")

    def document(self, cache: Path) -> dict[str, object]:
        """lighteval's model file."""
        generation = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            # Without it each task's own bound holds: 1,280 tokens in IFBench, too few to think in.
            "max_new_tokens": self.max_tokens,
            "seed": self.seed,
        }
        where: dict[str, object] = {"model_name": self.name}
        if self.url is not None:
            where = {
                # litellm's name for any OpenAI-compatible endpoint.
                "model_name": f"openai/{self.name}",
                "provider": "openai",
                "base_url": self.url,
                "concurrent_requests": self.concurrency,
            }
        # The user's own come last, so that they win over ours.
        ours = {**where, "cache_dir": str(cache), "generation_parameters": generation}
        return {"model_parameters": {**ours, **self.parameters}}

    def fingerprint(self) -> dict[str, object]:
        """Settings that shape the answers."""
        # Concurrency is left out: it changes no answer.
        names = ("temperature", "top_p", "max_tokens", "seed")
        return {
            "policy": self.name,
            "policy_url": self.url,
            **{name: getattr(self, name) for name in names},
            "policy_body": json.dumps(self.parameters, sort_keys=True),
        }


class Run(NamedTuple):
    """One benchmark's run."""

    benchmark: str
    folder: Path
    command: tuple[str, ...]
    """Run in the folder."""


def find_program(given: str) -> str:
    """lighteval's program: a path, a name, or an environment that holds it.

    Raises:
        InputError: none of these.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        path = path / "bin" / "lighteval"
    found = shutil.which(str(path))
    if found is None:
        raise InputError(f"--lighteval {given}: no program there; expected lighteval's, or its environment")
    # Absolute, as each run is started in a folder of its own.
    return str(Path(found).absolute())


def plan_runs(program: str, policy: Policy, tasks: Mapping[str, str], out: Path) -> list[Run]:
    """The runs that the benchmarks take, run or not. `tasks`: lighteval's task, by benchmark."""
    flags = ("--output-dir", "out", "--save-details")
    return [
        Run(benchmark, out / benchmark, (program, *policy.backend, "model.yaml", task, *flags))
        for benchmark, task in tasks.items()
    ]


def run_lighteval(
    runs: Sequence[Run],
    policy: Policy,
    out: Path,
    *,
    key: str | None,
    progress: Callable[[str], None],
    allow_partial: bool,
) -> dict[str, Path]:
    """Run what has no complete result yet. One benchmark after the other, as each fills the endpoint.

    Args:
        runs: as `plan_runs` gives them.
        policy: whom lighteval asks.
        out: the directory of all runs.
        key: the endpoint's API key.
        progress: gets a line for each run that starts.
        allow_partial: results over a part of a benchmark are results.

    Returns:
        The newest results file of each run, by benchmark.

    Raises:
        InputError: `out` belongs to another policy.
        RunLocked: another process writes to `out`.
        RalignError: lighteval ended with an error, or calls failed; the same command goes on.
    """
    results: dict[str, Path] = {}
    with DirectoryLock(out):
        check_fingerprint(out, {"policy": policy.fingerprint()}, policy.fingerprint(), logs=[_LOG])
        for run in runs:
            done = _newest(run.folder)
            if done is not None and not allow_partial:
                (file,) = read_results([str(done)], allow_partial=True)
                done = None if file.partial is not None else done
            if done is None:
                progress(f"{run.benchmark}: {' '.join(run.command)}, in {run.folder}; its output: {_LOG}")
                _run(run, policy, key)
                done = _newest(run.folder)
            if done is None:
                raise RalignError(f"{run.folder}: lighteval ended well and wrote no results; see {_LOG}")
            results[run.benchmark] = done
    return results


def _run(run: Run, policy: Policy, key: str | None) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    cache = run.folder.absolute() / "cache"
    # Before every start, and not after a failure: the run may have been killed before it could.
    forget_failed_calls(cache)
    write_atomically(run.folder / "model.yaml", json.dumps(policy.document(cache), indent=2).encode())
    environment = dict(os.environ)
    if policy.url is not None:
        # litellm wants some key even where the endpoint wants none.
        environment["OPENAI_API_KEY"] = key or "EMPTY"
    log = run.folder / _LOG
    with log.open("ab") as output:
        ended = subprocess.run(
            run.command,
            # litellm keeps a cache in the folder it is started in.
            cwd=run.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        raise RalignError(
            f"{run.benchmark}: lighteval ended with {ended.returncode}: {last[:200]}; {log} has all it said, and the "
            "same command goes on"
        )


def _newest(folder: Path) -> Path | None:
    """Their names hold the time at which they were written."""
    return max(folder.glob("out/results/**/results_*.json"), key=lambda path: path.name, default=None)
