"""The OpenAI chat-completions protocol: the request of a call, and the reply in an answer. Pure.

Read are the dialects of OpenAI, vLLM, SGLang, OpenRouter, LiteLLM and Mistral. An answer with status 200 may
still be an error, or nothing that can be used: `EndpointError`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ralign.errors import CallFailed
from ralign.models.endpoint_error import EndpointError, is_list, is_object, one_line, stated_error
from ralign.models.model import Reply, Sampling
from ralign.records import Message, Usage
from ralign.thinking import OPENER, split_thinking


def request_fields(
    model: str,
    messages: Sequence[Message],
    sampling: Sampling,
    seed: int | None,
    adapted: Mapping[str, str | None],
    extra_body: Mapping[str, object],
) -> dict[str, object]:
    """The fields of a request.

    Args:
        model: the model's name.
        messages: the conversation.
        sampling: what is None in it is not sent.
        seed: not sent where None.
        adapted: for parameters that the model does not take, the name to send them under; None: not at all.
        extra_body: the user's own fields, which win over all others.
    """
    fields: dict[str, object] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
    }
    if sampling.max_tokens is not None:
        fields["max_tokens"] = sampling.max_tokens
    if sampling.temperature is not None:
        fields["temperature"] = sampling.temperature
    if seed is not None:
        fields["seed"] = seed
    for parameter, sent_as in adapted.items():
        if parameter in fields:
            value = fields.pop(parameter)
            if sent_as is not None:
                fields[sent_as] = value
    fields.update(extra_body)
    return fields


def encode(fields: dict[str, object]) -> bytes:
    """The request's body.

    Raises:
        CallFailed: a text holds half of a surrogate pair, which no UTF-8 body can carry.
    """
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise CallFailed(f"the request cannot be written as JSON: {error}") from None


def read_reply(body: bytes) -> Reply | EndpointError:
    """The reply in a body that came with status 200, or its error."""
    # Written for the usual answer: whatever has another shape lands in the `except` and is looked at there.
    try:
        answer: Any = orjson.loads(body)
        choice = answer["choices"][0]
        message = choice["message"]
        content = message.get("content")
        finish_reason = choice.get("finish_reason")
        failed = finish_reason == "error" or answer.get("error") or choice.get("error")
        usage = answer.get("usage")
        model = answer.get("model")
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return _not_usual(body)
    if failed:
        return _not_usual(body)
    thinking = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    if not isinstance(content, str) or "think>" in content:
        if is_list(content):  # Mistral sends a list of parts
            thinking = thinking or _join(content, "thinking") or None
            content = _join(content, "text")
        if not isinstance(content, str):
            content = _text(message.get("refusal")) or ""  # OpenAI
        # Where the server has parted them, a tag inside the content is only spoken of.
        if thinking is None or content.lstrip().startswith(OPENER):
            inline, content = split_thinking(content)
            thinking = "\n".join(filter(None, (thinking, inline))) or None
    # A thought cut off by the token limit, or an answer held back by a filter, is what the model came to: asking
    # again would pay for the same once more.
    if not content or content.isspace():
        if thinking is None and finish_reason not in ("length", "content_filter"):
            return EndpointError(kind="broken", message="the reply is empty")
        content = ""
    try:
        tokens = Usage(
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
        )
    except (AttributeError, TypeError, ValueError):
        tokens = Usage()  # a count that is missing or malformed is no reason to pay for the answer again
    return Reply(
        text=content,
        thinking=thinking,
        finish_reason=_text(finish_reason),
        model=_text(model),
        usage=tokens,
    )


def _not_usual(body: bytes) -> EndpointError:
    """The error of a body that has not the shape of an answer, or that states one."""
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return EndpointError(kind="broken", message=f"the reply is not JSON: {one_line(body)}")
    choices: Any = None
    if is_object(answer):
        if error := answer.get("error"):
            return stated_error(error)
        choices = answer.get("choices")
    choice: Any = choices[0] if is_list(choices) and choices else None
    # OpenRouter states in the choice that the provider broke off.
    if is_object(choice) and (choice.get("error") or choice.get("finish_reason") == "error"):
        return stated_error(choice.get("error") or "the answer was broken off by an error")
    return EndpointError(kind="broken", message=f"the reply holds no message: {one_line(body)}")


def _join(parts: list[Any], kind: str) -> str:
    """The texts of a list's parts of one kind; a part may itself hold a list of texts."""
    texts: list[Any] = [part.get(kind) for part in parts if is_object(part)]
    return "".join(_join(text, "text") if is_list(text) else _text(text) or "" for text in texts)


def _text(value: Any) -> str | None:
    """The value where it is a text with something in it."""
    return value if isinstance(value, str) and value else None
