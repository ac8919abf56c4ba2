"""A recipe made small enough for tests and for the impatient: every stage runs, few learn what they should."""

from dataclasses import replace

from ralign.lab.config import LabConfig


def quickened(config: LabConfig) -> LabConfig:
    """The same recipe with fewer steps and pairs, and the first three judges only."""
    return replace(
        config,
        phases=tuple(replace(phase, steps=max(10, phase.steps // 5)) for phase in config.phases),
        arms=config.arms[:3],
        judge_rl=replace(config.judge_rl, steps=10, prompts=32),
        policy_rl=replace(config.policy_rl, steps=10, prompts=24, evaluated=500),
        benchmark=replace(config.benchmark, pairs=300),
    )
