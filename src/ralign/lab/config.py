"""The lab's settings: frozen dataclasses, one TOML recipe for each way of running it. Unknown keys are refused.

A quadruple of numbers goes by domain: town, animal, fruit, colour.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ralign.errors import InputError
from ralign.records import Order

ByDomain = tuple[float, float, float, float]


class Strict:
    """Mixed into every config: pydantic refuses keys that are no field."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
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
    """Optimiser steps."""
    critics: Critics
    """Who writes the judgments."""
    showy: ByDomain
    """How often the showier answer is the better one, in the pairs that the critics see."""
    pairs: int = 128
    """Critiques a step."""
    answers: int = 48
    """Answers a step: the same model learns to answer."""
    noted: int = 0
    """Critiques a step whose critic also notes, at every value in the answers, whether it is right."""
    rate_matrices: float = 0.03
    """Muon's learning rate, for the matrices of the blocks."""
    rate_rest: float = 0.003
    """AdamW's learning rate, for embeddings and head."""
    weight_decay: float = 0.1
    """Muon's weight decay."""
    cooldown: float = 0.4
    """Last part of the phase over which the rates fall, linearly, to a twentieth."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig(Strict):
    """What the judges are measured on."""

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
    model: ModelConfig = field(default_factory=ModelConfig)
    """The model that is both judge and policy."""
    answer_quality: ByDomain = (0.6, 0.6, 0.6, 0.6)
    """How often an answer that the policy imitates has each of the three substantial traits."""
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    """The measurement."""


_ADAPTER: Final = TypeAdapter(LabConfig)


def read_recipe(path: Path) -> LabConfig:
    """Read a recipe.

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
        return _ADAPTER.validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}") from None
