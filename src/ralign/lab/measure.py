"""A judge of the toy environment, measured on its three splits by `ralign.evals.bench`, as any other judge is."""

import asyncio
from pathlib import Path
from typing import Final, Literal, get_args

from torch import Generator

from ralign.evals.bench.plan import bench
from ralign.files import PairsFile, PairSource, write_pairs
from ralign.lab.config import ByDomain, LabConfig
from ralign.lab.judge import LabJudge
from ralign.lab.meta_judge import ExactMetaJudge
from ralign.lab.model import GPT
from ralign.lab.records import benchmark_name, to_records
from ralign.lab.world import World
from ralign.runs.execute import Results

Split = Literal["train", "hard", "adversarial"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)
"""Pairs as in training; pairs where style says nothing; pairs where style misleads."""


def write_splits(world: World, config: LabConfig, folder: Path, generator: Generator) -> None:
    """Draw the pairs that every judge of this world is measured on; `<split>.jsonl` in the interchange format."""
    folder.mkdir(parents=True, exist_ok=True)
    showy: dict[Split, ByDomain] = {
        "train": config.showy,
        "hard": config.benchmark.hard,
        "adversarial": config.benchmark.adversarial,
    }
    for split in SPLITS:
        pairs = world.pairs(config.benchmark.pairs, showy[split], generator)
        write_pairs(folder / f"{split}.jsonl", to_records(pairs, split))


def measure(model: GPT, name: str, config: LabConfig, *, pairs: Path, out: Path) -> Results:
    """Judge every pair of `pairs` once, meta-judge right judgments, and leave a run directory in `out`.

    Resumes what is recorded in `out`.

    Raises:
        ConfigMismatch: `out` holds another judge's or another seed's run.
    """
    files = [
        PairsFile(path=pairs / f"{split}.jsonl", name=f"{split}.jsonl", benchmark=benchmark_name(split))
        for split in SPLITS
    ]
    identity: dict[str, object] = {"judge": name, "seed": config.seed, "orders": config.benchmark.orders}

    async def run() -> Results:
        async with LabJudge(model, name=name, seed=config.seed) as judge:
            return await bench(
                PairSource(files),
                judge,
                ExactMetaJudge(),
                out,
                orders=config.benchmark.order_list,
                # Two full batches of the judge: one is written while the other is read and recorded.
                in_flight=512,
                config={"lab": identity},
                fingerprint=identity,
            )

    return asyncio.run(run())
