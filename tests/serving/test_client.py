"""The engines' side, called exactly as each engine calls it, against the running service."""

import asyncio
import logging
import socket

import numpy as np
import pytest
from tests.serving.judges import TURN, WordJudge, service

from ralign.errors import EndpointRefused, InputError
from ralign.serving.client import HttpReward, VerlScore, compute_score

ANSWERS = ["good", "bad", "left", "mute", "lost"]
REWARDS = [1.0, -1.0, 0.0, None, None]


async def as_trl_calls(reward: HttpReward, answers: list[str], *, conversational: bool, **columns: object):
    """`GRPOTrainer._calculate_rewards` of TRL 1.16, its async branch."""
    logged: dict[str, float] = {}
    prompts = [[TURN] if conversational else TURN["content"] for _ in answers]
    completions = [
        [{"role": "assistant", "content": answer}] if conversational else answer for answer in answers
    ]
    reward_kwargs = {
        "reference_answer": ["fair"] * len(answers),
        **columns,
        "trainer_state": object(),
        "log_extra": lambda column, values: None,
        "log_metric": logged.__setitem__,
    }
    completion_ids = [[1, 2, 3] for _ in answers]
    rewards = await reward(
        prompts=prompts, completions=completions, completion_ids=completion_ids, **reward_kwargs
    )
    return rewards, logged


@pytest.mark.parametrize("conversational", [False, True])
async def test_trl_gets_its_rewards_in_order(conversational: bool) -> None:
    """No verdict is None, which TRL leaves out of the group's baseline."""
    judge = WordJudge()
    async with service(judge) as url:
        rewards, logged = await as_trl_calls(
            HttpReward(url), ANSWERS, conversational=conversational, id=[1, 1, 1, 2, 2]
        )
    assert rewards == REWARDS
    assert logged == {"judge/unscored": 0.4, "judge/order_disagreement": 0.2}
    assert {name for name, _, _ in judge.asked} == {"1", "2"}
    assert judge.pairs[0].conversation[0].content == TURN["content"]


async def test_trl_logs_the_same_metrics_when_nothing_was_scored() -> None:
    reward = HttpReward(f"http://127.0.0.1:{closed_port()}", deadline=0.2)
    rewards, logged = await as_trl_calls(reward, ["good"], conversational=False)
    assert rewards == [None]
    assert logged == {"judge/unscored": 1.0, "judge/order_disagreement": 0.0}


async def test_trl_is_stopped_where_every_request_is_refused() -> None:
    async with service(WordJudge(), token="open-sesame") as url:
        with pytest.raises(EndpointRefused, match="answers 401: this service needs its token"):
            await as_trl_calls(HttpReward(url), ANSWERS, conversational=False)


async def test_the_token_is_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RALIGN_SERVE_TOKEN", "open-sesame")
    async with service(WordJudge(), token="open-sesame") as url:
        rewards, _ = await as_trl_calls(HttpReward(url), ANSWERS, conversational=False)
    assert rewards == REWARDS


async def test_a_dataset_without_reference_answers_is_named() -> None:
    reward = HttpReward("http://127.0.0.1:1", reference_column="reference")
    with pytest.raises(InputError, match="no column 'reference', found reference_answer"):
        await reward(prompts=["p"], completions=["c"], reference_answer=["r"])


async def test_a_full_queue_is_come_back_to() -> None:
    judge = WordJudge(latency=0.05)
    async with service(judge, queue=2) as url:
        rewards, _ = await as_trl_calls(HttpReward(url), ["good"] * 6, conversational=False)
    assert rewards == [1.0] * 6
    assert sum(judge.asked.values()) == 12, "a refused request has cost no call"


async def as_verl_calls(url: str, answer: str, *, extra_info: object = None, **more: object) -> VerlScore:
    """`NaiveRewardManager` of verl 0.9: keywords, `reward_kwargs` bound beforehand."""
    return await compute_score(
        data_source="arena",
        solution_str=answer,
        ground_truth="fair",
        extra_info=extra_info or {"id": 3, "messages": np.array([TURN], dtype=object), "num_turns": 2},
        reward_router_address=None,
        reward_model_tokenizer=None,
        **{"url": url, **more},
    )


async def test_verl_gets_the_same_keys_and_a_number_for_every_sample(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    async with service(WordJudge(), deadline=5.0) as url:
        samples = await asyncio.gather(*(as_verl_calls(url, answer) for answer in ANSWERS))
        samples.append(await as_verl_calls(url, "good", extra_info={"id": 1}))
        samples.append(await as_verl_calls(f"{url}/nowhere", "good"))
        samples.append(await as_verl_calls("no address", "good"))
        samples.append(await as_verl_calls(f"http://127.0.0.1:{closed_port()}", "good", deadline=0.2))
    assert [sample["score"] for sample in samples] == [1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert [sample["judge_ok"] for sample in samples] == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert [sample["order_disagreement"] for sample in samples] == [0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert {tuple(sample) for sample in samples} == {tuple(VerlScore.__annotations__)}
    assert all(isinstance(value, float) for sample in samples for value in sample.values())


async def test_a_policy_that_writes_half_a_surrogate_pair_gets_its_reward() -> None:
    async with service(WordJudge()) as url:
        rewards, _ = await as_trl_calls(HttpReward(url), ["good \ud800"], conversational=True)
        assert rewards == [1.0]
        assert (await as_verl_calls(url, "good \ud800"))["judge_ok"] == 1


async def test_what_is_not_our_service_is_said_so() -> None:
    async with service(WordJudge()) as url:
        with pytest.raises(EndpointRefused, match=r"answers 404"):
            await as_trl_calls(HttpReward(f"{url}/v1"), ["good"], conversational=False)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
