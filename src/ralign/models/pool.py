"""Models as a command line names them: a name and an address, or a name alone for a model on this machine."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

from ralign.errors import InputError
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.model import ChatModel
from ralign.models.retry import RetryPolicy

LoadLocalModel = Callable[[str], ChatModel]
"""Loads a model on this machine by path or hub name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model that a run asks."""

    name: str
    url: str | None
    """Its endpoint; None: a model on this machine."""
    key_variable: str
    body: str | None = None
    """More fields for its requests, as a JSON object."""
    body_flag: str = "--body"
    """What errors call `body`."""


class ModelPool:
    """The models of one run with their connections open; an async context manager.

    Models at the same address with the same key share its connections and its bound on calls in flight.
    """

    def __init__(
        self, local_model: LoadLocalModel, *, concurrency: int, deadline: float, try_timeout: float
    ) -> None:
        """`concurrency`: calls in flight to one endpoint; `deadline` and `try_timeout`: seconds, see `RetryPolicy`."""
        self._local_model = local_model
        self._concurrency = concurrency
        self._patience = RetryPolicy(deadline=deadline, try_timeout=try_timeout)
        self._stack = AsyncExitStack()
        self._endpoints: dict[tuple[str, str], Endpoint] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def open(self, choice: ModelSpec) -> ChatModel:
        """The model, ready to be asked.

        Raises:
            InputError: an address, a key or a body that cannot be used.
        """
        if choice.url is None:
            local = self._local_model(choice.name)
            if isinstance(local, AbstractAsyncContextManager):  # one that batches ends its batches
                await self._stack.enter_async_context(local)
            return local
        place = choice.url, choice.key_variable
        if place not in self._endpoints:
            endpoint = Endpoint(
                choice.url,
                key_variable=choice.key_variable,
                concurrency=self._concurrency,
                patience=self._patience,
            )
            self._endpoints[place] = await self._stack.enter_async_context(endpoint)
        body = _body(choice.body, choice.body_flag)
        return EndpointModel(self._endpoints[place], choice.name, extra_body=body)


def _body(text: str | None, flag: str) -> dict[str, object]:
    if text is None:
        return {}
    try:
        body: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{flag} is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InputError(f"{flag} is {text}, expected a JSON object")
    return cast("dict[str, object]", body)
