"""What one seed of the lab came to: the records of its stages, and their JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from ralign.files import write_atomically
from ralign.lab.measure import Split
from ralign.lab.policy_rl import PolicyWorth
from ralign.lab.probes import Probes


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseResult:
    """The base judge's training."""

    true_claims: tuple[float, ...]
    """After each phase: share of the claims it samples that are true, on the training distribution."""
    cpu_seconds: float
    """Of supervised fine-tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The paper's three measures on one set of pairs."""

    label_accuracy: float
    spurious_correctness: float | None
    """None where no verdict was right."""
    fidelity_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """One judge, and the policy trained against it."""

    name: str
    splits: dict[Split, Measured]
    by_domain: dict[str, Measured]
    """On the training distribution."""
    probes: Probes
    policy: PolicyWorth
    judge_rewards: tuple[float | None, ...]
    """Mean reward of every step of the judge's training; None where nothing was scored."""
    policy_rewards: tuple[float | None, ...]
    """Mean reward of every step of the policy's training; None where nothing was scored."""
    policy_quality: tuple[float, ...]
    """Mean true quality of the answers of every step of the policy's training."""
    cpu_seconds: float
    """Of training judge and policy and measuring both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """Everything that one seed came to."""

    seed: int
    base: BaseResult
    start: PolicyWorth
    """The base model as a policy, before any of its training."""
    arms: tuple[ArmResult, ...]


_SEED: Final = TypeAdapter(SeedResult)
_ARM: Final = TypeAdapter(ArmResult)


def write_seed_result(result: SeedResult, path: Path) -> None:
    """Write it as JSON."""
    write_atomically(path, _SEED.dump_json(result, indent=2) + b"\n")


def read_seed_result(path: Path) -> SeedResult:
    """Read what `write_seed_result` wrote."""
    return _SEED.validate_json(path.read_bytes())


def write_arm_result(result: ArmResult, path: Path) -> None:
    """Write it as JSON."""
    write_atomically(path, _ARM.dump_json(result, indent=2) + b"\n")


def read_arm_result(path: Path) -> ArmResult:
    """Read what `write_arm_result` wrote."""
    return _ARM.validate_json(path.read_bytes())
