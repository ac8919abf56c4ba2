"""Results of one seed of the lab: the records of its stages, and their JSON."""

from dataclasses import dataclass
from pathlib import Path

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
    """All results of one seed."""

    seed: int
    base: BaseResult
    start: PolicyWorth
    """The base model as a policy, before any of its training."""
    arms: tuple[ArmResult, ...]


def write_result(result: SeedResult | ArmResult, path: Path) -> None:
    """Write it as JSON."""
    write_atomically(path, TypeAdapter(type(result)).dump_json(result, indent=2) + b"\n")


def read_seed_result(path: Path) -> SeedResult:
    """Read a seed's results back."""
    return TypeAdapter(SeedResult).validate_json(path.read_bytes())


def read_arm_result(path: Path) -> ArmResult:
    """Read an arm's results back."""
    return TypeAdapter(ArmResult).validate_json(path.read_bytes())
