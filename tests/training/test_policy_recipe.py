"""The policy's recipe has what the paper gives as the paper gives it. That it parses: `tests/test_recipes.py`."""

import tomllib
from pathlib import Path

from tests.training.configs import policy_config

from ralign.rewards.stop_rules import StopRules

RECIPE = Path(__file__).parents[2] / "recipes/policy_qwen3_8b.toml"


def test_the_recipe_is_the_papers_setting() -> None:
    """METHOD.md, "RLHF of a policy with the GenRM"."""
    tables = tomllib.loads(RECIPE.read_text())
    table = tables["policy"]
    config = policy_config(table.pop("prompts"), **table | {"out": Path(table["out"])})
    assert config.training.model == "Qwen/Qwen3-8B"
    assert tables["answers"]["model"].endswith("Step3-VL-10B")
    assert config.against == "reference"
    assert config.answer_reward.length_penalty == "dynamic"
    assert config.training.sequences_a_step("rl") == 512
    StopRules.parse(config.stop_when)


def test_every_setting_of_the_policy_says_whose_it_is() -> None:
    """A reader must be able to tell the paper's numbers from ours."""
    text = RECIPE.read_text().partition("[policy]")[2].partition("# Lengths: all ours")[0]
    for line in text.splitlines():
        if " = " in line and not line.startswith(("#", "engine", "out", "stop_when")):
            assert "ours" in line or "paper" in line, line
