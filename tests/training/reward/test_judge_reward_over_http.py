"""The reward loop and the endpoint client together: what the one takes for an outage is what the other reports."""

import asyncio

import pytest
from tests.training.reward_pieces import Hours, right

from ralign.errors import EndpointRefused
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge
from ralign.models import RetryPolicy, Sampling
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.testing.faults import Fault, every_fault
from ralign.models.testing.server import ChatServer
from ralign.training.reward.circuit_breaker import Limits
from ralign.training.reward.judge_reward import GenRMReward
from ralign.training.reward.outage import OutagePlan


def say(request):
    return f"VERDICT: {'Correct' if 'tide' in request.prompt else 'Incorrect'}"


def reward_with(endpoint, **options):
    meta_judge = ChatMetaJudge(
        model=EndpointModel(endpoint, "meta"),
        prompt=Prompt("{gold_rationale} {rationale}", META_PROMPT),
        sampling=Sampling(),
    )
    return GenRMReward("ralign", meta_judge, **options)


async def test_a_server_that_goes_away_and_comes_back_is_waited_for():
    hours, servers = Hours(), [ChatServer(answer=say)]
    await servers[0].__aenter__()
    port = int(servers[0].url.split(":")[2].removesuffix("/v1"))

    def come_back():
        if len(hours.slept) == 2:
            servers.append(ChatServer(answer=say, port=port))
            starting.append(asyncio.ensure_future(servers[-1].__aenter__()))

    starting = []
    hours.on_sleep = come_back
    retry = RetryPolicy(deadline=0.8, first_wait=0.01, longest_wait=0.05)
    async with Endpoint(servers[0].url, retry=retry) as endpoint:
        reward = reward_with(endpoint, clock=hours, sleep=hours.sleep, log=lambda line: None)
        assert (await reward.score([right("first tide")])).rewards == [1.0]
        await servers[0].__aexit__(None, None, None)
        batch = await reward.score([right(f"tide {n}") for n in range(40)])
    await starting[0]
    await servers[1].__aexit__(None, None, None)
    assert batch.rewards == [1.0] * 40
    assert batch.metrics["paused_seconds"] == sum(hours.slept)
    assert len(hours.slept) in (2, 3)  # the third where the server was not up yet when it was probed


async def test_twenty_failures_in_a_row_which_end_a_benchmark_only_make_training_wait():
    hours, up = Hours(), []
    faults = lambda number, body: None if up else Fault(kind="status")  # noqa: E731
    hours.on_sleep = lambda: up.append(True)
    retry = RetryPolicy(max_tries=1, failures_in_a_row=2)
    async with (
        ChatServer(answer=say, faults=faults) as server,
        Endpoint(server.url, retry=retry) as endpoint,
    ):
        reward = reward_with(endpoint, clock=hours, sleep=hours.sleep, log=lambda line: None)
        batch = await reward.score([right(f"tide {n}") for n in range(40)])
    assert batch.rewards == [1.0] * 40
    assert hours.slept == [5]


async def test_every_fault_there_is_leaves_the_rest_scored_and_no_reward_wrong():
    faults = every_fault(0.3, hang=30.0, seed=5)
    retry = RetryPolicy(max_tries=1, deadline=5, try_timeout=1, failures_in_a_row=100)
    plan = OutagePlan(policy="stop", limits=Limits(window=50, minimum=50))
    async with (
        ChatServer(answer=say, faults=faults) as server,
        Endpoint(server.url, retry=retry) as endpoint,
    ):
        batch = await reward_with(endpoint, outage=plan).score([right(f"tide {n}") for n in range(200)])
    assert set(batch.rewards) == {1.0, None}
    assert 0.1 < batch.metrics["not_scored"] < 0.4
    assert batch.metrics["not_scored"] == batch.metrics["meta_failed"]


async def test_an_address_that_never_answered_is_a_mistake_and_not_an_outage():
    async with ChatServer() as server:
        gone = server.url
    retry = RetryPolicy(unreachable_after=0.05, first_wait=0.01)
    async with Endpoint(gone, retry=retry) as endpoint:
        with pytest.raises(EndpointRefused, match="is the server up, and the address right"):
            await reward_with(endpoint).score([right()])
