"""Several seeds, side by side in processes of one torch thread each."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import torch

from ralign.lab.config import LabConfig
from ralign.lab.results import SeedResult
from ralign.lab.run import Say, quiet, run_seed


def run_seeds(
    config: LabConfig, seeds: Sequence[int], out: Path, *, jobs: int = 2, say: Say = quiet
) -> list[SeedResult]:
    """Run every seed of `seeds` into `out/seed-N`; results in the order of `seeds`.

    Raises:
        ConfigMismatch: `out` holds a run of another recipe.
    """
    configs = [replace(config, seed=seed) for seed in seeds]
    folders = [out / f"seed-{seed}" for seed in seeds]
    if jobs == 1 or len(seeds) == 1:
        one_thread()
        return [run_seed(*job, say) for job in zip(configs, folders, strict=True)]
    # Threads of torch and of a forked parent do not mix: every process starts afresh.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=one_thread) as pool:
        running = {pool.submit(run_seed, *job): job[0].seed for job in zip(configs, folders, strict=True)}
        found: dict[int, SeedResult] = {}
        for done in as_completed(running):
            found[running[done]] = done.result()
            say(f"seed {running[done]}: done, {len(found)} of {len(seeds)}")
    return [found[seed] for seed in seeds]


def one_thread() -> None:
    """The model is too small for a second thread to help, and sums in one thread always come out the same."""
    torch.set_num_threads(1)
