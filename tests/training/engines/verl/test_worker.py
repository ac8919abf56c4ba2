import asyncio
import gc
import logging
import sys

import pytest
from tests.training.engines.verl.pieces import ALIGNED, as_verl_calls, meta_answer

from ralign.errors import InputError
from ralign.models.testing.server import ChatServer
from ralign.rewards.judge import HybridReward
from ralign.training.engines.verl.worker import RewardSettings, open_worker
from ralign.training.reward.judge_reward import reward_rule


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"reward": "praise"}, "reward is 'praise', expected one of outcome, ralign, hybrid, points"),
        ({"reward": "ralign", "reward_weight": 0.5}, "--reward-weight is for hybrid and points"),
    ],
)
def test_a_reward_that_there_is_not_is_named(fields, complaint):
    with pytest.raises(InputError, match=complaint):
        reward_rule(RewardSettings.of(fields).reward)


def test_a_weight_reaches_the_formula():
    settings = RewardSettings.of({"reward": "hybrid", "reward_weight": 0.25})
    assert reward_rule(settings.reward).formula == HybridReward(weight=0.25)


def test_settings_come_back_as_they_were_sent():
    sent = RewardSettings.of(
        {"meta_judge": "m", "meta_prompt": "/shared/prompt.txt", "deadline": 9.0, "seed": 4}
    )
    assert RewardSettings.of(sent.kwargs()) == sent
    assert isinstance(sent.kwargs()["meta_prompt"], str)
    with pytest.raises(TypeError, match="metajudge"):
        RewardSettings.of({"metajudge": "m"})


@pytest.mark.parametrize("fields", [{}, {"meta_judge": "m"}, {"meta_judge_url": "http://127.0.0.1:1"}])
async def test_a_reward_that_asks_needs_someone_to_ask(fields):
    with pytest.raises(
        InputError, match=r"needs meta_judge and meta_judge_url|--meta-judge-url needs --meta-judge"
    ):
        async with open_worker(RewardSettings.of(fields), None):
            pass


async def test_a_python_function_that_every_node_can_import_needs_no_address(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "gold_rules.py").write_text(
        "def aligned(pair, judgment): return 'gold' in judgment.rationale"
    )
    scores = [
        await as_verl_calls(f"{why} \\boxed{{A}}", {"meta_judge": "python:gold_rules:aligned"})
        for why in ("As gold says.", "It is longer.")
    ]
    assert [score["score"] for score in scores] == [1.0, 0.0]
    assert [score["judge_ok"] for score in scores] == [1.0, 1.0]


def test_a_workers_connections_close_with_its_loop(caplog):
    """Nobody tells a worker of verl's that its end has come."""

    async def score() -> float:
        async with ChatServer(answer=meta_answer) as server:
            return (await as_verl_calls(ALIGNED, {"meta_judge": "test", "meta_judge_url": server.url}))[
                "score"
            ]

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(score()) == 1.0
        gc.collect()
    assert "Unclosed" not in caplog.text
