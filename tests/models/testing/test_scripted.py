import asyncio

import pytest

from ralign.errors import CallFailed, InputError
from ralign.models import Reply, Sampling, ScriptedModel
from ralign.records import Message

SAMPLING = Sampling(temperature=0.4)


def ask(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


async def test_a_function_answers_from_messages_sampling_and_seed():
    model = ScriptedModel(
        lambda messages, sampling, seed: f"{messages[-1].content} {sampling.temperature} {seed}"
    )
    assert (await model.reply(ask("hello"), SAMPLING, seed=3)).text == "hello 0.4 3"
    assert model.calls == [(ask("hello"), SAMPLING, 3)]


async def test_a_list_answers_in_order_and_says_when_it_is_used_up():
    model = ScriptedModel(["one", "<think>why</think>two", Reply(text="three", finish_reason="length")])
    replies = [await model.reply(ask("?"), SAMPLING) for _ in range(3)]
    assert [reply.text for reply in replies] == ["one", "two", "three"]
    assert replies[1].thinking == "why"
    assert replies[2].finish_reason == "length"
    with pytest.raises(InputError, match="has 3 answers, call 4 came"):
        await model.reply(ask("?"), SAMPLING)


async def test_an_exception_in_the_script_is_raised():
    model = ScriptedModel([CallFailed("gone"), "back"])
    with pytest.raises(CallFailed, match="gone"):
        await model.reply(ask("?"), SAMPLING)
    assert (await model.reply(ask("?"), SAMPLING)).text == "back"


async def test_calls_in_flight_are_counted_and_bounded():
    free = ScriptedModel(lambda *_: "yes", latency=0.01)
    bounded = ScriptedModel(lambda *_: "yes", latency=0.01, concurrency=3, remember=False)
    await asyncio.gather(*(model.reply(ask("?"), SAMPLING) for model in (free, bounded) for _ in range(10)))
    assert (free.most_in_flight, free.in_flight) == (10, 0)
    assert (bounded.most_in_flight, bounded.in_flight) == (3, 0)
    assert (bounded.call_count, bounded.calls) == (10, [])
