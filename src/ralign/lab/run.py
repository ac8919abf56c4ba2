"""The whole method for one seed, stage by stage: random weights -> base model -> judges -> benchmark -> policies.

What a stage leaves in the run directory is taken up, not done again:

    runs/lab/seed-0/
      config.json              the recipe, resolved; another one is refused
      pairs/<split>.jsonl      what every judge is measured on, in the interchange format
      base.pt, base.json       the base model, and how its training went
      <arm>/judge.pt, judge.json     the judge, and its training curve
      <arm>/bench/                   its run directory, like any other judge's
      <arm>/policy.pt, policy.json   the policy trained against it, and what it is worth
      <arm>/arm.json                 its figures
      result.json              all figures
"""

import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from torch import Generator

from ralign.errors import ConfigMismatch
from ralign.files import write_atomically
from ralign.judging import call_seed
from ralign.lab import checkpoint
from ralign.lab.config import ArmConfig, LabConfig
from ralign.lab.engines import training_with
from ralign.lab.lexicon import CRITIQUE_LENGTH, WORDS
from ralign.lab.measure import SPLITS, Split, measure, write_splits
from ralign.lab.meta_judge import true_claims
from ralign.lab.model import GPT
from ralign.lab.policy_rl import PolicyWorth, evaluate, train_policy
from ralign.lab.probes import probe
from ralign.lab.progress import Beat, Said, Watch, beating, unwatched
from ralign.lab.prompts import judge_prompt
from ralign.lab.records import benchmark_name
from ralign.lab.results import (
    ArmResult,
    BaseResult,
    Measured,
    SeedResult,
    read_arm_result,
    write_arm_result,
    write_seed_result,
)
from ralign.lab.sft import fine_tune
from ralign.lab.world import World


def run_seed(config: LabConfig, out: Path, watch: Watch = unwatched) -> SeedResult:
    """Run every stage for `config.seed` that `out` does not already hold.

    Raises:
        ConfigMismatch: `out` holds a run of another recipe or seed.
    """
    prepare(config, out, watch)
    return conclude(config, out, [run_arm(config, arm, out, watch) for arm in config.arms])


def prepare(config: LabConfig, out: Path, watch: Watch = unwatched) -> None:
    """Lay down what all arms share: the recipe, the pairs of the benchmark, the base model.

    Raises:
        ConfigMismatch: `out` holds a run of another recipe or seed.
    """
    _claim(config, out)
    world = world_of(config)
    if not all((out / "pairs" / f"{split}.jsonl").exists() for split in SPLITS):
        write_splits(world, config, out / "pairs", _generator(config, "pairs"))
    if (out / "base.json").exists():
        return
    started = time.process_time()
    generator = _generator(config, "sft")
    model = GPT(config.model, generator)
    steps = [phase.steps for phase in config.phases]

    def report(number: int, step: int, loss: float) -> None:
        del loss
        watch(Beat(f"seed {config.seed}: base model", sum(steps[:number]) + step + 1, sum(steps)))

    truthful: list[float] = []
    for number in fine_tune(model, world, config, generator, report):
        truthful.append(_share_of_true_claims(model, world, config))
        watch(
            Said(
                f"seed {config.seed}: base model, phase {number + 1}: {truthful[-1]:.1%} of its claims are true"
            )
        )
    checkpoint.save(model, out / "base.pt")
    how = BaseResult(true_claims=tuple(truthful), cpu_seconds=time.process_time() - started)
    _write_json(out / "base.json", asdict(how))


def run_arm(config: LabConfig, arm: ArmConfig, out: Path, watch: Watch = unwatched) -> ArmResult:
    """Train one judge, measure and probe it, train a policy against it. `prepare` comes before."""
    folder = out / folder_name(arm.name)
    if (folder / "arm.json").exists():
        return read_arm_result(folder / "arm.json")
    world, base = world_of(config), checkpoint.load(out / "base.pt", config.model)
    judge, judge_record = _judge(config, arm, world, base, folder, watch)
    started = time.process_time()
    document = measure(judge, arm.name, config, pairs=out / "pairs", out=folder / "bench").document
    generator = _generator(config, "probes")
    probes = probe(judge, world.pairs(config.benchmark.pairs, config.showy, generator), generator)
    measured = time.process_time() - started
    benchmarks: dict[str, Any] = document["benchmarks"]
    splits: dict[Split, Measured] = {split: _measured(benchmarks[benchmark_name(split)]) for split in SPLITS}
    subsets: dict[str, Any] = benchmarks[benchmark_name("train")]["subsets"]
    policy_record = _policy(config, arm, world, base, judge, folder, watch)
    result = ArmResult(
        name=arm.name,
        splits=splits,
        by_domain={domain: _measured(subset) for domain, subset in subsets.items()},
        probes=probes,
        policy=PolicyWorth(**policy_record["worth"]),
        judge_rewards=tuple(judge_record["rewards"]),
        policy_rewards=tuple(policy_record["rewards"]),
        policy_quality=tuple(policy_record["quality"]),
        cpu_seconds=judge_record["cpu_seconds"] + measured + policy_record["cpu_seconds"],
    )
    write_arm_result(result, folder / "arm.json")
    train = splits["train"]
    watch(
        Said(
            f"seed {config.seed}: {arm.name}: L-Acc {train.label_accuracy:.3f}, "
            f"F-Score {train.fidelity_score:.3f}, policy quality {result.policy.quality:.3f}"
        )
    )
    return result


