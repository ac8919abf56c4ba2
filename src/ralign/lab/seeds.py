"""Several seeds, side by side in processes of one torch thread each: first the base models, then their arms."""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.context import SpawnContext
from multiprocessing.queues import Queue
from pathlib import Path
from threading import Thread
from typing import TypeAlias

import torch

from ralign.lab.config import ArmConfig, LabConfig
from ralign.lab.progress import Milestone, OnProgress, StepDone, silent
from ralign.lab.results import ArmResult, SeedResult
from ralign.lab.run import conclude, prepare, run_arm, run_seed

Events: TypeAlias = "Queue[StepDone | Milestone | None]"


def run_seeds(
    config: LabConfig, seeds: Sequence[int], out: Path, *, jobs: int = 2, on_progress: OnProgress = silent
) -> list[SeedResult]:
    """Run every seed of `seeds` into `out/seed-N`; results in the order of `seeds`.

    Raises:
        ConfigMismatch: `out` holds a run of another recipe.
    """
    places = [(replace(config, seed=seed), out / f"seed-{seed}") for seed in seeds]
    one_thread()
    if jobs == 1:
        return [run_seed(*place, on_progress) for place in places]
    # Threads of torch and of a forked parent do not mix: every process starts afresh.
    context = get_context("spawn")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with (
        _relayed(context, on_progress) as events,
        ProcessPoolExecutor(jobs, mp_context=context, initializer=_Worker.start, initargs=(events,)) as pool,
    ):
        bases = {pool.submit(_Worker.prepare, *place): place for place in places}
        running: set[Future[None]] = set(bases)
        arms: dict[int, list[Future[ArmResult]]] = {}
        # The arms of one seed need only its base model, so that a single seed keeps as many cores busy as it has arms.
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for base in done:
                base.result()  # raises what it raised
                place, folder = bases[base]
                arms[place.seed] = [pool.submit(_Worker.run_arm, place, arm, folder) for arm in place.arms]
        return [
            conclude(place, folder, [arm.result() for arm in arms[place.seed]]) for place, folder in places
        ]


def one_thread() -> None:
    """Keep torch to one thread."""
    # More do not help a model this small, and sums in one thread always come out the same.
    torch.set_num_threads(1)


class _Worker:
    """One process of the pool, and where its progress goes."""

    # A class and no argument of the tasks: a queue can only be inherited by a process, not sent to it.

    on_progress: OnProgress = staticmethod(silent)

    @classmethod
    def start(cls, events: Events) -> None:
        one_thread()
        cls.on_progress = events.put

    @classmethod
    def prepare(cls, config: LabConfig, out: Path) -> None:
        prepare(config, out, cls.on_progress)

    @classmethod
    def run_arm(cls, config: LabConfig, arm: ArmConfig, out: Path) -> ArmResult:
        return run_arm(config, arm, out, cls.on_progress)


@contextmanager
def _relayed(context: SpawnContext, on_progress: OnProgress) -> Generator[Events]:
    """A queue whose events reach `on_progress` in this process, all of them before the context ends."""
    events: Events = context.Queue()

    def relay() -> None:
        while (event := events.get()) is not None:
            on_progress(event)

    thread = Thread(target=relay, name="lab-events", daemon=True)
    thread.start()
    try:
        yield events
    finally:
        events.put(None)
        thread.join()
