"""Results of one seed of the lab: the records of its stages, and their JSON."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from pydantic import TypeAdapter

from ralign.files import write_atomically
from ralign.lab.config import Reward
from ralign.lab.measure import Split
from ralign.lab.policy_rl import PolicyWorth, mean_worth
from ralign.lab.probes import Probes

Result = TypeVar("Result", "BaseResult", "PolicyResult", "ArmResult", "SeedResult")


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
class PolicyResult:
    """One policy's training."""

    worth: PolicyWorth
    """Afterwards, on the questions held out from it."""
    rewards: tuple[float | None, ...]
    """Mean reward of every step; None where nothing was scored."""
    quality: tuple[float, ...]
    """Mean true quality of the answers of every step, to questions that it is trained on."""
    cpu_seconds: float
    """Of training and measuring it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """One judge, and the policies trained against it."""

    name: str
    reward: Reward
    """What the judge was trained with."""
    splits: dict[Split, Measured]
    by_domain: dict[str, Measured]
    """On the training distribution."""
    probes: Probes
    policies: tuple[PolicyResult, ...]
    judge_rewards: tuple[float | None, ...]
    """Mean reward of every step of the judge's training; None where nothing was scored."""
    cpu_seconds: float
    """Of training the judge and its policies and measuring all."""

    @property
    def policy(self) -> PolicyWorth:
        """The mean over the judge's policies."""
        return mean_worth([policy.worth for policy in self.policies])

    @property
    def policy_quality(self) -> list[float]:
        """By step of the policies' training, the mean over the policies."""
        return [fmean(step) for step in zip(*(policy.quality for policy in self.policies), strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """All results of one seed."""

    seed: int
    base: BaseResult
    start: PolicyWorth
    """The base model as a policy, before any of its training."""
    arms: tuple[ArmResult, ...]


def write_result(result: BaseResult | PolicyResult | ArmResult | SeedResult, path: Path) -> None:
    """Write it as JSON."""
    write_atomically(path, TypeAdapter(type(result)).dump_json(result, indent=2) + b"\n")


def read_result(kind: type[Result], path: Path) -> Result:
    """Read a result of this kind back."""
    return TypeAdapter(kind).validate_json(path.read_bytes())
