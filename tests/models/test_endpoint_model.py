"""What becomes of a call, against the real test server on loopback: the table of `ralign.models.endpoint_model`."""

import asyncio
import re
import socket
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest

from ralign.errors import CallFailed, EndpointDown, EndpointRefused, InputError
from ralign.models import Reply, RetryPolicy, Sampling
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.model import Budget, Price
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.faults import Fault, every_fault
from ralign.models.testing.server import ChatServer
from ralign.records import Message, Usage


def first(count: int, fault: Fault):
    """A plan: the first requests meet the fault, all later ones are answered."""
    return lambda number, _: fault if number < count else None


def always(fault: Fault):
    return lambda *_: fault


async def test_a_request_carries_sampling_seed_and_the_users_own_fields(messages, sampling):
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    async with ChatServer() as server, Endpoint(server.url) as endpoint:
        reply = await EndpointModel(endpoint, "m", extra_body=extra).reply(messages, sampling, seed=3)
    assert server.requests[0].fields == {
        "model": "m",
        "messages": [{"role": "user", "content": messages[0].content}],
        "temperature": 0.4,
        "max_tokens": 100,
        "seed": 3,
        "stream": False,
        **extra,
    }
    assert reply.model == "test"
    assert reply.finish_reason == "stop"
    assert reply.usage.completion_tokens > 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=500),
        Fault(kind="status", status=502),
        Fault(kind="status", status=503),
        Fault(kind="status", status=408),
        Fault(kind="status", status=409),
        Fault(kind="status", status=429, retry_after="0.01"),
        Fault(kind="error_body", status=502),
        Fault(kind="error_body", status=429),
        Fault(kind="reset"),
        Fault(kind="hang"),
        Fault(kind="truncated"),
        Fault(kind="empty"),
        Fault(kind="no_choices"),
        Fault(kind="html"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_a_fault_on_the_way_is_tried_again_and_answered_once(messages, sampling, quick, fault):
    async with ChatServer(faults=first(2, fault)) as server, Endpoint(server.url, retry=quick) as endpoint:
        reply = await EndpointModel(endpoint, "m").reply(messages, sampling)
    assert "boxed" in reply.text
    assert (server.arrived, len(server.answered)) == (3, 1)


async def test_tries_that_go_wrong_on_the_way_are_counted(messages, sampling, quick):
    async with (
        ChatServer(faults=always(Fault(kind="status", status=500))) as server,
        Endpoint(server.url, retry=quick) as endpoint,
    ):
        with pytest.raises(
            CallFailed, match=r"500 Internal Server Error: a fault of the test server \(6 tries in"
        ):
            await EndpointModel(endpoint, "m").reply(messages, sampling)
    assert server.arrived == quick.max_tries == 6


async def test_a_busy_endpoint_is_waited_for_until_the_deadline(messages, sampling):
    retry = RetryPolicy(deadline=0.5, first_wait=0.01, longest_wait=0.02, max_tries=2)
    async with (
        ChatServer(faults=first(8, Fault(kind="status", status=503))) as server,
        Endpoint(server.url, retry=retry) as endpoint,
    ):
        assert "boxed" in (await EndpointModel(endpoint, "m").reply(messages, sampling)).text
    assert server.arrived == 9


@pytest.mark.parametrize("date", [False, True], ids=["seconds", "date"])
async def test_retry_after_is_honoured(messages, sampling, quick, date):
    # A date has whole seconds: two ahead are at least one.
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if date else "0.3"
    fault = Fault(kind="status", status=429, retry_after=value)
    async with ChatServer(faults=first(1, fault)) as server, Endpoint(server.url, retry=quick) as endpoint:
        await EndpointModel(endpoint, "m").reply(messages, sampling)
    one, two = (line.time for line in server.log if line.event == "arrived")
    assert two - one >= (0.7 if date else 0.3)


async def test_a_wait_beyond_the_deadline_is_not_begun(messages, sampling, quick):
    fault = Fault(kind="status", status=429, retry_after="3600")
    async with ChatServer(faults=always(fault)) as server, Endpoint(server.url, retry=quick) as endpoint:
        started = time.monotonic()
        with pytest.raises(CallFailed, match=r"429 Too Many Requests: .* \(1 try in"):
            await EndpointModel(endpoint, "m").reply(messages, sampling)
    assert time.monotonic() - started < 2
    assert server.arrived == 1


async def test_the_deadline_covers_every_try_and_every_wait(messages, sampling):
    retry = RetryPolicy(deadline=0.6, try_timeout=0.25, first_wait=0.01)
    async with (
        ChatServer(faults=always(Fault(kind="hang"))) as server,
        Endpoint(server.url, retry=retry) as e,
    ):
        started = time.monotonic()
        with pytest.raises(CallFailed, match="no answer in time"):
            await EndpointModel(e, "m").reply(messages, sampling)
        taken = time.monotonic() - started
    assert 0.45 < taken < 2
    assert server.arrived >= 2


async def test_waiting_for_a_slot_does_not_use_up_the_deadline(messages, sampling):
    """Thousands of calls at once are no reason for the last ones to fail."""
    retry = RetryPolicy(deadline=0.4)
    async with (
        ChatServer(latency=0.05) as server,
        Endpoint(server.url, retry=retry, concurrency=2) as endpoint,
    ):
        model = EndpointModel(endpoint, "m")
        replies = await asyncio.gather(*(model.reply(messages, sampling, seed=seed) for seed in range(24)))
    assert len(replies) == len(server.answered) == 24


async def test_a_wrong_key_takes_exactly_one_call(messages, sampling, key):
    async with ChatServer(key="another") as server, Endpoint(server.url) as endpoint:
        model = EndpointModel(endpoint, "m")
        with pytest.raises(EndpointRefused, match=r"401 Unauthorized.*check the key in OPENAI_API_KEY"):
            await model.reply(messages, sampling)
        with pytest.raises(EndpointRefused, match="401"):
            await model.reply(messages, sampling)
    assert server.arrived == 1


async def test_a_missing_key_is_named_by_its_variable(messages, sampling):
    async with ChatServer(key="another") as server, Endpoint(server.url) as endpoint:
        with pytest.raises(EndpointRefused, match="no key was sent: set OPENAI_API_KEY"):
            await EndpointModel(endpoint, "m").reply(messages, sampling)


async def test_a_wrong_model_and_a_wrong_address_are_named(messages, sampling):
    async with ChatServer(models=["judge"]) as server:
        async with Endpoint(server.url) as endpoint:
            with pytest.raises(EndpointRefused, match=r"'jugde' at http.*404 .*the model's name") as raised:
                await EndpointModel(endpoint, "jugde").reply(messages, sampling)
            assert "\n" not in str(raised.value)
        async with Endpoint(server.url.replace("/v1", "/api/v1")) as endpoint:
            with pytest.raises(
                EndpointRefused, match=r"/api/v1/chat/completions refuses: 404 .*check the address"
            ):
                await EndpointModel(endpoint, "judge").reply(messages, sampling)
    assert server.arrived == 1


@pytest.mark.parametrize("status", [402, 404])
async def test_an_endpoint_that_refuses_every_call_is_asked_once(messages, sampling, status):
    async with (
        ChatServer(faults=always(Fault(kind="status", status=status))) as server,
        Endpoint(server.url) as e,
    ):
        with pytest.raises(EndpointRefused, match=str(status)):
            await EndpointModel(e, "m").reply(messages, sampling)
    assert server.arrived == 1


@pytest.mark.parametrize("status", [400, 403, 422])
async def test_a_refused_request_fails_alone_where_others_are_answered(messages, sampling, status):
    """One prompt too long among 20,000 fails, with the server's words, and is not tried again."""
    fault = Fault(kind="text", status=status, message="the prompt\nis too long")
    async with (
        ChatServer(faults=lambda n, _: fault if n == 1 else None) as server,
        Endpoint(server.url) as endpoint,
    ):
        model = EndpointModel(endpoint, "m")
        await model.reply(messages, sampling)
        with pytest.raises(CallFailed, match=f"{status} [^:]*: the prompt is too long$"):
            await model.reply(messages, sampling)
        await model.reply(messages, sampling)
    assert server.arrived == 3


async def test_an_endpoint_that_has_only_ever_refused_stops_the_run(messages, sampling):
    fault = Fault(kind="text", status=400, message="no such option")
    async with ChatServer(faults=always(fault)) as server, Endpoint(server.url) as endpoint:
        model = EndpointModel(endpoint, "m")
        outcomes = await asyncio.gather(
            *(model.reply(messages, sampling) for _ in range(8)), return_exceptions=True
        )
    assert {type(outcome) for outcome in outcomes} == {EndpointRefused}
    assert "400 Bad Request: no such option" in str(outcomes[0])
    assert server.arrived == 8 + 2  # the trivial question is asked twice, not twice a call


async def test_a_first_prompt_too_long_does_not_stop_the_run(sampling):
    """So a run that lacks only that prompt can still end."""

    def too_long(_: int, body: bytes) -> Fault | None:
        return Fault(kind="text", status=400, message="too long") if len(body) > 1000 else None

    async with ChatServer(faults=too_long) as server, Endpoint(server.url) as endpoint:
        with pytest.raises(CallFailed, match="too long"):
            await EndpointModel(endpoint, "m").reply([Message(role="user", content="x" * 2000)], sampling)
    assert len(server.answered) == 1


async def test_trivial_questions_of_several_runs_are_told_apart(sampling):
    """A log that shows no answered call twice stays true."""
    fault = Fault(kind="text", status=400)
    async with (
        ChatServer(faults=lambda n, _: fault if n % 2 == 0 else None) as server,
        Endpoint(server.url) as e,
    ):
        for _ in range(2):
            with pytest.raises(CallFailed):
                await EndpointModel(e, "m").reply([Message(role="user", content="A?")], sampling)
    assert len(server.answered) == len(set(server.answered)) == 2


async def test_an_address_that_never_answered_stops_the_run_soon(messages, sampling, quick):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Endpoint(f"http://127.0.0.1:{port}", retry=quick) as endpoint:
        started = time.monotonic()
        with pytest.raises(
            EndpointRefused, match=rf"cannot reach http://127.0.0.1:{port}/v1.*is the server up"
        ):
            await EndpointModel(endpoint, "m").reply(messages, sampling)
    assert time.monotonic() - started < quick.deadline


async def test_a_server_that_comes_up_a_little_later_is_waited_for(messages, sampling, quick):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Endpoint(f"http://127.0.0.1:{port}", retry=quick) as endpoint:
        call = asyncio.create_task(EndpointModel(endpoint, "m").reply(messages, sampling))
        await asyncio.sleep(0.05)
        async with ChatServer(port=port):
            assert "boxed" in (await call).text


async def test_a_server_that_has_gone_fails_the_call_at_its_deadline(messages, sampling):
    retry = RetryPolicy(deadline=1.5, unreachable_after=0.05, first_wait=0.01, longest_wait=0.05)
    async with ChatServer() as server, Endpoint(server.url, retry=retry) as endpoint:
        model = EndpointModel(endpoint, "m")
        await model.reply(messages, sampling)
        await server.__aexit__(None, None, None)
        with pytest.raises(CallFailed, match="Cannot connect"):
            await model.reply(messages, sampling)


async def test_calls_that_fail_in_a_row_stop_the_run_until_one_is_answered(messages, sampling):
    retry = RetryPolicy(max_tries=1, failures_in_a_row=3)
    down = Fault(kind="status", status=500)
    async with (
        ChatServer(faults=lambda n, _: None if n in (2, 6) else down) as server,
        Endpoint(server.url, retry=retry) as endpoint,
    ):
        model = EndpointModel(endpoint, "m")
        outcomes = []
        for _ in range(9):
            outcomes += await asyncio.gather(model.reply(messages, sampling), return_exceptions=True)
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert kinds == [
        *["CallFailed"] * 2,
        "Reply",
        *["CallFailed"] * 2,
        "EndpointDown",
        "Reply",
        *["CallFailed"] * 2,
    ]
    assert str(outcomes[5]).startswith("3 calls in a row to 'm' at http")
    assert str(outcomes[5]).endswith("stopping; the same command continues")


async def test_parameters_that_the_model_does_not_take_are_adapted_once(messages, sampling):
    async with (
        ChatServer(refuse=["max_tokens", "temperature", "seed"]) as server,
        Endpoint(server.url) as endpoint,
    ):
        model = EndpointModel(endpoint, "m")
        assert dict(model.adapted) == {}
        for seed in range(5):
            await model.reply(messages, sampling, seed=seed)
        assert dict(model.adapted) == {
            "max_tokens": "max_completion_tokens",
            "temperature": None,
            "seed": None,
        }
    assert (server.arrived, len(server.answered)) == (3 + 5, 5)
    last = orjson.loads(server.requests[-1].body)
    assert last.keys() == {"model", "messages", "stream", "max_completion_tokens"}


async def test_calls_that_are_refused_together_adapt_together(messages, sampling):
    async with ChatServer(refuse=["max_tokens"], latency=0.02) as server, Endpoint(server.url) as endpoint:
        model = EndpointModel(endpoint, "m")
        await asyncio.gather(*(model.reply(messages, sampling, seed=seed) for seed in range(10)))
        await model.reply(messages, sampling)
    # Each call of the first wave is refused at most once, and no later one is.
    assert (server.arrived, len(server.answered)) == (10 + 10 + 1, 11)


async def test_a_parameter_that_the_user_insists_on_is_not_adapted(messages):
    async with ChatServer(refuse=["seed"]) as server, Endpoint(server.url) as endpoint:
        model = EndpointModel(endpoint, "m", extra_body={"seed": 1})
        with pytest.raises(EndpointRefused, match="'seed' is not supported"):
            await model.reply(messages, Sampling())
    assert dict(model.adapted) == {}


async def test_a_thought_cut_off_by_the_limit_is_a_reply_and_not_tried_again(messages, sampling):
    async with (
        ChatServer(faults=always(Fault(kind="unclosed_think"))) as server,
        Endpoint(server.url) as endpoint,
    ):
        reply = await EndpointModel(endpoint, "m").reply(messages, sampling)
    assert (reply.text, reply.finish_reason) == ("", "length")
    assert reply.thinking is not None
    assert "boxed" in reply.thinking
    assert server.arrived == 1


async def test_many_calls_through_every_fault_are_each_answered_once(sampling, quick):
    """Whatever goes wrong on the way: no call lost, none answered twice, and what failed was not answered."""
    async with (
        ChatServer(faults=every_fault(0.3, seed=4), latency=0.002) as server,
        Endpoint(server.url, retry=quick, concurrency=32) as endpoint,
    ):
        model = EndpointModel(endpoint, "m")
        calls = [model.reply([Message(role="user", content=f"pair {n}")], sampling) for n in range(300)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds.keys() == {Reply, CallFailed}
    # Refused once is refused (a 400 by chance, 3 %); all else comes through.
    assert 0 < kinds[CallFailed] < 25
    trivial = [request.digest for request in server.requests if b"one word" in request.body]
    answered = [digest for digest in server.answered if digest not in trivial]
    assert len(answered) == len(set(answered)) == kinds[Reply]


@pytest.mark.parametrize("field", ["model", "messages", "n"])
def test_an_extra_body_cannot_break_the_protocol(field):
    with pytest.raises(InputError, match=f"holds '{field}'"):
        EndpointModel(Endpoint("http://host"), "m", extra_body={field: 1})


@pytest.mark.parametrize("status", [503, 429, 500])
async def test_what_has_never_answered_stops_the_run_soon(messages, sampling, status):
    """Not at the deadline of half an hour; and the one error says what failed, how often."""
    retry = RetryPolicy(unanswered_after=0.2, first_wait=0.02, longest_wait=0.02, max_tries=1000)
    fault = Fault(kind="status", status=status, retry_after="3600" if status == 429 else None)
    async with ChatServer(faults=always(fault)) as server, Endpoint(server.url, retry=retry) as endpoint:
        model = EndpointModel(endpoint, "m")
        calls = (model.reply(messages, sampling, seed=seed) for seed in range(4))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    # All of them, or those that came later are refused at once.
    assert {type(outcome) for outcome in outcomes} == {EndpointDown}
    found = str(outcomes[0])
    assert re.search(
        rf"/v1/chat/completions has been answered in 0 s: \d+ tries failed, .*so: {status} ", found
    )
    assert model.failed_tries.total() == server.arrived


async def test_an_endpoint_that_has_replied_once_is_waited_for(messages, sampling):
    retry = RetryPolicy(unanswered_after=0.05, first_wait=0.02, longest_wait=0.02)
    fault = Fault(kind="status", status=503)
    async with (
        ChatServer(faults=lambda n, _: fault if 0 < n < 20 else None) as server,
        Endpoint(server.url, retry=retry) as endpoint,
    ):
        model = EndpointModel(endpoint, "m")
        await model.reply(messages, sampling)
        await model.reply(messages, sampling)
    assert server.arrived == 21


async def test_a_call_that_may_be_about_to_be_answered_is_not_given_up(messages, sampling):
    """A long thought, while a gateway turns the other calls away."""
    retry = RetryPolicy(unanswered_after=0.05, first_wait=0.01, longest_wait=0.01)
    busy, long = Fault(kind="status", status=429), Fault(kind="slow", seconds=0.6)
    async with (
        ChatServer(faults=lambda n, _: long if n == 0 else busy if n < 30 else None) as server,
        Endpoint(server.url, retry=retry) as endpoint,
    ):
        model = EndpointModel(endpoint, "m")
        replies = await asyncio.gather(*(model.reply(messages, sampling, seed=seed) for seed in range(2)))
    assert len(replies) == len(server.answered) == 2


async def test_failures_are_counted_by_kind_whatever_names_a_request_has(messages, sampling, quick):
    def plan(number: int, _: bytes) -> Fault | None:
        return Fault(kind="status", status=500, message=f"request req-0f3e9a{number:04} failed")

    async with ChatServer(faults=plan) as server, Endpoint(server.url, retry=quick) as endpoint:
        model = EndpointModel(endpoint, "m")
        with pytest.raises(CallFailed):
            await model.reply(messages, sampling)
    assert dict(model.failed_tries) == {"500 Internal Server Error: request … failed": server.arrived}


PRICE = Price(input=1_000_000, output=1_000_000)
"""One token costs 1."""


def charged(request: ChatRequest) -> Reply:
    return Reply(text="\\boxed{A}", usage=Usage(prompt_tokens=6, completion_tokens=4))


async def test_no_try_begins_once_the_budget_is_spent(messages, sampling):
    """Above the cap goes what is in flight: one call a connection."""
    budget = Budget(limit=95)
    async with (
        ChatServer(answer=charged, latency=0.01) as server,
        Endpoint(server.url, concurrency=4) as endpoint,
    ):
        model = EndpointModel(endpoint, "m", price=PRICE, budget=budget)
        calls = (model.reply(messages, sampling, seed=seed) for seed in range(50))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    replies = [outcome for outcome in outcomes if isinstance(outcome, Reply)]
    assert budget.spent == 10 * len(replies) == 10 * server.arrived
    assert 95 <= budget.spent < 95 + 4 * 10
    assert {str(outcome) for outcome in outcomes if isinstance(outcome, CallFailed)} == {
        "not asked: --max-cost is spent"
    }


async def test_retries_and_cut_off_answers_are_charged(messages, sampling, quick):
    def cut(request: ChatRequest) -> Reply:
        return Reply(text="So", finish_reason="length", usage=Usage(prompt_tokens=6, completion_tokens=4))

    budget = Budget(limit=35)
    async with ChatServer(answer=cut) as server, Endpoint(server.url, retry=quick) as endpoint:
        model = EndpointModel(endpoint, "m", price=PRICE, budget=budget)
        for _ in range(4):
            await model.reply(messages, sampling)
        with pytest.raises(CallFailed, match="not asked: --max-cost is spent"):
            await model.reply(messages, sampling)
    assert (server.arrived, budget.spent) == (4, 40)

    budget = Budget(limit=1000)
    empty = Fault(kind="empty")
    async with (
        ChatServer(answer=charged, faults=lambda n, _: empty if n else None) as server,
        Endpoint(server.url, retry=quick) as endpoint,
    ):
        model = EndpointModel(endpoint, "m", price=PRICE, budget=budget)
        first = await model.reply(messages, sampling)
        budget.limit = budget.spent + 1
        with pytest.raises(
            CallFailed, match=r"the reply is empty \(not asked again: --max-cost is spent\)"
        ) as raised:
            await model.reply(messages, sampling)
    assert server.arrived == 2
    assert raised.value.usage is not None
    assert budget.spent == PRICE.of(first.usage + raised.value.usage)


async def test_a_try_that_broke_off_uncounted_is_charged_as_an_answer_costs(messages, sampling, quick):
    budget = Budget()
    async with (
        ChatServer(answer=charged, faults=lambda n, _: Fault(kind="reset") if n == 1 else None) as server,
        Endpoint(server.url, retry=quick) as endpoint,
    ):
        model = EndpointModel(endpoint, "m", price=PRICE, budget=budget)
        await model.reply(messages, sampling)
        await model.reply(messages, sampling)
    assert server.arrived == 3
    assert budget.spent == 10 + (len(messages[0].content) // 4 + 4) + 10
