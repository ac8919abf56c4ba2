"""OpenAI's own client library: it talks to the shipped server, and sends what we send."""

import orjson
import pytest
from tests.models.raw_server import Server, sent

from ralign.models import Sampling
from ralign.models.batch_endpoint import read_line, request_line
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.records import Message

openai = pytest.importorskip("openai", reason="needs the package openai")

TEXT = "Which answer is better, A or B?"
ASKED = {"role": "user", "content": TEXT}
SAMPLED = {"temperature": 0.4, "max_tokens": 100, "seed": 7}


async def ask_as_we_do(url: str, **options: object) -> None:
    async with Endpoint(url, **options) as endpoint:
        sampling = Sampling(temperature=0.4, max_tokens=100)
        await EndpointModel(endpoint, "judge").reply([Message(role="user", content=TEXT)], sampling, seed=7)


async def test_the_shipped_server_is_read_by_it(key):
    async with (
        ChatServer(key=key, models=["judge"]) as server,
        openai.AsyncOpenAI(base_url=server.url, api_key=key) as client,
    ):
        completion = await client.chat.completions.create(model="judge", messages=[ASKED], **SAMPLED)
        names = [model.id async for model in client.models.list()]
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await client.chat.completions.create(model="jugde", messages=[ASKED])
    (choice,) = completion.choices
    assert "\\boxed{" in choice.message.content
    assert (choice.finish_reason, names) == ("stop", ["judge"])
    assert (
        completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind="status", status=401), "AuthenticationError"),
        (Fault(kind="status", status=429), "RateLimitError"),
        (Fault(kind="status", status=500), "InternalServerError"),
        (Fault(kind="reset"), "APIConnectionError"),
    ],
)
async def test_the_shipped_servers_faults_are_what_it_takes_them_for(fault, error):
    async with (
        ChatServer(faults=lambda *_: fault) as server,
        openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client,
    ):
        with pytest.raises(getattr(openai, error)):
            await client.chat.completions.create(model="judge", messages=[ASKED])


async def test_we_send_what_it_sends(key):
    async with ChatServer(key=key) as server:
        async with openai.AsyncOpenAI(base_url=server.url, api_key=key) as client:
            await client.chat.completions.create(model="judge", messages=[ASKED], stream=False, **SAMPLED)
        await ask_as_we_do(server.url)
    theirs, ours = (request.fields for request in server.requests)
    assert ours == theirs


async def test_we_ask_a_deployment_of_azures_where_it_asks():
    answer = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}]
    }
    async with Server(lambda *_: sent(answer)) as server:
        async with openai.AsyncAzureOpenAI(
            azure_endpoint=server.url, azure_deployment="judge", api_version="2024-10-21", api_key="abc"
        ) as client:
            await client.chat.completions.create(model="judge", messages=[ASKED])
        await ask_as_we_do(
            f"{server.url}/openai/deployments/judge?api-version=2024-10-21", headers={"api-key": "abc"}
        )
    theirs, ours = server.paths
    assert ours == theirs
    assert [headers["api-key"] for headers in server.headers] == ["abc", "abc"]


async def test_its_batches_are_those_of_the_shipped_server(key):
    line = request_line("judge-1", orjson.dumps({"model": "judge", "messages": [ASKED]}))
    async with (
        ChatServer(key=key, answer=lambda request: request.prompt.upper()) as server,
        openai.AsyncOpenAI(base_url=server.url, api_key=key, max_retries=0) as client,
    ):
        file = await client.files.create(file=("requests.jsonl", line), purpose="batch")
        order = {
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"ralign": "judge 1"},
        }
        made = await client.batches.create(input_file_id=file.id, **order)
        batch = await client.batches.retrieve(made.id)
        listed = [one.id async for one in client.batches.list(limit=1)]
        content = await client.files.content(batch.output_file_id)
    assert (batch.status, batch.request_counts.completed, batch.error_file_id) == ("completed", 1, None)
    assert (listed, batch.metadata) == ([made.id], {"ralign": "judge 1"})
    # What it downloads, our own reader reads.
    assert read_line(content.content).text == TEXT.upper()
