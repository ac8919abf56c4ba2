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
| has never given a reply to anything                   | `EndpointDown` after `unanswered_after`               |
| cannot be reached any more                            | tried again until its deadline, then `CallFailed`     |
| failed for good `failures_in_a_row` times             | `EndpointDown` until a call is answered again         |

No try begins once the run's budget is spent: a call that would need another one is a `CallFailed`. Every try is paid
for by its tokens; one that broke off without telling them counts as an answered call costs on average.
"""

import asyncio
import dataclasses
import math
import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ralign.errors import CallFailed, EndpointDown, EndpointRefused, InputError, RalignError
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_error import EndpointError
from ralign.models.model import CHARACTERS_PER_TOKEN, Budget, Price, Reply, Sampling
from ralign.models.protocol import encode, request_fields
from ralign.records import Message, Usage
from ralign.thinking import Syntax

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
        thought_tags: of its thinking, beside those that are known.
        price: of its tokens.
        budget: of the run, shared by its models.

    Raises:
        InputError: `extra_body` holds a field that would break the protocol.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        name: str,
        *,
        extra_body: Mapping[str, object] | None = None,
        thought_tags: Sequence[Syntax] = (),
        price: Price | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._extra_body = dict(extra_body or {})
        self._thought_tags = thought_tags
        self._price = price
        self._budget = budget or Budget()
        self._completions = Usage()
        self._replies = 0
        # `stream` may be there: a stream is read as well, and some servers give nothing else.
        for field in ("model", "messages", "n"):
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
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return self._endpoint

    @property
    def thought_tags(self) -> Sequence[Syntax]:
        """Tags of its thinking, beside those that are known."""
        return self._thought_tags

    @property
    def failed_tries(self) -> Counter[str]:
        """How often a try at its endpoint failed, by how; models of one endpoint share it."""
        return self._endpoint.failed_tries

    @property
    def adapted(self) -> Mapping[str, str | None]:
        """Sampling parameters that the model does not take, and the name they are sent under; None: not sent."""
        return MappingProxyType(self._adapted)

    def fields(self, messages: Sequence[Message], sampling: Sampling, seed: int | None) -> dict[str, object]:
        """The fields of a request for these messages, in the parameters that the model takes."""
        return request_fields(self._name, messages, sampling, seed, self._adapted, self._extra_body)

    def adapt(self, parameter: str | None, fields: Mapping[str, object]) -> bool:
        """Send a parameter no more, or under another name; whether a request with these fields held it."""
        if parameter is None or parameter not in fields or parameter in self._extra_body:
            return False
        # Of calls that were refused together, the first sees it and all repeat.
        self._adapted[parameter] = "max_completion_tokens" if parameter == "max_tokens" else None
        return True

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
        """Try until there is a reply, a failure for good, no time or no money left."""
        endpoint, retry = self._endpoint, self._endpoint.retry
        clock = asyncio.get_running_loop().time
        started = now = clock()
        deadline = started + retry.deadline
        tries = broken = 0
        paid = Usage()
        outcome: Reply | EndpointError | None = None
        while not self._budget.exhausted:
            fields = self.fields(messages, sampling, seed)
            until = min(now + retry.try_timeout, deadline)
            outcome = await endpoint.post(encode(fields), until, self._thought_tags)
            paid = paid + outcome.usage if tries else outcome.usage
            self._charge(outcome, messages)
            if isinstance(outcome, Reply):
                return dataclasses.replace(outcome, usage=paid) if tries else outcome
            if self.adapt(outcome.parameter, fields):
                continue
            endpoint.count_failure(outcome.message, now)
            if outcome.kind in ("request", "refused"):
                return dataclasses.replace(outcome, usage=paid)
            tries += 1
            broken += outcome.kind == "broken"
            now = clock()
            wait = retry.wait(tries, outcome.retry_after, self._jitter)
            never_reached = outcome.kind == "unreachable" and not endpoint.reached
            hopeless_at = started + retry.unreachable_after if never_reached else self._hopeless_at()
            if now < hopeless_at:
                wait = min(wait, hopeless_at - now)
            hopeless = now >= hopeless_at and (never_reached or not endpoint.waiting)
            if hopeless or now + wait >= deadline or broken >= retry.max_tries:
                how_long = f"{tries} {'try' if tries == 1 else 'tries'} in {now - started:.1f} s"
                return dataclasses.replace(outcome, message=f"{outcome.message} ({how_long})", usage=paid)
            await asyncio.sleep(wait)
            now += wait
        spent = "--max-cost is spent"
        if outcome is None:
            raise CallFailed(f"not asked: {spent}")
        raise CallFailed(f"{outcome.message} (not asked again: {spent})", usage=paid)

    def _hopeless_at(self) -> float:
        """When to give an endpoint up that has never replied to anything, on the loop's clock."""
        endpoint = self._endpoint
        if endpoint.replied or endpoint.failed_since is None:
            return math.inf
        return endpoint.failed_since + endpoint.retry.unanswered_after

    def _charge(self, outcome: Reply | EndpointError, messages: Sequence[Message]) -> None:
        """Take what a try costs from the run's budget."""
        if self._price is None:
            return
        usage = outcome.usage
        if isinstance(outcome, Reply) and usage.completion_tokens:
            self._completions += usage
            self._replies += 1
        # A server that does not count, or a try that broke off after it had begun: a cap must not take it for free.
        uncounted = isinstance(outcome, Reply) or (outcome.kind == "broken" and outcome.status is None)
        if usage == Usage() and uncounted:
            said = len(outcome.text) + len(outcome.thinking or "") if isinstance(outcome, Reply) else 0
            asked = sum(len(message.content) for message in messages)
            average = self._completions.completion_tokens // max(1, self._replies)
            usage = Usage(
                prompt_tokens=asked // CHARACTERS_PER_TOKEN,
                completion_tokens=said // CHARACTERS_PER_TOKEN or average,
            )
        self._budget.spent += self._price.of(usage)

    async def _failure(self, error: EndpointError, sampling: Sampling, seed: int | None) -> RalignError:
        """The exception for a call that failed for good."""
        endpoint = self._endpoint
        if error.kind == "unreachable" and not endpoint.reached:
            return EndpointRefused(
                f"cannot reach {endpoint.url}: {error.message}; is the server up, and the address right?"
            )
        if asyncio.get_running_loop().time() >= self._hopeless_at():
            tries = sum(endpoint.failed_tries.values())
            reason, times = endpoint.failed_tries.most_common(1)[0]
            return EndpointDown(
                f"nothing at {endpoint.url} has been answered in {endpoint.retry.unanswered_after:.0f} s: "
                f"{tries:,} tries failed, {times:,} of them so: {reason}; the same command continues once it answers",
                last=error.message,
            )
        if error.kind == "refused":
            return self._refuse(error)
        if error.kind == "request":
            # Not counted as a failure in a row: a file sorted by length may well end in twenty prompts too long.
            refuses_all = not self._answered and await self._refuses_the_trivial(sampling, seed)
            return self._refuse(error) if refuses_all else CallFailed(error.message, usage=error.usage)
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= endpoint.retry.failures_in_a_row:
            return EndpointDown(
                f"{self._failed_in_a_row} calls in a row to '{self._name}' at {endpoint.url} failed, "
                f"last: {error.message}; stopping; the same command continues",
                last=error.message,
            )
        reason = "wrong_field" if error.wrong_field else "no_reply"
        return CallFailed(error.message, reason=reason, usage=error.usage)

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
