"""A model's weights on disk, so that a finished stage is not done twice."""

from pathlib import Path

import torch
from torch import Generator

from ralign.lab.config import ModelConfig
from ralign.lab.model import GPT


def save(model: GPT, path: Path) -> None:
    """Write the weights; a file is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(model.state_dict(), partial)
    partial.replace(path)


def load(path: Path, config: ModelConfig) -> GPT:
    """Read the weights that `save` wrote for a model of this size."""
    model = GPT(config, Generator())
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def copy(model: GPT, config: ModelConfig) -> GPT:
    """A model with the same weights, to be trained on."""
    twin = GPT(config, Generator())
    twin.load_state_dict(model.state_dict())
    return twin
