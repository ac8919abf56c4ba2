import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.errors import CallFailed
from ralign.models.endpoint_error import EndpointError
from ralign.models.model import Reply, Sampling
from ralign.models.protocol import encode, read_reply, request_fields
from ralign.records import Message, Usage

MESSAGES = (Message(role="system", content="Judge."), Message(role="user", content="A or B?"))
SAMPLING = Sampling(temperature=0.4, max_tokens=100)


def answer(message: object, finish_reason: object = "stop", **more: object) -> Reply | EndpointError:
    return read_reply(
        orjson.dumps({"choices": [{"message": message, "finish_reason": finish_reason}], **more})
    )


def test_a_request_holds_what_was_asked_for_and_nothing_else():
    assert request_fields("m", MESSAGES, SAMPLING, 7, {}, {}) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": "A or B?"}],
        "max_tokens": 100,
        "temperature": 0.4,
        "seed": 7,
        "stream": False,
    }
    assert set(request_fields("m", MESSAGES, Sampling(), None, {}, {})) == {"model", "messages", "stream"}


def test_adapted_parameters_are_renamed_or_left_out():
    adapted = {"max_tokens": "max_completion_tokens", "temperature": None, "seed": None}
    fields = request_fields("m", MESSAGES, SAMPLING, 7, adapted, {})
    assert fields.keys() - {"model", "messages", "stream"} == {"max_completion_tokens"}
    assert fields["max_completion_tokens"] == 100


def test_the_users_own_fields_win():
    fields = request_fields("m", MESSAGES, SAMPLING, None, {}, {"temperature": 1, "reasoning_effort": "low"})
    assert (fields["temperature"], fields["reasoning_effort"]) == (1, "low")


def test_half_a_surrogate_pair_fails_the_call():
    with pytest.raises(CallFailed, match="cannot be written as JSON"):
        encode(request_fields("m", [Message(role="user", content="\ud83d")], SAMPLING, None, {}, {}))


def test_an_answer_is_read_with_all_that_it_states():
    """Finish reason, usage and the served model's name are kept."""
    reply = answer(
        {"content": "\\boxed{A}"},
        model="m-0711",
        usage={"prompt_tokens": 10, "completion_tokens": 3, "more": {}},
    )
    assert reply == Reply(
        text="\\boxed{A}",
        finish_reason="stop",
        model="m-0711",
        usage=Usage(prompt_tokens=10, completion_tokens=3),
    )


@pytest.mark.parametrize(
    ("message", "thinking", "text"),
    [
        ({"content": "B", "reasoning_content": "why"}, "why", "B"),
        ({"content": "B", "reasoning": "why"}, "why", "B"),
        ({"content": "<think>why</think>\n\nB"}, "why", "B"),
        ({"content": "why</think>\n\nB"}, "why", "B"),
        ({"content": "B leaks </think>.", "reasoning_content": "why"}, "why", "B leaks </think>."),
        ({"content": "<think>more</think>B", "reasoning_content": "why"}, "why\nmore", "B"),
        ({"content": [{"type": "text", "text": "B"}, {"type": "text", "text": "!"}]}, None, "B!"),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]},
                    {"type": "text", "text": "B"},
                ]
            },
            "why",
            "B",
        ),
        ({"content": None, "refusal": "I will not judge this."}, None, "I will not judge this."),
    ],
)
def test_thinking_is_kept_apart_from_the_answer(message, thinking, text):
    reply = answer(message)
    assert isinstance(reply, Reply)
    assert (reply.thinking, reply.text) == (thinking, text)


def test_a_thought_cut_off_by_the_limit_is_a_reply_without_a_text():
    reply = answer({"content": "<think>Is it \\boxed{A}?"}, "length")
    assert reply == Reply(text="", thinking="Is it \\boxed{A}?", finish_reason="length")


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
def test_a_hidden_thought_cut_off_or_an_answer_held_back_is_a_reply_without_a_text(finish_reason):
    assert answer({"content": ""}, finish_reason) == Reply(text="", finish_reason=finish_reason)


@pytest.mark.parametrize(
    "message", [{"content": ""}, {"content": " \n"}, {"content": None}, {}, {"content": []}]
)
def test_an_empty_answer_is_a_failed_try(message):
    failed = answer(message)
    assert isinstance(failed, EndpointError)
    assert (failed.kind, failed.message) == ("broken", "the reply is empty")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"choices": [{"message": {"content": "half',
        b"<!doctype html><h1>Sign in</h1>",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": {}}',
        b'{"choices": ["text"]}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": "text"}]}',
    ],
)
def test_a_malformed_body_is_a_failed_try(body):
    failed = read_reply(body)
    assert isinstance(failed, EndpointError)
    assert failed.kind == "broken"
    assert "\n" not in failed.message


def test_an_error_in_the_body_is_the_error_it_states():
    """Never parsed as an answer."""
    for body in (
        {"error": {"code": 429, "message": "slow down"}},
        {"error": {"code": 429, "message": "slow down"}, "choices": [{"message": {"content": "A"}}]},
        {"choices": [{"message": {"content": "A"}, "error": {"code": 429, "message": "slow down"}}]},
    ):
        failed = read_reply(orjson.dumps(body))
        assert isinstance(failed, EndpointError)
        assert (failed.kind, failed.message) == ("busy", "429 Too Many Requests: slow down")


def test_an_answer_that_an_error_broke_off_is_no_answer():
    failed = answer({"content": "\\boxed{A} but"}, "error")
    assert isinstance(failed, EndpointError)
    assert failed.kind == "broken"


@pytest.mark.parametrize("usage", [None, "many", [], {"prompt_tokens": None}, {"prompt_tokens": "x"}])
def test_usage_that_cannot_be_read_is_none(usage):
    reply = answer({"content": "A"}, usage=usage)
    assert isinstance(reply, Reply)
    assert reply.usage == Usage()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "error",
                    "finish_reason",
                    "usage",
                    "code",
                    "text",
                    "reasoning",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_is_a_reply_or_a_failed_try(value):
    assert isinstance(read_reply(orjson.dumps(value)), Reply | EndpointError)


@given(
    st.fixed_dictionaries({"choices": st.lists(st.fixed_dictionaries({"message": json_values}), max_size=1)})
)
def test_anything_in_the_place_of_a_message_is_a_reply_or_a_failed_try(value):
    outcome = read_reply(orjson.dumps(value))
    if isinstance(outcome, Reply):
        assert isinstance(outcome.text, str)
        assert outcome.thinking is None or isinstance(outcome.thinking, str)


@given(st.binary(max_size=50))
def test_any_bytes_are_a_failed_try(body):
    assert isinstance(read_reply(body), EndpointError)
