"""An endpoint's connections, keys and slots, against the real test server on loopback."""

import asyncio
import gc
import logging
import traceback

import pytest

from ralign.errors import CallFailed, EndpointRefused, InputError
from ralign.models import Reply
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer


def always(fault: Fault):
    return lambda *_: fault


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_every_way_to_write_the_address_works(messages, sampling, suffix):
    async with ChatServer() as server, Endpoint(server.url.removesuffix("/v1") + suffix) as endpoint:
        reply = await EndpointModel(endpoint, "m").reply(messages, sampling)
    assert "boxed" in reply.text


async def test_no_more_calls_are_in_flight_than_the_endpoint_allows_whatever_the_model(messages, sampling):
    async with ChatServer(latency=0.02) as server, Endpoint(server.url, concurrency=5) as endpoint:
        models = [EndpointModel(endpoint, name) for name in ("judge", "meta-judge")]
        await asyncio.gather(
            *(model.reply(messages, sampling, seed=n) for n in range(20) for model in models)
        )
    assert server.most_in_flight == 5


async def test_a_redirect_is_not_followed(messages, sampling):
    """The key would follow it, and a POST would arrive as a GET."""

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 Moved\r\nLocation: https://other.example/v1\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(redirect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Endpoint(f"http://127.0.0.1:{port}") as endpoint:
            with pytest.raises(
                EndpointRefused, match=r"it has moved to https://other.example/v1; check the address"
            ):
                await EndpointModel(endpoint, "m").reply(messages, sampling)


@pytest.mark.parametrize("padding", [0, 290])
async def test_the_key_appears_nowhere(messages, sampling, quick, key, caplog, capsys, padding):
    """Also where the server repeats it, and where a cut message would end within it."""
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    plans = {
        "auth": None,
        "text": Fault(kind="text", status=400, message="x" * padding + f"you sent: Bearer {key}"),
        "status": Fault(kind="status", status=500, message="x" * padding + f"you sent: Bearer {key}"),
        "html": Fault(kind="html", message=f"you sent: Bearer {key}"),
        "error_body": Fault(kind="error_body", status=401, message=f"you sent: Bearer {key}"),
    }
    for fault in plans.values():
        server = ChatServer(key=None if fault else "another", faults=None if fault is None else always(fault))
        async with server, Endpoint(f"{server.url}", retry=quick) as endpoint:
            model = EndpointModel(endpoint, "m")
            seen += [repr(endpoint), repr(model), str(vars(model))]
            with pytest.raises((CallFailed, EndpointRefused)) as raised:
                await model.reply(messages, sampling)
            seen += traceback.format_exception(raised.value)
            error: BaseException | None = raised.value
            while error is not None:
                seen += [repr(error), str(vars(error))]
                error = error.__context__
        assert server.requests[0].body.find(key.encode()) == -1
    captured = capsys.readouterr()
    everything = "\n".join([*seen, caplog.text, captured.out, captured.err])
    assert key not in everything
    assert key[:8] not in everything
    assert "[key]" in everything


async def test_the_addresss_query_is_sent_and_never_shown(messages, sampling):
    async with (
        ChatServer(faults=always(Fault(kind="status", status=404))) as server,
        Endpoint(f"{server.url}?code=geheim") as endpoint,
    ):
        with pytest.raises(EndpointRefused) as raised:
            await EndpointModel(endpoint, "m").reply(messages, sampling)
    assert "geheim" not in str(raised.value) + repr(endpoint)


async def test_a_cancelled_call_leaves_nothing_behind(messages, sampling):
    """Ctrl-C: no task, no open connection, no warning (warnings are errors here)."""
    async with ChatServer(latency=5) as server:
        before = asyncio.all_tasks()
        async with Endpoint(server.url, concurrency=4) as endpoint:
            model = EndpointModel(endpoint, "m")
            calls = [asyncio.create_task(model.reply(messages, sampling)) for _ in range(8)]
            while server.arrived < 4:  # noqa: ASYNC110  (the server has no event for it)
                await asyncio.sleep(0.01)
            for call in calls:
                call.cancel()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
            assert endpoint.slots._value == 4
        while server.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert {task for task in asyncio.all_tasks() - before if not task.done()} - _serving() == set()
    gc.collect()


def _serving() -> set[asyncio.Task[object]]:
    """The server's own tasks, one a connection."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" in repr(task.get_coro())}


async def test_an_endpoint_may_be_used_again_after_it_was_closed(messages, sampling):
    async with ChatServer() as server:
        endpoint = Endpoint(server.url)
        for _ in range(2):
            async with endpoint:
                assert isinstance(await EndpointModel(endpoint, "m").reply(messages, sampling), Reply)
        with pytest.raises(RuntimeError, match="outside its `async with`"):
            await EndpointModel(endpoint, "m").reply(messages, sampling)


def test_no_concurrency_is_refused():
    with pytest.raises(InputError, match="concurrency is 0"):
        Endpoint("http://host", concurrency=0)
