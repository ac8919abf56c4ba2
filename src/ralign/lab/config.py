"""The lab's settings: frozen dataclasses, one TOML recipe for each way of running it. Unknown keys are refused.

A quadruple of numbers goes by domain: town, animal, fruit, colour.
"""

import tomllib
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ralign.errors import InputError
from ralign.lab.options import Engine
from ralign.records import Order

ByDomain = tuple[float, float, float, float]
Reward = Literal["none", "outcome", "ralign", "hybrid", "points"]
"""What a judge is trained with; none leaves the base judge as it is."""


class Strict:
    """Mixed into every config: pydantic refuses keys that are no field."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
# Width 32 does not learn its facts in the time given; 128 shows the same picture at twice the cost
# (docs/lab_log.md, section 13).
class ModelConfig(Strict):
    """The transformer's size."""

    width: int = 64
    """Width of the residual stream."""
    layers: int = 2
    """Number of blocks."""
    heads: int = 4
    """Attention heads per block."""
    context: int = 40
    """The longest sequence; what a judge reads and writes takes 34."""


@dataclass(frozen=True, kw_only=True)
class Critics(Strict):
    """How good the critics are whose judgments the base judge imitates."""

    substantive: ByDomain
    """Share of critiques that look at the substance; the others look at the surface."""
    flipped: ByDomain = (0.0, 0.0, 0.0, 0.0)
    """Share of substantive claims that are wrong; what decides and the verdict follow the claims."""
    verdict_noise: float = 0.0
    """Share of verdicts turned round at the very end, whatever the rationale says."""


@dataclass(frozen=True, kw_only=True)
class PhaseConfig(Strict):
    """One phase of supervised fine-tuning."""

    steps: int
    """Optimizer steps."""
    critics: Critics
    """Who writes the judgments."""
    showy: ByDomain
    """How often the showier answer is the better one, in the pairs that the critics see."""
    pairs: int = 128
    """Batch size of the critics' judgments."""
    answers: int = 64
    """Batch size of the answers: the same model learns to answer."""
    noted: int = 0
    """Critiques a step whose critic also makes notes in the margin, beside the words of the answers."""
    rate_matrices: float = 0.03
    """Muon's learning rate, for the matrices of the blocks."""
    rate_rest: float = 0.003
    """AdamW's learning rate, for embeddings and head."""
    weight_decay: float = 0.1
    """Muon's weight decay."""
    cooldown: float = 0.4
    """Cooldown: the last part of the phase, over which the learning rates decay linearly to a twentieth."""


@dataclass(frozen=True, kw_only=True)
class ArmConfig(Strict):
    """One judge: how it is trained from the base judge."""

    name: str
    """The name in tables, and of its folder."""
    reward: Reward
    """The reward; none leaves the base judge as it is."""
    steps: int | None = None
    """Optimizer steps, where they differ from the other arms'."""
    meta_error: float = 0.0
    """Error rate of the training's meta-judge."""
    weight: float = 0.5
    """The weight of the rationale in the rewards hybrid and points."""


@dataclass(frozen=True, kw_only=True)
class GrpoConfig(Strict):
    """Settings of GRPO, of the judge and of a policy."""

    steps: int = 80
    """Optimizer steps; each is on new pairs or questions."""
    prompts: int = 64
    """Prompts a step: pairs, or questions."""
    group_size: int = 8
    """Group size: judgments a pair, or answers a question."""
    rate: float = 5e-4
    """AdamW's learning rate, after a linear warm-up of five steps."""
    clip_norm: float = 1.0
    """Gradient-norm clipping threshold."""


@dataclass(frozen=True, kw_only=True)
class JudgeRlConfig(GrpoConfig):
    """Reinforcement learning of the judge: the same for every arm."""

    engine: Engine = "ours"
    """The trainer: the lab's own loop, or TRL's GRPOTrainer."""
    cooldown: float = 0.0
    """Cooldown: the last part of the training, over which the learning rate decays linearly to a twentieth; 0: none."""


