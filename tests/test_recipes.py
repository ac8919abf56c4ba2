"""Every file in recipes/ is what its command takes, and the line at its top starts it."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from cyclopts.config import Dict as RecipeTable

from ralign.cli import _read_recipe, _take_recipe, app
from ralign.training.config import TrainConfig

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
_STARTS = re.compile(r"#\s+(?:accelerate launch .*? -m )?ralign (?P<arguments>\w+ .*)")


def parsed(line: str, monkeypatch: pytest.MonkeyPatch):
    """The config that `ralign ...` would run with; nothing is run."""
    recipe, arguments = _take_recipe(shlex.split(line))
    assert recipe is not None, line
    table = _read_recipe(ROOT / recipe, arguments[0])
    monkeypatch.setattr(app, "config", (RecipeTable(table, source=str(recipe), use_commands_as_keys=False),))
    _, bound, _ = app.parse_args(arguments)
    return bound.args[0] if bound.args else next(iter(bound.kwargs.values()))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_names_the_lines_that_start_it_and_they_parse(recipe: Path, monkeypatch) -> None:
    head = recipe.read_text().partition("\n[")[0]
    lines = [match["arguments"] for match in _STARTS.finditer(head)]
    assert lines, "no line at the top of the recipe starts it"
    for line in lines:
        assert f"--recipe recipes/{recipe.name}" in line
        assert parsed(line, monkeypatch) is not None


@pytest.mark.parametrize("size", ["8b", "14b"])
def test_outcome_and_ralign_differ_in_nothing_but_the_reward(size: str) -> None:
    tables = [
        tomllib.loads((ROOT / f"recipes/genrm_qwen3_{size}_{reward}.toml").read_text())["train"]
        for reward in ("outcome", "ralign")
    ]
    different = {key for key in tables[0] | tables[1] if tables[0].get(key) != tables[1].get(key)}
    meta_judge = {"meta_judge", "meta_judge_url", "meta_temperature", "meta_max_tokens"}
    assert different == {"out", "reward", "concurrency", "deadline", "on_outage"} | meta_judge


def test_a_recipe_gives_the_config_that_it_says(monkeypatch) -> None:
    config = parsed("train --recipe recipes/genrm_qwen3_14b_ralign.toml --seed 3", monkeypatch)
    assert isinstance(config, TrainConfig)
    assert (config.training.model, config.reward.reward, config.training.seed) == (
        "Qwen/Qwen3-14B",
        "ralign",
        3,
    )
    assert config.training.sequences_a_step("rl") == 1024
    assert len(config.pairs) == 4
