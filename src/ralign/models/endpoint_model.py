"""A chat model behind an OpenAI-compatible endpoint: vLLM, SGLang, a gateway, a provider.

What happens to a call:

| the endpoint                                          | the call                                              |
| ----------------------------------------------------- | ----------------------------------------------------- |
| answers                                               | `Reply`                                               |
| asks to wait (429, 503, 529)                          | tried again until its deadline, then `CallFailed`     |
| fails (408, 409, other 5xx, cut off, malformed, slow) | tried again `max_tries` times, then `CallFailed`      |
| does not take a parameter (400)                       | repeated without it, once per model; see `adapted`    |
| refuses this request (400, 403, 413, 422)             | `CallFailed`, one try                                 |
| refuses every request (401, 402, 404, redirect)       | `EndpointRefused`, one try; later calls not sent      |
| cannot be reached, and never could                    | `EndpointRefused` after `unreachable_after`           |
| cannot be reached any more                            | tried again until its deadline, then `CallFailed`     |
| failed for good `failures_in_a_row` times             | `EndpointDown` until a call is answered again         |
"""

import asyncio
import dataclasses
import random
import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ralign.errors import CallFailed, EndpointDown, EndpointRefused, InputError, RalignError
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_error import EndpointError
from ralign.models.model import Reply, Sampling
from ralign.models.protocol import encode, request_fields
from ralign.records import Message

_HINTS = {
    402: "check the account's credit",
    404: "check the address (one that ends in /chat/completions is used as it is) and the model's name",
    429: "check the account's credit and quota",
}


class EndpointModel:
    """One model of an endpoint; a `ChatModel`.

    Args:
        endpoint: where it is; several models may share it.
        name: the model's name there.
        extra_body: fields to send with every request (`chat_template_kwargs`, `reasoning_effort`); they win over
            those that the model's own call would send.

    Raises:
        InputError: `extra_body` holds a field that would break the protocol.
    """

    def __init__(
        self, endpoint: Endpoint, name: str, *, extra_body: Mapping[str, object] | None = None
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._extra_body = dict(extra_body or {})
        for field in ("model", "messages", "stream", "n"):
            if field in self._extra_body:
                raise InputError(f"the extra body of '{name}' holds '{field}', which ralign sets itself")
        self._adapted: dict[str, str | None] = {}
        self._answered = False
        self._asking_trivially = asyncio.Lock()
        self._refusal: str | None = None
        self._failed_in_a_row = 0
        self._jitter = random.Random()  # spreads retries; nothing that a result depends on

    def __repr__(self) -> str:
        return f"EndpointModel({self._name!r}, {self._endpoint!r})"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    @property
    def adapted(self) -> Mapping[str, str | None]:
        """Sampling parameters that the model does not take, and the name they are sent under; None: not sent."""
        return MappingProxyType(self._adapted)

    async def reply(
        self, messages: Sequence[Message], sampling: Sampling, *, seed: int | None = None
    ) -> Reply:
        """Answer the messages once; see the module's table for what is tried again.

        Raises:
            CallFailed: this call failed for good.
            EndpointRefused: no call can succeed.
        """
        # A call keeps its slot while it waits, so an endpoint in trouble is asked less.
        slots = self._endpoint.slots
        await slots.acquire()  # without `async with`, which costs two coroutines more
        try:
            if self._refusal is not None:
                raise EndpointRefused(self._refusal)
            outcome = await self._call(messages, sampling, seed)
            if isinstance(outcome, Reply):
                self._answered = True
                self._failed_in_a_row = 0
                return outcome
            raise await self._failure(outcome, sampling, seed)
        finally:
            slots.release()

    async def _call(
        self, messages: Sequence[Message], sampling: Sampling, seed: int | None
    ) -> Reply | EndpointError:
        """Try until there is a reply, a failure for good, or no time left."""
        retry = self._endpoint.retry
        clock = asyncio.get_running_loop().time
        started = now = clock()
        deadline = started + retry.deadline
        tries = broken = 0
        while True:
            fields = request_fields(self._name, messages, sampling, seed, self._adapted, self._extra_body)
            outcome = await self._endpoint.post(encode(fields), min(now + retry.try_timeout, deadline))
            if isinstance(outcome, Reply):
                return outcome
            parameter = outcome.parameter
            if parameter in fields and parameter not in self._extra_body:
                # The model does not take it. Of calls that were refused together, the first sees it and all repeat.
                self._adapted[parameter] = "max_completion_tokens" if parameter == "max_tokens" else None
                continue
            if outcome.kind in ("request", "refused"):
                return outcome
            tries += 1
            broken += outcome.kind == "broken"
            now = clock()
            wait = retry.wait(tries, outcome.retry_after, self._jitter)
            never_reached = outcome.kind == "unreachable" and not self._endpoint.reached
            if never_reached:
                wait = min(wait, max(started + retry.unreachable_after - now, 0.0))
            give_up = now + wait >= deadline or broken >= retry.max_tries or (never_reached and not wait)
            if give_up:
                how_long = f"{tries} {'try' if tries == 1 else 'tries'} in {now - started:.1f} s"
                return dataclasses.replace(outcome, message=f"{outcome.message} ({how_long})")
            await asyncio.sleep(wait)
            now += wait

    async def _failure(self, error: EndpointError, sampling: Sampling, seed: int | None) -> RalignError:
        """The exception for a call that failed for good."""
        endpoint = self._endpoint
        if error.kind == "unreachable" and not endpoint.reached:
            return EndpointRefused(
                f"cannot reach {endpoint.url}: {error.message}; is the server up, and the address right?"
            )
        if error.kind == "refused":
            return self._refuse(error)
        if error.kind == "request":
            # Not counted as a failure in a row: a file sorted by length may well end in twenty prompts too long.
            refuses_all = not self._answered and await self._refuses_the_trivial(sampling, seed)
            return self._refuse(error) if refuses_all else CallFailed(error.message)
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= endpoint.retry.failures_in_a_row:
            return EndpointDown(
                f"{self._failed_in_a_row} calls in a row to '{self._name}' at {endpoint.url} failed, "
                f"last: {error.message}; stopping; the same command continues",
                last=error.message,
            )
        return CallFailed(error.message)

    async def _refuses_the_trivial(self, sampling: Sampling, seed: int | None) -> bool:
        """Whether the model refuses a question that it has no reason to refuse."""
        # A model that refuses its first request is either misconfigured, and every call will fail, or was asked
        # something it cannot answer (a prompt too long), and all others will do. One refused prompt must not keep
        # the other 20,000 from running, nor a run that lacks only that prompt from ending.
        async with self._asking_trivially:
            for _ in range(2):  # twice, for one refusal may be a gateway's hiccup
                if self._answered or self._refusal is not None:
                    break
                # The mark keeps it apart from every other request in the endpoint's own log.
                question = Message(
                    role="user", content=f"Answer with one word: yes. [{secrets.token_hex(8)}]"
                )
                outcome = await self._call((question,), sampling, seed)
                if isinstance(outcome, Reply) or outcome.kind not in ("request", "refused"):
                    return False
            return not self._answered

    def _refuse(self, error: EndpointError) -> EndpointRefused:
        """Send no more calls to this model."""
        hint = _HINTS.get(error.status or 0, "check the model's name and the parameters")
        if error.status in (401, 403):
            hint = self._endpoint.key_hint()
        elif error.status is None or 300 <= error.status < 400:
            hint = "check the address"
        self._refusal = f"'{self._name}' at {self._endpoint.url} refuses: {error.message}; {hint}"
        return EndpointRefused(self._refusal)