@dataclass(frozen=True, kw_only=True)
class PolicyRlConfig(GrpoConfig):
    """Reinforcement learning of a policy against a judge: the same for every judge."""

    prompts: int = 48
    """Prompts a step: questions."""
    rate: float = 1e-3
    """AdamW's learning rate."""
    budget: int = 4
    """Maximum completion length, in words. Substance takes three: with four, more than one word of style costs some."""
    orders: Literal["ab", "ba", "both", "drawn"] = "drawn"
    """The order in which the judge is shown answer and reference, against position bias: fixed, both, or drawn."""
    length_weight: float = 0.0
    """Length-penalty coefficient: the cost of twice the reference's length. 0 is none."""
    may_praise: bool = False
    """Whether the policy may write the words of a judgment: claims, factors and verdicts (reward hacking by praise)."""
    evaluated: int = 2000
    """Questions on which the policy's true quality is measured: of those held out from its training."""
    # Two and not more for the time; they already tell, pooled over seeds, how far the policies of one judge differ.
    repeats: int = 2
    """Policies trained against each judge; its policy quality is their mean."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig(Strict):
    """The splits that judges are measured on."""

    pairs: int = 2000
    """Pairs a split."""
    orders: Literal["ab", "ba", "both"] = "ab"
    """How the answers are shown; both gives order consistency, at twice the cost."""
    hard: ByDomain = (0.5, 0.5, 0.5, 0.5)
    """How often the showier answer is the better one on the hard split: style says nothing."""
    adversarial: ByDomain = (0.1, 0.1, 0.1, 0.1)
    """The same on the adversarial split: style misleads."""

    @property
    def order_list(self) -> tuple[Order, ...]:
        """The orders each pair is judged in."""
        return ("ab", "ba") if self.orders == "both" else (self.orders,)


@dataclass(frozen=True, kw_only=True)
class LabConfig(Strict):
    """Everything that a run of the lab depends on."""

    phases: tuple[PhaseConfig, ...]
    """Supervised fine-tuning, from random weights to the base judge."""
    showy: ByDomain
    """How often the showier answer is the better one in training: how reliable a cue style is."""
    seed: int = 0
    """Decides the world, the weights, and every draw."""
    # Declared before they are run, after tuning on others: no seed can then be dropped for its result.
    seeds: tuple[int, ...] = (0,)
    """The seeds that results of this recipe are about."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The model that is both judge and policy."""
    answer_quality: ByDomain = (0.6, 0.6, 0.6, 0.6)
    """How often an answer that the policy imitates has each of the three substantial traits."""
    arms: tuple[ArmConfig, ...] = ()
    """The judges; the first is the base judge."""
    judge_rl: JudgeRlConfig = field(default_factory=JudgeRlConfig)
    """How judges are trained."""
    policy_rl: PolicyRlConfig = field(default_factory=PolicyRlConfig)
    """How policies are trained."""
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    """The measurement."""

    def smoke(self) -> "LabConfig":
        """The same recipe small enough for tests and a first look: every stage runs, none long enough to learn."""
        return replace(
            self,
            phases=tuple(replace(phase, steps=max(10, phase.steps // 5)) for phase in self.phases),
            arms=self.arms[:3],
            judge_rl=replace(self.judge_rl, steps=10, prompts=32),
            policy_rl=replace(self.policy_rl, steps=10, prompts=24, evaluated=500),
            benchmark=replace(self.benchmark, pairs=300),
        )

    def with_engine(self, engine: Engine | None) -> "LabConfig":
        """The same recipe with another trainer; with its own where `engine` is None.

        Raises:
            InputError: the engine is not installed.
        """
        engine = engine or self.judge_rl.engine
        if engine == "trl" and find_spec("trl") is None:
            raise InputError("the engine trl is not installed: pip install 'ralign[lab,train]'")
        return replace(self, judge_rl=replace(self.judge_rl, engine=engine))


def preset_path(name: str) -> Path:
    """The recipe of a preset.

    Raises:
        InputError: there is no such preset.
    """
    presets = Path(__file__).with_name("presets")
    path = presets / f"{name}.toml"
    if not path.is_file():
        names = ", ".join(sorted(each.stem for each in presets.glob("*.toml")))
        raise InputError(f"there is no preset {name!r}, expected one of {names}")
    return path


def read_recipe(path: Path) -> LabConfig:
    """Read the table [lab] of a recipe.

    Raises:
        InputError: the file is missing, no TOML, or has a key or a value that the lab does not take.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such recipe") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    try:
        return TypeAdapter(LabConfig).validate_python(table["lab"])
    except KeyError:
        raise InputError(f"{path}: has no table [lab]; a recipe's tables are named after commands") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}") from None
