from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.serving.judges import WordJudge, service

from ralign.errors import EndpointRefused
from ralign.models import ChatModel
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.policy.config import PolicyConfig
from ralign.policy.greeting import greet


def no_local_model(name: str) -> ChatModel:
    raise AssertionError("a local judge is not greeted")


async def greeted(**given: Any) -> str:
    config = PolicyConfig(("p.jsonl",), model="m", out=Path("run"), **given)
    console = Console(file=StringIO(), width=200)
    await greet(config, no_local_model, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


async def test_a_wrong_key_is_known_before_anything_is_loaded() -> None:
    async with ChatServer(key="another") as server:
        with pytest.raises(EndpointRefused, match="401"):
            await greeted(judge="j", judge_url=server.url)


async def test_a_judge_that_cannot_answer_now_is_no_reason_not_to_begin() -> None:
    async with ChatServer(faults=lambda number, body: Fault(kind="status", status=503)) as server:
        said = await greeted(judge="j", judge_url=server.url, deadline=0.3, try_timeout=0.3)
    assert "the judge did not answer a first question" in said


async def test_a_judge_that_answers_and_a_local_one_say_nothing() -> None:
    async with ChatServer() as server:
        assert await greeted(judge="j", judge_url=server.url) == ""
        assert server.arrived == 1
    assert await greeted(judge="path/to/judge") == ""


async def test_a_service_that_is_not_there_is_named() -> None:
    async with service(WordJudge(), token="s3cret") as url:
        assert await greeted(reward_url=url) == ""  # its health needs no token
    with pytest.raises(EndpointRefused, match="is that where `ralign serve` listens"):
        await greeted(reward_url=url)
    async with ChatServer() as server:
        with pytest.raises(EndpointRefused, match=r"/health: answers 404"):
            await greeted(reward_url=server.url)
