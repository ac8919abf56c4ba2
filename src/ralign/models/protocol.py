"""The OpenAI chat-completions protocol: the request of a call, and the reply in an answer. Pure.

Read are the dialects of OpenAI, vLLM, SGLang, OpenRouter, LiteLLM, Mistral, DeepSeek, Gemini and Anthropic, whole or as
a stream, whatever was asked for. An answer with status 200 may still be an error, or nothing that can be used:
`EndpointError`.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from ralign.errors import CallFailed
from ralign.models.endpoint_error import EndpointError, is_list, is_object, one_line, stated_error
from ralign.models.finish_reason import read_finish_reason
from ralign.models.model import Reply, Sampling
from ralign.records import Message, Usage
from ralign.thinking import Syntax, split_thinking, starts_with_thought


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
        # Said, although it is the protocol's default: some servers have another.
        "stream": False,
    }
    if sampling.max_tokens is not None:
        fields["max_tokens"] = sampling.max_tokens
    if sampling.temperature is not None:
        fields["temperature"] = sampling.temperature
    if seed is not None:
        fields["seed"] = seed
    if sampling.response_format is not None:
        fields["response_format"] = orjson.Fragment(sampling.response_format)
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


def read_reply(body: bytes, thought_tags: Sequence[Syntax] = ()) -> Reply | EndpointError:
    """The reply in a body that came with status 200, or its error; `thought_tags` beside those that are known."""
    # Written for the usual answer: whatever has another shape lands in the `except` and is looked at there.
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = _loaded_anyway(body)
        if isinstance(answer, EndpointError):
            return answer
    try:
        choice = answer["choices"][0]
        # One that was held back may have no message at all.
        message = choice.get("message")
        content = None if message is None else message.get("content")
        stated = choice.get("finish_reason")
        failed = stated == "error" or answer.get("error") or choice.get("error")
        usage = _usage(answer.get("usage"))
        model = _text(answer.get("model"))
    except (LookupError, TypeError, AttributeError):
        return _not_usual(answer, body)
    if failed:
        return _not_usual(answer, body)
    finish_reason = read_finish_reason(_text(stated))
    if message is None and finish_reason != "content_filter":
        return _broken(f"the reply holds no message: {one_line(body)}", usage)
    if finish_reason == "broken_off":
        return _broken(f"the answer is not finished: its finish reason is '{one_line(stated)}'", usage)
    message = message or {}
    thinking = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    if is_list(content):  # Mistral sends a list of parts
        thinking = thinking or _join(content, "thinking") or None
        content = _join(content, "text")
    if not isinstance(content, str):
        content = _text(message.get("refusal")) or ""  # OpenAI
    # Where the server has parted them, a tag inside the content is only spoken of.
    if thinking is None or starts_with_thought(content, thought_tags):
        inline, content = split_thinking(content, thought_tags)
        parted = thinking is not None
        thinking = "\n".join(filter(None, (thinking, inline))) or None
    else:
        parted = True
    # A thought cut off by the token limit, or an answer held back by a filter, is what the model came to: asking
    # again would pay for the same once more.
    if not content or content.isspace():
        if finish_reason in (None, "stop") and (parted or thinking is None):
            return _nothing_said(thinking, usage)
        content = ""
    return Reply(text=content, thinking=thinking, finish_reason=finish_reason, model=model, usage=usage)


def _loaded_anyway(body: bytes) -> Any:
    """Content of a body that is not quite JSON: a stream nobody asked for, NaN, half a surrogate pair."""
    text = body.decode(errors="replace").lstrip("\ufeff \t\r\n")
    if text.startswith(("data:", "event:", "id:", "retry:", ":")):
        return _joined(text)
    try:
        # NaN becomes null; half a surrogate pair, which no log could hold, a question mark.
        loaded = json.loads(text, parse_constant=lambda _: None)
        return orjson.loads(json.dumps(loaded, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        return _broken(f"the reply is not JSON: {one_line(body)}")


def _joined(stream: str) -> dict[str, Any] | EndpointError:
    """The chunks of a stream as the one answer they are parts of."""
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    choice: dict[str, Any] = {"message": message}
    ended = False
    for data in _events(stream):
        if data == "[DONE]":
            ended = True
            break
        chunk = _loaded_anyway(data.encode())
        if not is_object(chunk):
            return _broken(f"a part of the stream is not JSON: {one_line(data)}")
        # What comes once: usage in a chunk without choices, an error at any time.
        whole |= {name: chunk[name] for name in ("error", "model", "usage") if chunk.get(name)}
        for part in chunk.get("choices") or ():
            if not is_object(part) or part.get("index"):
                continue
            choice |= {name: part[name] for name in ("finish_reason", "error") if part.get(name)}
            delta = part.get("delta") or part.get("message") or {}
            for name in ("content", "reasoning_content", "reasoning", "refusal"):
                said = delta.get(name) if is_object(delta) else None
                if is_list(said):
                    message["reasoning_content"] = message.get("reasoning_content", "") + _join(
                        said, "thinking"
                    )
                    said = _join(said, "text")
                if isinstance(said, str):
                    message[name] = message.get(name, "") + said
    if not (ended or whole.get("error") or choice.get("finish_reason")):
        return _broken("the stream broke off", _usage(whole.get("usage")))
    # A server that ends a stream without a reason has still said that it is through.
    message.setdefault("role", "assistant")
    return {**whole, "choices": [choice]}


def _events(stream: str) -> Iterator[str]:
    """The data of server-sent events; the lines of one event are one text."""
    lines: list[str] = []
    # Not `splitlines`, which knows ends of lines that JSON has within texts.
    for line in [*re.split(r"\r\n|\n|\r", stream), ""]:
        name, _, value = line.partition(":")
        if name == "data":
            lines.append(value.removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines).strip()
            lines.clear()


def _nothing_said(thinking: str | None, usage: Usage) -> EndpointError:
    if thinking is None:
        return _broken("the reply is empty", usage)
    return dataclasses.replace(
        _broken(
            f"the reply is empty, and {len(thinking):,} characters are in its reasoning field; where that is the "
            "answer, the server's reasoning parser does not fit the model or its chat template (vLLM, SGLang: "
            "--reasoning-parser)",
            usage,
        ),
        wrong_field=True,
    )


def _not_usual(answer: Any, body: bytes) -> EndpointError:
    """The error of a body that has not the shape of an answer, or that states one."""
    choices: Any = None
    if is_object(answer):
        if error := answer.get("error"):
            return stated_error(error)
        choices = answer.get("choices")
    choice: Any = choices[0] if is_list(choices) and choices else None
    # OpenRouter states in the choice that the provider broke off.
    if is_object(choice) and (choice.get("error") or choice.get("finish_reason") == "error"):
        return stated_error(choice.get("error") or "the answer was broken off by an error")
    return _broken(f"the reply holds no message: {one_line(body)}")


def _broken(message: str, usage: Usage | None = None) -> EndpointError:
    return EndpointError(kind="broken", message=message, usage=usage or Usage())


def _usage(stated: Any) -> Usage:
    """The tokens of one try; none where a count is missing or malformed: no reason to pay for the answer again."""
    if not is_object(stated):
        return Usage()
    details = stated.get("prompt_tokens_details") or stated.get("input_tokens_details")
    cached = _count(details if is_object(details) else {}, "cached_tokens", "num_cached_tokens")
    # Moonshot, Mistral; DeepSeek; Gemini.
    cached = cached or _count(
        stated, "cached_tokens", "prompt_cache_hit_tokens", "cached_content_token_count"
    )
    prompt = _count(stated, "prompt_tokens")
    if not prompt:
        # Anthropic counts what the cache gave, and what was written into it, beside the rest.
        read = _count(stated, "cache_read_input_tokens")
        prompt = _count(stated, "input_tokens") + read + _count(stated, "cache_creation_input_tokens")
    cached = cached or _count(stated, "cache_read_input_tokens")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=_count(stated, "completion_tokens", "output_tokens"),
        cached_tokens=min(cached, prompt),
    )


def _count(counts: Mapping[str, Any], *names: str) -> int:
    """The first of these counts that is one; 0 where none is."""
    for name in names:
        value = counts.get(name)
        if isinstance(value, int | float) and value > 0:
            return int(value)
    return 0


def _join(parts: list[Any], kind: str) -> str:
    """The texts of a list's parts of one kind; a part may itself hold a list of texts."""
    texts: list[Any] = [part.get(kind) for part in parts if is_object(part)]
    return "".join(_join(text, "text") if is_list(text) else _text(text) or "" for text in texts)


def _text(value: Any) -> str | None:
    """The value where it is a text with something in it."""
    return value if isinstance(value, str) and value else None
