"""Several seeds, side by side in processes of one torch thread each: first the base models, then their arms.

Judges of one seed need only its base model, so that a single seed keeps as many cores busy as it has arms.
"""

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
from ralign.lab.progress import Beat, Said, Watch, unwatched
from ralign.lab.results import ArmResult, SeedResult
from ralign.lab.run import conclude, prepare, run_arm, run_seed

Events: TypeAlias = "Queue[Beat | Said | None]"


def run_seeds(
    config: LabConfig, seeds: Sequence[int], out: Path, *, jobs: int = 2, watch: Watch = unwatched
) -> list[SeedResult]:
    """Run every seed of `seeds` into `out/seed-N`; results in the order of `seeds`.

    Raises:
        ConfigMismatch: `out` holds a run of another recipe.
    """
    places = [(replace(config, seed=seed), out / f"seed-{seed}") for seed in seeds]
    one_thread()
    if jobs == 1:
        return [run_seed(*place, watch) for place in places]
    # Threads of torch and of a forked parent do not mix: every process starts afresh.
    context = get_context("spawn")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with (
        _relayed(context, watch) as events,
        ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(events,)) as pool,
    ):
        bases = {pool.submit(_prepare, *place): place for place in places}
        running: set[Future[None]] = set(bases)
        arms: dict[int, list[Future[ArmResult]]] = {}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for base in done:
                base.result()  # raises what it raised
                place, folder = bases[base]
                arms[place.seed] = [pool.submit(_run_arm, place, arm, folder) for arm in place.arms]
        return [
            conclude(place, folder, [arm.result() for arm in arms[place.seed]]) for place, folder in places
        ]


def one_thread() -> None:
    """The model is too small for a second thread to help, and sums in one thread always come out the same."""
    torch.set_num_threads(1)


class _Worker:
    """What a process of the pool knows besides its tasks."""

    watch: Watch = staticmethod(unwatched)


def _begin(events: Events) -> None:
    one_thread()
    _Worker.watch = events.put


def _prepare(config: LabConfig, out: Path) -> None:
    prepare(config, out, _Worker.watch)


def _run_arm(config: LabConfig, arm: ArmConfig, out: Path) -> ArmResult:
    return run_arm(config, arm, out, _Worker.watch)


@contextmanager
def _relayed(context: SpawnContext, watch: Watch) -> Generator[Events]:
    """A queue whose events reach `watch` in this process, all of them before the context ends."""
    events: Events = context.Queue()

    def relay() -> None:
        while (event := events.get()) is not None:
            watch(event)

    thread = Thread(target=relay, name="lab-events", daemon=True)
    thread.start()
    try:
        yield events
    finally:
        events.put(None)
        thread.join()
