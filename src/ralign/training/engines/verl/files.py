"""Files of one run on verl.

train.parquet     the data                                    `ralign.training.engines.verl.data`
config.yaml       our hyper-parameters, over verl's           `ralign.training.engines.verl.config`
composed.yaml     every key as verl will see it               `ralign.training.engines.verl.check`
launch.sh         the command; further arguments are Hydra's overrides
rewards/          what every sample got                       `ralign.training.engines.verl.log`
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class VerlFiles:
    """Paths of a run for all of its processes: absolute, and on several nodes in a folder they share."""

    out: Path
    """The run directory."""

    @property
    def folder(self) -> Path:
        """Folder of all that is verl's."""
        return self.out / "verl"

    @property
    def data(self) -> Path:
        """The rows that are trained on."""
        return self.folder / "train.parquet"

    @property
    def config(self) -> Path:
        """Our configuration, over verl's."""
        return self.folder / "config.yaml"

    @property
    def composed(self) -> Path:
        """Every key as verl will see it; written by the check."""
        return self.folder / "composed.yaml"

    @property
    def launch(self) -> Path:
        """The command."""
        return self.folder / "launch.sh"

    @property
    def meta_prompt(self) -> Path:
        """The meta-judge prompt, where the user brought one."""
        return self.folder / "meta_prompt.txt"

    @property
    def rewards(self) -> Path:
        """Rewards of every sample, a file for each reward worker."""
        return self.folder / "rewards"

    @property
    def rollouts(self) -> Path:
        """`N.jsonl`: every completion of step N with its score and flags."""
        return self.folder / "rollouts"

    @property
    def checkpoints(self) -> Path:
        """verl's, of the older ones those that are kept."""
        return self.folder / "checkpoints"

    def model_of(self, step: int) -> Path:
        """The model after a step, as transformers and vLLM load it."""
        return self.checkpoints / f"global_step_{step}" / "actor" / "huggingface"

    def last_step(self) -> int | None:
        """Step of verl's last complete checkpoint; None where there is none."""
        try:
            return int((self.checkpoints / "latest_checkpointed_iteration.txt").read_text())
        except (FileNotFoundError, ValueError):
            return None
