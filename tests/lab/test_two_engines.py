import json
from dataclasses import replace

import pytest
from tests.lab.test_run import tiny_config

from ralign.errors import ConfigMismatch, InputError
from ralign.lab import config as lab_config
from ralign.lab import judge_rl, trl_engine
from ralign.lab.command import default_out
from ralign.lab.options import LabOptions
from ralign.lab.run import prepare, run_arm, training_with


def test_an_engine_is_a_loop():
    assert training_with("ours") is judge_rl.train_judge
    assert training_with("trl") is trl_engine.train_judge


def test_the_flag_wins_over_the_recipe_and_no_flag_leaves_it():
    recipe = tiny_config().with_engine("trl")
    assert recipe.judge_rl.engine == "trl"
    assert recipe.with_engine(None) == recipe
    assert recipe.with_engine("ours") == tiny_config()


def test_an_engine_that_is_not_installed_is_the_users_to_install(monkeypatch):
    monkeypatch.setattr(lab_config, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'ralign\[lab,train\]'"):
        tiny_config().with_engine("trl")
    assert tiny_config().with_engine("ours") == tiny_config()


def test_runs_of_the_two_engines_do_not_share_a_directory(tmp_path):
    assert default_out(LabOptions(engine="trl")) != default_out(LabOptions())
    prepare(tiny_config(), tmp_path)
    with pytest.raises(ConfigMismatch, match="another judge_rl"):
        prepare(tiny_config().with_engine("trl"), tmp_path)


def test_a_judge_trained_by_trl_goes_on_to_benchmark_and_policy(tmp_path):
    config = replace(tiny_config().with_engine("trl"), arms=tiny_config().arms[1:2])
    prepare(config, tmp_path)
    result = run_arm(config, config.arms[0], tmp_path)
    assert result.splits["train"].label_accuracy is not None
    assert len(json.loads((tmp_path / "outcome-only" / "judge.json").read_text())["rewards"]) == 3
    assert (tmp_path / "outcome-only" / "policy-0.pt").exists()
