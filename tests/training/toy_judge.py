"""What tests of training share: the example's tiny model and world, and a run that someone interrupts."""

import io
from pathlib import Path

from examples.train_micro_judge import SMALL, save_start, write_world
from rich.console import Console
from tests.training.configs import train_config

from ralign.cli import _training_engine
from ralign.models import ChatModel
from ralign.training.config import TrainConfig
from ralign.training.run import run_training
from ralign.training.tasks.judge import JudgeTask


def prepared(folder: Path) -> Path:
    """A folder with a start model, pairs and a judge's prompt."""
    write_world(folder, SMALL)
    save_start(folder / "start", SMALL)
    return folder


def toy_config(folder: Path, out: Path, **given) -> TrainConfig:
    """Settings that train the start in a second or so."""
    settings = {
        "model": str(folder / "start"),
        "judge_prompt": folder / "judge_prompt.txt",
        "max_prompt_tokens": 96,
        "max_completion_tokens": 32,
        "batch": 8,
        "micro_batch": 4,
        "steps": 6,
        "save_every": 2,
        "limit": 64,
        "learning_rate": 1e-3,
    }
    return train_config([str(folder / "train.jsonl")], out=out, **settings | given)


class Interrupting(io.StringIO):
    """A terminal at which someone presses Ctrl-C when a text appears."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self._when = when

    def write(self, text: str) -> int:
        if self._when in text:
            raise KeyboardInterrupt
        return super().write(text)


def train(config: TrainConfig, file: io.StringIO | None = None) -> str:
    """Train as `ralign train` does; gives what it said."""
    file = file or io.StringIO()
    run_training(JudgeTask.load(config), _training_engine, _no_local_model, Console(file=file, width=200))
    return file.getvalue()


def _no_local_model(name: str) -> ChatModel:
    raise AssertionError(f"{name} is asked for, and these runs ask no local model")
