"""What `ralign lab` can be told: one field a flag. Imports nothing, so that the command line answers at once."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

Engine = Literal["ours", "trl"]
"""What trains the judges: the lab's own loop, or TRL's GRPOTrainer."""


@dataclass(frozen=True)
class LabOptions:
    """A run of the lab."""

    _: KW_ONLY
    preset: str = "graded"
    """A recipe that ships with ralign."""
    recipe: Path | None = None
    """Your own recipe, instead of a preset."""
    seeds: str | None = None
    """Seeds, as `0..4` or `0,3,7`; `declared` takes those that the recipe declares. Default: the recipe's one."""
    jobs: int = 2
    """Processes, of one thread each: they share out the seeds' base models, then all judges."""
    engine: Engine | None = None
    """What trains the judges, instead of the recipe's `judge_rl.engine`: `trl` is TRL's GRPOTrainer on the same model,
    pairs and rewards, at four times the cost (needs the extra `train`)."""
    quick: bool = False
    """A small model, few steps and three judges: to see it run, not to see what it shows."""
    out: Path | None = None
    """The run directory; finished stages are taken up. Default: runs/lab, runs/lab-quick or runs/lab-PRESET."""
