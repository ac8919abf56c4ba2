"""Call of a running service for one answer's reward: `POST /reward` until there is an answer or no time left."""

import asyncio
import json
import os
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import aiohttp
import orjson

from ralign.errors import CallFailed, EndpointRefused, InputError
from ralign.models.retry import RetryPolicy, read_retry_after
from ralign.records import Order, Verdict

# May pass by itself: a full queue, a restart, a body that came too late.
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503})
# Spreads retries; nothing that a reward depends on.
_jitter = random.Random()


class Reward(NamedTuple):
    """Reward of one answer, as far as an engine needs the service's response."""

    reward: float | None
    reason: str | None
    score: float | None
    length_penalty: float
    format_penalty: float
    disagreed: bool
    """Whether the two orders gave different verdicts."""
    verdicts: Mapping[Order, Verdict | None] = MappingProxyType({})
    """By order; A is the policy's answer."""


def request_body(
    prompt: object, completion: object, reference: object, name: object, finish_reason: str | None = None
) -> bytes:
    """The body of a `/reward` request. Prompt and completion: a text, or messages (TRL's conversational data).

    Raises:
        InputError: one of them is neither.
    """
    if not isinstance(reference, str):
        raise InputError(f"the reference answer is {type(reference).__name__}, expected a text")
    conversation = _turns(
        [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt, "prompt"
    )
    if not isinstance(completion, str):
        completion = "".join(turn["content"] for turn in _turns(completion, "completion"))
    fields = {
        "conversation": conversation,
        "answer": completion,
        "reference_answer": reference,
        "id": None if name is None else str(name),
        "finish_reason": finish_reason,
    }
    try:
        return orjson.dumps(fields)
    except TypeError:
        # Half a surrogate pair, which no UTF-8 text can hold: a policy may say anything.
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")


def _turns(messages: object, what: str) -> list[dict[str, str]]:
    # verl hands nested columns on as numpy arrays, which are no sequences.
    turns: list[object] = list(cast("Sequence[object]", messages)) if hasattr(messages, "__len__") else []
    read: list[dict[str, str]] = []
    for turn in turns:
        fields = cast("Mapping[str, object]", turn) if isinstance(turn, Mapping) else {}
        role, content = fields.get("role"), fields.get("content")
        if not (isinstance(role, str) and isinstance(content, str)):
            raise InputError(f"the {what} has a turn without role and content")
        read.append({"role": role, "content": content})
    if not read:
        raise InputError(f"the {what} is neither a text nor messages")
    return read


async def post_reward(session: aiohttp.ClientSession, url: str, body: bytes, retry: RetryPolicy) -> Reward:
    """Ask `/reward` until there is an answer.

    Raises:
        CallFailed: no answer within the deadline, or the service's judge had none within its own.
        EndpointRefused: the service refuses the request.
    """
    address = f"{url.rstrip('/')}/reward"
    deadline = monotonic() + retry.deadline
    tries = 0
    while True:
        tries += 1
        retry_after = None
        try:
            timeout = aiohttp.ClientTimeout(total=max(deadline - monotonic(), 0.001))
            async with session.post(address, data=body, timeout=timeout, allow_redirects=False) as response:
                content = await response.read()
                # A redirect is refused like any other status: followed, a POST would arrive as a GET without its body.
                if response.status == 200:
                    return _read_reward(content)
                try:
                    reason = str(orjson.loads(content)["error"])
                except (orjson.JSONDecodeError, TypeError, KeyError):
                    reason = content[:200].decode("utf-8", "replace")
                problem = f"{address} answers {response.status}: {reason}"
                # The service has tried for its own deadline already.
                if response.status == 504:
                    raise CallFailed(problem)
                if response.status not in _TRY_AGAIN:
                    raise EndpointRefused(problem)
                retry_after = read_retry_after(response.headers, datetime.now(UTC))
        except aiohttp.InvalidURL:
            raise EndpointRefused(f"'{url}' is no address of a service") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"{address}: {type(error).__name__} {error}".rstrip()
        wait = retry.wait(tries, retry_after, _jitter)
        if monotonic() + wait >= deadline:
            raise CallFailed(f"{problem} ({tries} tries)")
        await asyncio.sleep(wait)


def _read_reward(content: bytes) -> Reward:
    try:
        fields: Any = orjson.loads(content)
        reward = fields["reward"]
        verdicts: dict[Order, Verdict | None] = fields.get("verdicts", {})
        return Reward(
            reward=None if reward is None else float(reward),
            reason=fields.get("reason"),
            score=fields.get("score"),
            length_penalty=float(fields.get("length_penalty", 0.0)),
            format_penalty=float(fields.get("format_penalty", 0.0)),
            disagreed=len(set(verdicts.values()) - {None}) == 2,
            verdicts=verdicts,
        )
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise EndpointRefused(
            f"the answer is not a reward ({error}); is the address that of ralign serve?"
        ) from None


def reward_session(token_variable: str) -> aiohttp.ClientSession:
    """Connections to the service, with the token that the variable holds; it may be unset.

    Raises:
        InputError: the token cannot be a header.
    """
    token = os.environ.get(token_variable, "").strip()
    if not (token.isascii() and token.isprintable()):
        raise InputError(f"the token in {token_variable} holds characters that no header can have")
    # No limit here: callers bound their concurrency, and a second bound would queue within the deadline unseen.
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0))
