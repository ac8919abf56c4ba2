"""The whole method for one seed, stage by stage: random weights -> base model -> judges -> benchmark -> policies.

Resumable: a stage that left its files in the run directory is not done again:

    runs/lab/seed-0/
      config.json                    the recipe, resolved; another one is refused
      pairs/<split>.jsonl            the pairs that every judge is measured on, in the interchange format
      base.pt, base.json             the base model, and its training's figures
      <arm>/judge.pt, judge.json     the judge, and its training curve
      <arm>/bench/                   its run directory, like any other judge's
      <arm>/policy-0.pt, policy-0.json   the first policy trained against it, and its true quality
      <arm>/arm.json                 its figures
      result.json                    all figures
"""

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from ralign.errors import ConfigMismatch
from ralign.files import write_atomically
from ralign.lab import judge_rl
from ralign.lab.config import ArmConfig, ByDomain, JudgeRlConfig, LabConfig
from ralign.lab.judge_rl import JudgeStep
from ralign.lab.measure import SPLITS, Split, measure, write_splits
from ralign.lab.meta_judge import true_claims
from ralign.lab.model import GPT, load, save
from ralign.lab.options import Engine
from ralign.lab.policy_rl import evaluate, train_policy
from ralign.lab.probes import probe
from ralign.lab.progress import Milestone, OnProgress, StepDone, counted, silent
from ralign.lab.records import benchmark_name
from ralign.lab.results import (
    ArmResult,
    BaseResult,
    Measured,
    PolicyResult,
    SeedResult,
    read_result,
    write_result,
)
from ralign.lab.sft import fine_tune
from ralign.lab.vocabulary import CRITIQUE_LENGTH, WORDS
from ralign.lab.world import World, generator_of, world_of
from ralign.report.tables import BenchmarkDict

JudgeTraining = Callable[[GPT, World, ArmConfig, JudgeRlConfig, ByDomain, Generator], Iterator[JudgeStep]]
"""Trains the judge in place; yields each step's figures."""


def run_seed(config: LabConfig, out: Path, on_progress: OnProgress = silent) -> SeedResult:
    """Run every stage for `config.seed` that `out` does not already hold.

    Raises:
        ConfigMismatch: `out` holds a run of another recipe or seed.
    """
    prepare(config, out, on_progress)
    return conclude(config, out, [run_arm(config, arm, out, on_progress) for arm in config.arms])


def prepare(config: LabConfig, out: Path, on_progress: OnProgress = silent) -> None:
    """Lay down what all arms share: the recipe, the pairs of the benchmark, the base model.

    Raises:
        ConfigMismatch: `out` holds a run of another recipe or seed.
    """
    check_config(config, out)
    world = world_of(config)
    if not all((out / "pairs" / f"{split}.jsonl").exists() for split in SPLITS):
        write_splits(world, config, out / "pairs", generator_of(config, "pairs"))
    if (out / "base.json").exists():
        return
    started = time.process_time()
    generator = generator_of(config, "sft")
    model = GPT(config.model, generator)
    steps = [phase.steps for phase in config.phases]
    task = f"seed {config.seed}: base model"

    def progress(number: int, step: int) -> None:
        on_progress(StepDone(task, sum(steps[:number]) + step + 1, sum(steps)))

    truthful: list[float] = []
    for number in fine_tune(model, world, config, generator, progress):
        # Whether the base model knows its facts decides what any reward can make of it (docs/lab_log.md, section 6).
        draws = generator_of(config, "true-claims")
        pairs = world.pairs(config.benchmark.pairs, config.showy, draws)
        noise = torch.rand(config.benchmark.pairs, 1, CRITIQUE_LENGTH, len(WORDS), generator=draws)
        written = model.sample(pairs.prompt, noise).words[:, 0]
        truthful.append(true_claims(pairs.traits, written).float().mean().item())
        on_progress(Milestone(f"{task}, phase {number + 1}: {truthful[-1]:.1%} of its claims are true"))
    save(model, out / "base.pt")
    base = BaseResult(true_claims=tuple(truthful), cpu_seconds=time.process_time() - started)
    write_result(base, out / "base.json")


def check_config(config: LabConfig, out: Path) -> None:
    """Write the recipe into a new run directory; refuse another one than the one that is there."""
    path = out / "config.json"
    asked = json.loads(json.dumps(asdict(config)))
    if not path.exists():
        write_json(path, asked)
        return
    held: dict[str, Any] = json.loads(path.read_bytes())
    for name, value in asked.items():
        if value != held.get(name):
            raise ConfigMismatch(
                f"{out} holds a run with another {name}: {held.get(name)!r}, now {value!r}; "
                "give another directory, or remove this one"
            )


