import sys
from pathlib import Path

import pytest
from tests.training.configs import train_config
from tests.training.test_examples import pair

from ralign.files import write_pairs
from ralign.models import ChatModel
from ralign.models.testing.server import ChatServer
from ralign.rewards.judge import HybridReward, PointsReward
from ralign.training.reward.judge_reward import reward_rule
from ralign.training.reward.scored import Completion
from ralign.training.tasks.judge import JudgeTask


def no_local_model(name: str) -> ChatModel:
    raise AssertionError(f"{name} is not to be loaded")


def task(folder: Path, **given) -> JudgeTask:
    write_pairs(folder / "pairs.jsonl", [pair("rice")])
    return JudgeTask.load(train_config([str(folder / "pairs.jsonl")], **given))


def completions(*said: tuple[str, str]) -> list[Completion]:
    return [
        Completion(pair=pair("rice"), text=f"{reason} \\boxed{{{verdict}}}", finish_reason="stop")
        for reason, verdict in said
    ]


async def test_the_reward_asks_the_meta_judge_that_the_config_names(tmp_path) -> None:
    async with ChatServer(answer=lambda request: "VERDICT: Correct", models=["strong"]) as server:
        asked = task(tmp_path, meta_judge="strong", meta_judge_url=server.url)
        async with asked.open_reward(no_local_model, processes=2, log=print) as reward:
            batch = await reward.score(completions(("Salt.", "A"), ("Taste.", "B")))
    assert batch.rewards == [1.0, 0.0]
    assert len(server.requests) == 1  # the wrong verdict earns nothing whatever its reason


async def test_the_outcome_reward_opens_no_connection(tmp_path) -> None:
    asked = task(tmp_path, reward="outcome")
    async with asked.open_reward(no_local_model, processes=1, log=print) as reward:
        assert (await reward.score(completions(("Salt.", "A")))).rewards == [1.0]


@pytest.mark.parametrize(
    ("given", "formula"),
    [
        ({"reward": "hybrid"}, HybridReward(weight=0.5)),
        ({"reward": "hybrid", "reward_weight": 0.2}, HybridReward(weight=0.2)),
        ({"reward": "points", "reward_weight": 2.0}, PointsReward(weight=2.0)),
    ],
)
def test_a_weight_reaches_the_rewards_formula(given, formula) -> None:
    assert reward_rule(train_config(meta_judge="m", **given).reward).formula == formula


async def test_a_python_function_rewards_without_a_server(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "salt_rules.py").write_text(
        'def aligned(pair, judgment): return "Salt" in judgment.rationale'
    )
    asked = task(tmp_path, meta_judge="python:salt_rules:aligned")
    async with asked.open_reward(no_local_model, processes=1, log=print) as reward:
        batch = await reward.score(completions(("Salt.", "A"), ("Taste.", "A"), ("Salt.", "B")))
    assert batch.rewards == [1.0, 0.0, 0.0]
