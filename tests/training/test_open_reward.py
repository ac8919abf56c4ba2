import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console
from tests.training.test_config import config
from tests.training.test_examples import pair

from ralign.errors import EndpointRefused
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.rewards.judge import HybridReward, PointsReward
from ralign.training.command import TrainingRun
from ralign.training.completions import Completion
from ralign.training.examples import TrainingData
from ralign.training.open_reward import greet_meta_judge, open_reward, reward_rule

DATA = TrainingData(examples=(), left_out=(), bad_rows=(), pairs=0, digest="")


def run(**given) -> TrainingRun:
    return TrainingRun(
        config=dataclasses.replace(config(), out=Path("out"), **given),
        data=DATA,
        meta_prompt=Prompt.load(None, META_PROMPT),
        digest="",
        main=True,
        console=Console(file=io.StringIO(), width=200),
        local_model=lambda name: pytest.fail(f"{name} is not to be loaded"),
    )


async def test_the_reward_asks_the_meta_judge_that_the_config_names() -> None:
    async with ChatServer(answer=lambda request: "VERDICT: Correct", models=["strong"]) as server:
        asked = run(meta_judge="strong", meta_judge_url=server.url)
        async with open_reward(asked, processes=2) as reward:
            batch = await reward.score(
                [
                    Completion(pair=pair("rice"), text=f"{reason} \\boxed{{{verdict}}}", finish_reason="stop")
                    for reason, verdict in (("Salt.", "A"), ("Taste.", "B"))
                ]
            )
    assert batch.rewards == [1.0, 0.0]
    assert len(server.requests) == 1  # the wrong verdict earns nothing whatever its reason


async def test_the_outcome_reward_opens_no_connection() -> None:
    outcome = dataclasses.replace(run(), config=config(reward="outcome"), meta_prompt=None)
    async with open_reward(outcome, processes=1) as reward:
        batch = await reward.score(
            [Completion(pair=pair("rice"), text="Salt. \\boxed{A}", finish_reason="stop")]
        )
    assert batch.rewards == [1.0]


@pytest.mark.parametrize(
    ("given", "formula"),
    [
        ({"reward": "hybrid"}, HybridReward(weight=0.5)),
        ({"reward": "hybrid", "reward_weight": 0.2}, HybridReward(weight=0.2)),
        ({"reward": "points", "reward_weight": 2.0}, PointsReward(weight=2.0)),
    ],
)
def test_a_weight_reaches_the_rewards_formula(given, formula) -> None:
    assert reward_rule(config(meta_judge="m", **given)).formula == formula


async def test_a_meta_judge_that_does_not_exist_is_known_before_training_starts() -> None:
    async with ChatServer(models=["strong"]) as server:
        with pytest.raises(EndpointRefused, match="does not exist"):
            await greet_meta_judge(run(meta_judge="storng", meta_judge_url=server.url))


async def test_a_first_question_that_fails_is_said_and_does_not_stop_training() -> None:
    async with ChatServer(faults=lambda number, body: Fault(kind="hang")) as server:
        slow = run(meta_judge_url=server.url, deadline=0.3, try_timeout=0.2)
        await greet_meta_judge(slow)
    assert "did not answer a first question" in slow.console.file.getvalue()