def run_arm(config: LabConfig, arm: ArmConfig, out: Path, on_progress: OnProgress = silent) -> ArmResult:
    """Train one judge, measure and probe it, train policies against it. `prepare` comes before."""
    folder = out / folder_name(arm.name)
    if (folder / "arm.json").exists():
        return read_result(ArmResult, folder / "arm.json")
    world, base = world_of(config), load(out / "base.pt", config.model)
    judge, judge_record = _trained_judge(config, arm, world, base, folder, on_progress)
    started = time.process_time()
    document = measure(judge, arm.name, config, pairs=out / "pairs", out=folder / "bench").document
    generator = generator_of(config, "probes")
    probes = probe(judge, world.pairs(config.benchmark.pairs, config.showy, generator), generator)
    cpu_seconds = time.process_time() - started
    policies = [
        _trained_policy(config, arm, number, world, base, judge, folder, on_progress)
        for number in range(config.policy_rl.repeats)
    ]
    benchmarks: dict[str, Any] = document["benchmarks"]
    splits: dict[Split, Measured] = {split: _measured(benchmarks[benchmark_name(split)]) for split in SPLITS}
    subsets: dict[str, Any] = benchmarks[benchmark_name("train")]["subsets"]
    result = ArmResult(
        name=arm.name,
        reward=arm.reward,
        splits=splits,
        by_domain={domain: _measured(subset) for domain, subset in subsets.items()},
        probes=probes,
        policies=tuple(policies),
        judge_rewards=tuple(judge_record["rewards"]),
        cpu_seconds=judge_record["cpu_seconds"] + cpu_seconds + sum(each.cpu_seconds for each in policies),
    )
    write_result(result, folder / "arm.json")
    on_progress(
        Milestone(
            f"seed {config.seed}: {arm.name}: L-Acc {splits['train'].label_accuracy:.3f}, "
            f"F-Score {splits['train'].fidelity_score:.3f}, policy quality {result.policy.quality:.3f}"
        )
    )
    return result


def conclude(config: LabConfig, out: Path, arms: Sequence[ArmResult]) -> SeedResult:
    """Put the figures of a seed together, and into `out/result.json`."""
    base = load(out / "base.pt", config.model)
    start = evaluate(base, world_of(config), config.policy_rl, generator_of(config, "evaluation"))
    result = SeedResult(
        seed=config.seed, base=read_result(BaseResult, out / "base.json"), start=start, arms=tuple(arms)
    )
    write_result(result, out / "result.json")
    return result


def _trained_judge(
    config: LabConfig, arm: ArmConfig, world: World, base: GPT, folder: Path, on_progress: OnProgress
) -> tuple[GPT, dict[str, Any]]:
    """The arm's judge, and the record of its training."""
    weights, record = folder / "judge.pt", folder / "judge.json"
    if arm.reward == "none":
        return base, {"rewards": [], "cpu_seconds": 0.0}
    if record.exists():
        return load(weights, config.model), json.loads(record.read_bytes())
    started = time.process_time()
    judge = deepcopy(base)
    # One generator seed for all arms: the same pairs, drawn in the same order.
    generator = generator_of(config, "judge-rl")
    train_judge = training_with(config.judge_rl.engine)
    training = train_judge(judge, world, arm, config.judge_rl, config.showy, generator)
    rewards = [_known(step.reward) for step in counted(training, on_progress, *_task(config, arm))]
    save(judge, weights)
    write_json(record, {"rewards": rewards, "cpu_seconds": time.process_time() - started})
    return judge, json.loads(record.read_bytes())


def _trained_policy(
    config: LabConfig,
    arm: ArmConfig,
    number: int,
    world: World,
    base: GPT,
    judge: GPT,
    folder: Path,
    on_progress: OnProgress,
) -> PolicyResult:
    """One policy against the arm's judge; its `number` decides its draws, the same for every judge."""
    record = folder / f"policy-{number}.json"
    if record.exists():
        return read_result(PolicyResult, record)
    started = time.process_time()
    policy = deepcopy(base)
    generator = generator_of(config, f"policy-rl-{number}")
    training = train_policy(policy, base, judge, world, config.policy_rl, generator)
    task, total = _task(config, arm)
    left = (config.policy_rl.repeats - number) * config.policy_rl.steps
    steps = list(counted(training, on_progress, task, total, done=total - left))
    worth = evaluate(policy, world, config.policy_rl, generator_of(config, "evaluation"))
    save(policy, folder / f"policy-{number}.pt")
    result = PolicyResult(
        worth=worth,
        rewards=tuple(_known(step.reward) for step in steps),
        quality=tuple(step.quality for step in steps),
        cpu_seconds=time.process_time() - started,
    )
    write_result(result, record)
    return result


def training_with(engine: Engine) -> JudgeTraining:
    """The engine's loop."""
    if engine == "ours":
        return judge_rl.train_judge
    # Imported where it is asked for: TRL is optional, and takes longer to import than the lab's quick run to its first
    # step. Every process of a run comes here by itself.
    from ralign.lab import trl_engine

    return trl_engine.train_judge


def folder_name(arm: str) -> str:
    """An arm's folder: its name in lower case, with hyphens for all that is no letter or digit."""
    return re.sub(r"[^a-z0-9]+", "-", arm.lower()).strip("-")


def bench_results(out: Path, seed: int, arm: str) -> dict[Split, BenchmarkDict]:
    """Split -> one judge's results with their intervals over pairs, from its own run directory."""
    path = out / f"seed-{seed}" / folder_name(arm) / "bench" / "results.json"
    benchmarks: dict[str, BenchmarkDict] = json.loads(path.read_bytes())["benchmarks"]
    return {split: benchmarks[benchmark_name(split)] for split in SPLITS}


def write_json(path: Path, value: object) -> None:
    """Write a record of a stage; it is there complete or not at all, so that a killed run does the stage again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")


def _task(config: LabConfig, arm: ArmConfig) -> tuple[str, int]:
    """The name of an arm's bar, and its steps: the judge's, then its policies'."""
    judging = 0 if arm.reward == "none" else arm.steps or config.judge_rl.steps
    return f"seed {config.seed}: {arm.name}", judging + config.policy_rl.repeats * config.policy_rl.steps


def _known(mean: float) -> float | None:
    """A mean over the scored; None where nothing was, which JSON has no number for."""
    return None if math.isnan(mean) else mean


def _measured(result: dict[str, Any]) -> Measured:
    shares = {field.name: result[field.name] for field in fields(Measured)}
    return Measured(**{name: share and share["value"] for name, share in shares.items()})
