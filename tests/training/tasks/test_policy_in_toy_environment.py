"""The paper's fourth claim in small, through `ralign policy`: right for the right reasons trains better."""

from pathlib import Path

import pytest
from rich.console import Console
from tests.training.configs import policy_config
from tests.training.toy_policy import (
    BUDGET,
    JUDGE_PROMPT,
    LabChat,
    judges,
    quality,
    save_start,
    smaller,
    write_prompts,
)

from ralign.lab.config import preset_path, read_recipe
from ralign.training.engines.trl.engine import train
from ralign.training.run import run_training
from ralign.training.tasks.policy import PolicyTask

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_a_policy_trained_against_r_align_ends_better_than_one_against_outcome_only(tmp_path: Path) -> None:
    """TRL's trainer, the run directory and the judge prompt of a user; the judges are the lab's, trained there.

    True quality is exact. The lab's own policies differ by 0.3 over its seeds (docs/lab_results.md); 0.1 is asserted.
    """
    made = judges(smaller(read_recipe(preset_path("graded"))), tmp_path / "lab")
    save_start(tmp_path / "start", made.world)
    write_prompts(tmp_path / "prompts.jsonl", made.world, count=48 * 60)
    (tmp_path / "judge_prompt.txt").write_text(JUDGE_PROMPT)
    models = {"outcome": made.outcome, "ralign": made.ralign}
    worth = {"start": quality(tmp_path / "start", made.world)}
    for name in models:
        config = policy_config(
            [str(tmp_path / "prompts.jsonl")],
            model=str(tmp_path / "start"),
            judge=name,
            judge_prompt=tmp_path / "judge_prompt.txt",
            out=tmp_path / name,
            length_penalty="none",
            batch=48,
            micro_batch=384,
            group_size=8,
            steps=60,
            learning_rate=1e-3,
            max_prompt_tokens=32,
            max_completion_tokens=BUDGET + 1,
            save_every=1000,
        )
        task = PolicyTask.load(config)
        result = run_training(task, lambda engine: train, lambda name: LabChat(name, models[name]), Console())
        assert result.model is not None
        worth[name] = quality(result.model, made.world)
    print(worth)
    assert worth["ralign"] > worth["start"] + 0.1
    assert worth["ralign"] > worth["outcome"] + 0.1
