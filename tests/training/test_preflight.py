from pathlib import Path
from typing import Any

import pytest
from tests.serving.judges import WordJudge, service
from tests.training.configs import policy_config, train_config
from tests.training.gardens import write_prompts
from tests.training.test_examples import pair

from ralign.errors import EndpointRefused
from ralign.files import write_pairs
from ralign.models import ChatModel
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.training.preflight import preflight
from ralign.training.tasks.judge import JudgeTask
from ralign.training.tasks.policy import PolicyTask
from ralign.training.tasks.task import Task


def no_local_model(name: str) -> ChatModel:
    raise AssertionError("a local judge is not asked")


async def checked(task: Task) -> str:
    said: list[str] = []
    await preflight(task, no_local_model, said.append)
    return "".join(said)


@pytest.fixture
def ask(tmp_path: Path):
    """Runs the preflight of a policy's or a judge's training."""
    prompts = write_prompts(tmp_path / "prompts.jsonl")
    write_pairs(tmp_path / "pairs.jsonl", [pair("rice")])

    async def policy_or_judge(**given: Any) -> str:
        if "meta_judge" in given:
            return await checked(JudgeTask.load(train_config([str(tmp_path / "pairs.jsonl")], **given)))
        return await checked(PolicyTask.load(policy_config([str(prompts)], **given)))

    return policy_or_judge


async def test_a_wrong_key_is_known_before_anything_is_loaded(ask) -> None:
    async with ChatServer(key="another") as server:
        with pytest.raises(EndpointRefused, match="401"):
            await ask(judge="j", judge_url=server.url)


async def test_a_judge_that_cannot_answer_now_is_no_reason_not_to_begin(ask) -> None:
    async with ChatServer(faults=lambda number, body: Fault(kind="status", status=503)) as server:
        said = await ask(judge="j", judge_url=server.url, deadline=0.3, try_timeout=0.3)
    assert "the judge did not answer a first question" in said


async def test_a_judge_that_answers_and_a_local_one_say_nothing(ask) -> None:
    async with ChatServer() as server:
        assert await ask(judge="j", judge_url=server.url) == ""
        assert server.arrived == 1
    assert await ask(judge="path/to/judge") == ""


async def test_a_service_that_is_not_there_is_named(ask) -> None:
    async with service(WordJudge(), token="s3cret") as url:
        assert await ask(reward_url=url) == ""  # its health needs no token
    with pytest.raises(EndpointRefused, match="is that where `ralign serve` listens"):
        await ask(reward_url=url)
    async with ChatServer() as server:
        with pytest.raises(EndpointRefused, match=r"/health: answers 404"):
            await ask(reward_url=server.url)


async def test_a_meta_judge_that_does_not_exist_is_known_before_training_starts(ask) -> None:
    async with ChatServer(models=["strong"]) as server:
        with pytest.raises(EndpointRefused, match="does not exist"):
            await ask(meta_judge="storng", meta_judge_url=server.url)
        assert await ask(meta_judge="strong", meta_judge_url=server.url) == ""
        assert server.arrived == 2


async def test_a_meta_judge_that_hangs_is_said_and_does_not_stop_training(ask) -> None:
    async with ChatServer(faults=lambda number, body: Fault(kind="hang")) as server:
        said = await ask(meta_judge="m", meta_judge_url=server.url, deadline=0.3, try_timeout=0.2)
    assert "the meta-judge did not answer a first question" in said


async def test_a_key_that_is_missing_is_named(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with ChatServer(key="sesame") as server:
        with pytest.raises(EndpointRefused, match="set OPENAI_API_KEY"):
            await ask(meta_judge="m", meta_judge_url=server.url)
