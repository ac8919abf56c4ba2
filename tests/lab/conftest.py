"""Every shape in an annotation of the lab is checked while its tests run."""

import warnings

import pytest
from jaxtyping import install_import_hook

with install_import_hook("ralign.lab", "beartype.beartype"), warnings.catch_warnings():
    from ralign.lab.config import ModelConfig
    from ralign.lab.model import GPT
    from ralign.lab.world import World

import torch
from torch import Generator


@pytest.fixture
def generator() -> Generator:
    return Generator().manual_seed(0)


@pytest.fixture
def world(generator: Generator) -> World:
    return World.draw(generator)


@pytest.fixture
def model(generator: Generator) -> GPT:
    """A small model with weights large enough that no two words are equally likely."""
    gpt = GPT(ModelConfig(width=16, layers=2, heads=2), generator)
    with torch.no_grad():
        for weight in gpt.parameters():
            weight.mul_(15)
    return gpt
