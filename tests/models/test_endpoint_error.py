import orjson
import pytest

from ralign.models.endpoint_error import one_line, read_error, stated_error


def error(status: int, body: object):
    return read_error(status, body if isinstance(body, bytes) else orjson.dumps(body))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "request"),
        (403, "request"),
        (413, "request"),
        (422, "request"),
        (401, "refused"),
        (402, "refused"),
        (404, "refused"),
        (307, "refused"),
        (408, "broken"),
        (409, "broken"),
        (500, "broken"),
        (502, "broken"),
        (504, "broken"),
        (429, "busy"),
        (503, "busy"),
        (529, "busy"),
    ],
)
def test_each_status_has_its_kind(status, kind):
    """What cannot succeed is not tried again."""
    assert error(status, {"error": {"message": "no"}}).kind == kind


def test_an_empty_account_is_not_waited_for():
    body = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    assert error(429, body).kind == "refused"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "too long"}}, "400 Bad Request: too long"),
        ({"error": "too long"}, "400 Bad Request: too long"),
        ({"object": "error", "message": "too long", "code": 400}, "400 Bad Request: too long"),
        ({"detail": "too long"}, "400 Bad Request: too long"),
        ([{"error": {"code": 400, "message": "too long", "status": "INVALID"}}], "400 Bad Request: too long"),
        (b"too\nlong", "400 Bad Request: too long"),
        (b"<html><style>p{}</style><h1>too</h1>\n<p>long</p></html>", "400 Bad Request: too long"),
        ({"detail": [{"msg": "too long"}]}, '400 Bad Request: [{"msg":"too long"}]'),
        (b"", "400 Bad Request: no message"),
        (b"\xff\xfe", "400 Bad Request: \ufffd\ufffd"),
        ([], "400 Bad Request: []"),
        (b"null", "400 Bad Request: null"),
    ],
)
def test_the_servers_words_come_in_one_line(body, message):
    """A provider's 400 is an error with its words, never an answer."""
    assert error(400, body).message == message


@pytest.mark.parametrize(
    ("stated", "status", "kind"),
    [
        ({"code": 429, "message": "slow down"}, 429, "busy"),
        ({"code": "503", "message": "down"}, 503, "busy"),
        ({"code": None, "type": "rate_limit_error", "message": "slow down"}, 429, "busy"),
        ({"type": "authentication_error", "message": "who?"}, 401, "refused"),
        ({"code": "context_length_exceeded", "message": "too long"}, 400, "request"),
        ({"code": "odd", "message": "hm"}, 500, "broken"),
        ({"code": 7, "message": "hm"}, 500, "broken"),
        ("something", 500, "broken"),
    ],
)
def test_an_error_with_status_200_counts_as_what_it_states(stated, status, kind):
    failed = stated_error(stated)
    assert (failed.status, failed.kind) == (status, kind)


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (
            {
                "error": {
                    "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                    "'max_completion_tokens' instead.",
                    "param": "max_tokens",
                    "code": "unsupported_parameter",
                }
            },
            "max_tokens",
        ),
        ({"error": {"message": "no", "param": "temperature", "code": "unsupported_value"}}, "temperature"),
        ({"error": {"message": "`temperature` is deprecated for this model."}}, "temperature"),
        ({"error": {"message": "'seed' is not supported by this provider"}}, "seed"),
        ({"error": {"message": "The parameter 'seed' isn't allowed"}}, "seed"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}, "seed"),
        (b'Unknown argument "seed"', "seed"),
        # Azure, Kimi, LiteLLM, Anthropic and Bedrock, Gemini, Mistral, Together, Groq, DeepSeek's gateways, vLLM.
        ({"error": {"message": "Unrecognized request argument supplied: seed", "code": None}}, "seed"),
        (
            {"error": {"message": "invalid temperature: only 1 is allowed for this model", "type": "x"}},
            "temperature",
        ),
        (
            {"error": {"message": "invalid temperature: only 0.6 is allowed for this model"}},
            "temperature",
        ),
        (
            {
                "error": {
                    "message": "gpt-5 models don't support temperature=0. Only temperature=1 is supported."
                }
            },
            "temperature",
        ),
        (
            {"error": {"message": "openai does not support parameters: ['temperature'], for model=o1."}},
            "temperature",
        ),
        ({"message": "temperature is deprecated for this model."}, "temperature"),
        (
            {"error": {"message": "`temperature` may only be set to 1 when thinking is enabled."}},
            "temperature",
        ),
        (
            [
                {
                    "error": {
                        "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'
                    }
                }
            ],
            "seed",
        ),
        (
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs..."}]},
            "seed",
        ),
        (
            {"error": {"message": "max_tokens is not supported with this model, use max_completion_tokens"}},
            "max_tokens",
        ),
        ({"error": {"message": "property 'seed' is unsupported"}}, "seed"),
        ({"error": {"message": "The temperature parameter is not supported by this model"}}, "temperature"),
        ({"error": {"message": "This model does not support the temperature parameter"}}, "temperature"),
        ({"error": {"message": "Unsupported parameter(s): `seed`"}}, "seed"),
        (
            {"error": {"message": "Unsupported value: 'temperature' does not support 0.4 with this model."}},
            "temperature",
        ),
        # These name a parameter, too, but it is the value or the prompt that is wrong.
        ({"error": {"message": "'max_tokens' is too large: 9000. The context length is 8192."}}, None),
        ({"error": {"message": "'temperature' must lie between 0 and 2", "param": "temperature"}}, None),
        ({"error": {"message": "no", "param": "logprobs", "code": "unsupported_parameter"}}, None),
        ({"error": {"message": "this model does not support images, at any temperature"}}, None),
        ({"error": {"message": "Unsupported content type"}}, None),
        ({"error": {"message": "invalid temperature: it must be between 0 and 2"}}, None),
        ({"error": {"message": "temperature must be in the range 0 to 1"}}, None),
        ({"error": {"message": "max_tokens is too large: the context is 8192"}}, None),
        ({"error": {"message": "max_tokens must be at least 1, got 0"}}, None),
        (
            {"error": {"message": "This model's maximum context length is 8192 tokens, max_tokens is 100"}},
            None,
        ),
    ],
)
def test_a_parameter_that_the_model_does_not_take_is_found(body, parameter):
    assert error(400, body).parameter == parameter


def test_a_parameter_is_looked_for_in_a_refusal_only():
    body = {"error": {"message": "no", "param": "temperature", "code": "unsupported_value"}}
    assert error(500, body).parameter is None


def test_a_huge_page_is_read_only_at_its_beginning():
    assert len(one_line(b"<p>" + b"word " * 1_000_000)) <= 6000
