"""The flags of `ralign lab`, one field a flag. Imports nothing, so that the command line answers at once."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

Engine = Literal["ours", "trl"]
"""The trainer of the judges: the lab's own loop, or TRL's GRPOTrainer."""


@dataclass(frozen=True)
class LabOptions:
    """A run of the lab."""

    _: KW_ONLY
    preset: str = "graded"
    """A recipe that ships with ralign."""
    recipe: Path | None = None
    """Your own recipe, instead of a preset."""
    seeds: str | None = None
    """Random seeds, as `0..4` or `0,3,7`; `declared`: those that the recipe declares. Default: the recipe's one."""
    jobs: int = 2
    """Worker processes of one thread each; they share out the seeds' base models, then all judges."""
    engine: Engine | None = None
    """Trainer of the judges, instead of the recipe's `judge_rl.engine`: `trl` is TRL's GRPOTrainer on the same model,
    pairs and rewards, at four times the cost (needs the extra `train`)."""
    quick: bool = False
    """Smoke test: few steps and three judges, too few for the effect to show."""
    out: Path | None = None
    """The run directory; finished stages are resumed. Default: runs/lab, runs/lab-quick or runs/lab-PRESET."""
