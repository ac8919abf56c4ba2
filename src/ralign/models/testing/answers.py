"""Requests to a `ChatServer`, and its answers. See `ralign.models.testing.server`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from ralign.models.model import Reply


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """One request that arrived."""

    number: int
    body: bytes
    digest: str
    """16 hexadecimal digits, equal for equal bodies."""

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The body's JSON object."""
        return orjson.loads(self.body)

    @property
    def prompt(self) -> str:
        """The last message's content."""
        return self.fields["messages"][-1]["content"]


Answer = Callable[[ChatRequest], str | Reply]
"""The reply of the server's model to a request. A `Reply` sets thinking, finish reason and usage too."""


def answer_by_digest(request: ChatRequest) -> str:
    """The default answer: a judgment for a letter that follows from the request's bytes."""
    better, worse = "AB" if int(request.digest, 16) % 2 else "BA"
    return (
        f"Answer {better} does what was asked, and its claims hold ({request.digest}). Answer {worse} misses a part "
        f"of the request and states a thing that is not so.\n\n\\boxed{{{better}}}"
    )


def completion(call: ChatRequest, answer: str | Reply) -> bytes:
    """The body of a good answer, in OpenAI's form. Usage is made up: four bytes a token."""
    reply = Reply(text=answer) if isinstance(answer, str) else answer
    message: dict[str, object] = {"role": "assistant", "content": reply.text}
    if reply.thinking is not None:
        message["reasoning_content"] = reply.thinking
    prompt_tokens = reply.usage.prompt_tokens or len(call.body) // 4
    completion_tokens = reply.usage.completion_tokens or len(reply.text) // 4 + 1
    return orjson.dumps(
        {
            "id": f"chatcmpl-{call.number}",
            "object": "chat.completion",
            "model": reply.model or "test",
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason or "stop"}],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            },
        }
    )