def conclude(config: LabConfig, out: Path, arms: Sequence[ArmResult]) -> SeedResult:
    """Put the figures of a seed together, and into `out/result.json`."""
    how: dict[str, Any] = json.loads((out / "base.json").read_bytes())
    trained = BaseResult(true_claims=tuple(how["true_claims"]), cpu_seconds=how["cpu_seconds"])
    base = checkpoint.load(out / "base.pt", config.model)
    start = evaluate(base, world_of(config), config.policy_rl, _generator(config, "evaluation"))
    result = SeedResult(seed=config.seed, base=trained, start=start, arms=tuple(arms))
    write_seed_result(result, out / "result.json")
    return result


def _judge(
    config: LabConfig, arm: ArmConfig, world: World, base: GPT, folder: Path, watch: Watch
) -> tuple[GPT, dict[str, Any]]:
    weights, record = folder / "judge.pt", folder / "judge.json"
    if arm.reward == "none":
        return base, {"rewards": [], "cpu_seconds": 0.0}
    if record.exists():
        return checkpoint.load(weights, config.model), json.loads(record.read_bytes())
    started = time.process_time()
    judge = checkpoint.copy(base, config.model)
    # One generator seed for all arms: the same pairs, drawn in the same order.
    generator = _generator(config, "judge-rl")
    train_judge = training_with(config.judge_rl.engine)
    training = train_judge(judge, world, arm, config.judge_rl, config.showy, generator)
    rewards = [_known(step.reward) for step in beating(training, watch, *_task(config, arm))]
    checkpoint.save(judge, weights)
    _write_json(record, {"rewards": rewards, "cpu_seconds": time.process_time() - started})
    return judge, json.loads(record.read_bytes())


def _policy(
    config: LabConfig, arm: ArmConfig, world: World, base: GPT, judge: GPT, folder: Path, watch: Watch
) -> dict[str, Any]:
    record = folder / "policy.json"
    if record.exists():
        return json.loads(record.read_bytes())
    started = time.process_time()
    policy = checkpoint.copy(base, config.model)
    training = train_policy(policy, base, judge, world, config.policy_rl, _generator(config, "policy-rl"))
    task, total = _task(config, arm)
    steps = list(beating(training, watch, task, total, done=total - config.policy_rl.steps))
    worth = evaluate(policy, world, config.policy_rl, _generator(config, "evaluation"))
    checkpoint.save(policy, folder / "policy.pt")
    found = {
        "worth": asdict(worth),
        "rewards": [_known(step.reward) for step in steps],
        "quality": [step.quality for step in steps],
        "cpu_seconds": time.process_time() - started,
    }
    _write_json(record, found)
    return found


def _task(config: LabConfig, arm: ArmConfig) -> tuple[str, int]:
    """What an arm's bar is called, and its steps: the judge's, then the policy's."""
    judging = 0 if arm.reward == "none" else arm.steps or config.judge_rl.steps
    return f"seed {config.seed}: {arm.name}", judging + config.policy_rl.steps


def world_of(config: LabConfig) -> World:
    """The world of the recipe's seed."""
    return World.draw(_generator(config, "world"))


def _known(mean: float) -> float | None:
    """A mean over the scored; None where nothing was, which JSON has no number for."""
    return None if math.isnan(mean) else mean


def folder_name(arm: str) -> str:
    """An arm's folder: its name in lower case, with hyphens for all that is no letter or digit."""
    return re.sub(r"[^a-z0-9]+", "-", arm.lower()).strip("-")


_MEASURES: Final = ("label_accuracy", "spurious_correctness", "fidelity_score")


def _measured(result: dict[str, Any]) -> Measured:
    return Measured(**{name: result[name] and result[name]["value"] for name in _MEASURES})


def _share_of_true_claims(model: GPT, world: World, config: LabConfig) -> float:
    generator = _generator(config, "true-claims")
    pairs = world.pairs(config.benchmark.pairs, config.showy, generator)
    noise = torch.rand(config.benchmark.pairs, 1, CRITIQUE_LENGTH, len(WORDS), generator=generator)
    written = model.sample(judge_prompt(pairs.question, pairs.answer_a, pairs.answer_b), noise).words[:, 0]
    return true_claims(pairs.traits, written).float().mean().item()


def _generator(config: LabConfig, stage: str) -> Generator:
    return Generator().manual_seed(call_seed(config.seed, "lab", stage))


def _claim(config: LabConfig, out: Path) -> None:
    path = out / "config.json"
    asked = json.loads(json.dumps(asdict(config)))
    if not path.exists():
        _write_json(path, asked)
        return
    held: dict[str, Any] = json.loads(path.read_bytes())
    differing = [name for name in asked if asked[name] != held.get(name)]
    if differing:
        raise ConfigMismatch(
            f"{out} holds a run with another {differing[0]}: {held.get(differing[0])!r}, now {asked[differing[0]]!r}; "
            "give another directory, or remove this one"
        )


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")
