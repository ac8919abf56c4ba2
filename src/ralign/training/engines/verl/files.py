"""Files of one run on verl, by the module that writes them.

train.parquet     the data                                    `ralign.training.engines.verl.data`
config.yaml       our hyper-parameters, over verl's           `ralign.training.engines.verl.config`
composed.yaml     every key as verl will see it               `ralign.training.engines.verl.check`
launch.sh         the command; further arguments are Hydra's overrides
meta_prompt.txt   the meta-judge prompt, where the user brought one
rewards/          what every sample got, a file a worker      `ralign.training.engines.verl.score`
rollouts/         `N.jsonl`: every completion of step N with its score and flags, by verl
checkpoints/      verl's
"""

from pathlib import Path


class VerlFiles:
    """Paths of a run for all of its processes.

    Args:
        out: the run directory; absolute, as Hydra and Ray change the working directory, and on several nodes in a
            folder they share.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out / "verl"
        self.data = self.folder / "train.parquet"
        self.config = self.folder / "config.yaml"
        self.composed = self.folder / "composed.yaml"
        self.launch = self.folder / "launch.sh"
        self.meta_prompt = self.folder / "meta_prompt.txt"
        self.rewards = self.folder / "rewards"
        self.rollouts = self.folder / "rollouts"
        self.checkpoints = self.folder / "checkpoints"

    def model_of(self, step: int) -> Path:
        """The model after a step, as transformers and vLLM load it."""
        return self.checkpoints / f"global_step_{step}" / "actor" / "huggingface"

    def last_step(self) -> int | None:
        """Step of verl's last complete checkpoint; None where there is none."""
        # verl writes this file once all ranks have saved: a folder that is newer than it may be partial.
        try:
            return int((self.checkpoints / "latest_checkpointed_iteration.txt").read_text())
        except (FileNotFoundError, ValueError):
            return None
