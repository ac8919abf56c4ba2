"""The error of one try of a call, as the endpoint's answer states it. Pure.

Errors come in many dialects; which is read where is said beside the code.
"""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, TypeGuard

import orjson

from ralign.records import Usage

Kind = Literal["unreachable", "busy", "broken", "request", "filtered", "refused"]
"""Kinds of failed tries.

unreachable  no connection: the server is down, or the URL is wrong
busy         it asks to wait (429, 503, 529)
broken       something went wrong on the way (408, 409, other 5xx, a cut connection, a malformed reply)
request      it will not answer this request (400, 403, 413, 422)
filtered     its filter holds the answer back (a 400, in Azure's and Alibaba's way)
refused      it will not answer any request (401, 402, 404, a redirect, no quota)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointError:
    """The reason why one try gave no reply."""

    kind: Kind
    message: str
    """One line; free of the key only once the endpoint has let it out."""
    status: int | None = None
    """The HTTP status, or the one that the body states; None where nothing was answered."""
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    parameter: str | None = None
    """The sampling parameter that the model does not take, where that is what is wrong."""
    usage: Usage = field(default_factory=Usage)
    """Tokens that the try was billed for, where it says so."""
    wrong_field: bool = False
    """Whether the answer seems to be where none belongs."""


# Characters of a server's message that are looked at: an error page can be megabytes long.
_LONGEST = 6000

_PHRASES = {int(status): status.phrase for status in HTTPStatus}
_BUSY = frozenset({429, 503, 529})
# Timeout, conflict, "too early": the server's state is at fault, and not the request.
_AGAIN = frozenset({408, 409, 425})
_THIS_REQUEST = frozenset({400, 403, 413, 422})

# What an error's `type` or `code` says where a gateway sends it with status 200 (OpenAI's and Anthropic's words).
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
}

# What a filter's refusal is called: OpenAI and Azure, Alibaba.
_FILTER_CODES = frozenset(
    {"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "data_inspection_failed",
     "DataInspectionFailed"}
)  # fmt: skip

_ADAPTABLE = ("max_tokens", "temperature", "seed", "stream", "response_format")
_NAMES = r"(max_tokens|temperature|seed|stream|response_format)"
# A name in quotes, and anywhere else in the message that it is not taken: "seed" and "temperature" are ordinary words
# of a message, too.
_NAMED = re.compile(rf"""['"`‘“]{_NAMES}['"`’”]""")
_NOT_TAKEN = re.compile(
    r"unsupported|not support|n[o']t (?:be )?(?:allowed|permitted|accepted|available)|unknown|unrecognized|unexpected"
    r"|deprecated|no longer|extra_forbidden|extra inputs|only the default|\bonly (?:[a-z]+=)?[\d.]+ is "
    r"|(?:must be|only be set to|should be|equal to) 1(?:\.0+)?\b(?! *(?:or|and|to|-))",
    re.IGNORECASE,
)
# A bare name only in a phrase that says so of this very name.
_NOT_TAKEN_BEFORE = re.compile(
    r"(?:unsupported|unrecognized|unknown|unexpected|extra|additional|invalid|(?:does|do|is|are)(?: not|n't)"
    rf" (?:support|accept|allow|permit)\w*)[\w ]{{0,40}}?[:=]?\s*[\[(]*\b{_NAMES}\b",
    re.IGNORECASE,
)
_NOT_TAKEN_AFTER = re.compile(
    rf"\b{_NAMES}\b(?: (?:parameter|field|option|argument|value|setting))?(?:\s*=\s*\S+)?:? "
    r"(?:is|are|was|isn't|does|doesn't|must|may|can|cannot|can't|has|should)\b([^.]{0,80})",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def read_error(status: int, body: bytes, retry_after: float | None = None) -> EndpointError:
    """The error in an answer with another status than 200."""
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if is_list(answer) and answer:  # Google wraps it in a list
        answer = answer[0]
    if is_object(answer):
        # vLLM before 0.10 and FastAPI state the error without a wrapper.
        return _error(status, answer.get("error") or answer, retry_after)
    return _error(status, one_line(body), retry_after)


def stated_error(error: Any) -> EndpointError:
    """An error inside a body with status 200, as the status that it states; 500 where it states none."""
    for key in ("code", "status", "type") if is_object(error) else ():
        stated = error.get(key)
        if isinstance(stated, str):
            stated = int(stated) if stated.isdecimal() else _STATUS_OF_TYPE.get(stated)
        if isinstance(stated, int) and 400 <= stated < 600:
            return _error(stated, error, None)
    return _error(500, error, None)


def one_line(text: str | bytes) -> str:
    """A text's beginning without HTML tags and line breaks.

    It is not short: the endpoint shortens it, after it took the key out.
    """
    text = text[:_LONGEST]
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return " ".join(_TAG.sub(" ", text).split())


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a value of a JSON document is an object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value of a JSON document is a list."""
    return isinstance(value, list)


def _error(status: int, error: Any, retry_after: float | None) -> EndpointError:
    stated: dict[str, Any] = error if is_object(error) else {}
    # Azure has the code that says more in an error inside the error.
    inner: Any = stated.get("innererror") or stated.get("inner_error") or {}
    given: list[Any] = [stated.get("code"), stated.get("type"), is_object(inner) and inner.get("code")]
    codes = {code for code in given if isinstance(code, str)}
    # OpenAI states an empty account as "too many requests"; waiting does not fill it.
    no_quota = "insufficient_quota" in codes
    if status in _BUSY and not no_quota:
        kind = "busy"
    elif (status >= 500 or status in _AGAIN) and not no_quota:
        kind = "broken"
    elif status in _THIS_REQUEST and codes & _FILTER_CODES:
        kind = "filtered"
    else:
        kind = "request" if status in _THIS_REQUEST and not no_quota else "refused"
    return EndpointError(
        kind=kind,
        message=f"{status} {_PHRASES.get(status, 'error')}: {_message(error)}",
        status=status,
        retry_after=retry_after,
        parameter=_refused_parameter(error) if status in (400, 422) else None,
    )


def _refused_parameter(error: Any) -> str | None:
    """The parameter that the model does not take, by the error's fields (OpenAI) or by its words (the others).

    A value out of range, or a prompt too long, names a parameter too; those are the request's fault.
    """
    if is_object(error) and error.get("code") in ("unsupported_parameter", "unsupported_value"):
        parameter = error.get("param")
        return parameter if parameter in _ADAPTABLE else None
    message = _message(error)
    words = error if isinstance(error, str) else orjson.dumps(error).decode().replace('\\"', '"')
    named = _NAMED.search(message) or _NAMED.search(words)
    if named and _NOT_TAKEN.search(words):
        return named[1]
    if bare := _NOT_TAKEN_BEFORE.search(message):
        # "Invalid" may mean the value; that it is the parameter, only the rest of the message can say.
        return bare[1] if not bare[0].lower().startswith("invalid") or _NOT_TAKEN.search(message) else None
    after = _NOT_TAKEN_AFTER.search(message)
    return after[1] if after and _NOT_TAKEN.search(after[0]) else None


def _message(error: Any) -> str:
    if is_object(error):
        error = error.get("message") or error.get("detail") or error.get("error") or error
    text = error if isinstance(error, str) else orjson.dumps(error).decode()
    return one_line(text) or "no message"
