from pathlib import Path

import pytest

from ralign import lab
from ralign.errors import InputError
from ralign.lab.config import read_recipe

RECIPES = sorted((Path(lab.__file__).parent / "presets").glob("*.toml"))
SMALLEST = """
[lab]
showy = [0.9, 0.9, 0.9, 0.9]
[[lab.phases]]
steps = 1
showy = [0.5, 0.5, 0.5, 0.5]
critics = { substantive = [1, 1, 1, 1] }
"""


def read(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_text(text)
    return read_recipe(path)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_read_and_starts_with_the_untrained_judge(path):
    config = read_recipe(path)
    assert config.arms[0].reward == "none"
    assert len(config.seeds) >= 5


def test_a_recipe_may_leave_out_all_that_has_a_default(tmp_path):
    config = read(tmp_path, SMALLEST)
    assert config.phases[0].critics.verdict_noise == 0.0
    assert config.judge_rl.group_size == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SMALLEST.replace("showy = [0.9", "shiny = 1\nshowy = [0.9"), r"own.toml: shiny: Unexpected"),
        (SMALLEST.replace("steps = 1", "steps = 1\nsteeps = 2"), r"phases.0.steeps: Unexpected"),
        (SMALLEST.replace("steps = 1", "steps = 'many'"), r"phases.0.steps: "),
        (SMALLEST.replace("[1, 1, 1, 1]", "[1, 1, 1]"), r"phases.0.critics.substantive"),
        (SMALLEST.replace("lab", "bench"), r"no table \[lab\]"),
        ("[lab", r"not TOML"),
    ],
)
def test_a_mistake_in_a_recipe_is_named_with_its_place(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(InputError, match="no such recipe"):
        read_recipe(tmp_path / "none.toml")
