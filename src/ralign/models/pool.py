"""The models of one run, opened from their specs: connections, keys and bounds on calls in flight are shared."""

import json
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Self, cast

from ralign.errors import InputError
from ralign.models.endpoint import Endpoint, read_headers
from ralign.models.endpoint_model import EndpointModel
from ralign.models.model import Budget, ChatModel, LoadLocalModel, ModelSpec, Price
from ralign.models.python import PythonFunction, open_python
from ralign.models.retry import RetryPolicy
from ralign.thinking import read_syntaxes


class ModelPool:
    """The models of one run with their connections open; an async context manager.

    Models with the same endpoint URL and the same key share its connections and its bound on calls in flight.
    `concurrency`: calls in flight to one endpoint; `deadline` and `try_timeout`: seconds, see `RetryPolicy`; `budget`:
    what all its calls together may cost.
    """

    def __init__(
        self,
        local_model: LoadLocalModel,
        *,
        concurrency: int,
        deadline: float,
        try_timeout: float,
        budget: Budget | None = None,
    ) -> None:
        self._local_model = local_model
        self._concurrency = concurrency
        self._retry = RetryPolicy(deadline=deadline, try_timeout=try_timeout)
        self._stack = AsyncExitStack()
        self._budget = budget
        self._endpoints: dict[tuple[object, ...], Endpoint] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def open(self, spec: ModelSpec, price: Price | None = None) -> ChatModel | PythonFunction:
        """The model, ready to be asked.

        Raises:
            InputError: a URL, a key, a header, a body, a tag or a Python name that cannot be used.
        """
        if spec.is_python:
            return open_python(spec.name, concurrency=self._concurrency, deadline=self._retry.deadline)
        if spec.url is None:
            local = self._local_model(spec.name)
            # A local model that batches has batches to end; a scripted one of the tests has nothing.
            if isinstance(local, AbstractAsyncContextManager):
                await self._stack.enter_async_context(local)
            return local
        thought_tags = read_syntaxes(f"{spec.flag}-thought-tags", spec.thought_tags)
        key = spec.url, spec.key_variable, spec.headers
        if key not in self._endpoints:
            endpoint = Endpoint(
                spec.url,
                key_variable=spec.key_variable,
                headers=read_headers(f"{spec.flag}-header", spec.headers),
                concurrency=self._concurrency,
                retry=self._retry,
            )
            self._endpoints[key] = await self._stack.enter_async_context(endpoint)
        # Read again for each model of the endpoint: what a body may hold is the model's business, not the address's.
        try:
            body: object = json.loads(spec.body or "{}")
        except json.JSONDecodeError as error:
            raise InputError(f"{spec.body_flag} is not JSON: {error}") from None
        if not isinstance(body, dict):
            raise InputError(f"{spec.body_flag} is {spec.body}, expected a JSON object")
        extra_body = cast("dict[str, object]", body)
        return EndpointModel(
            self._endpoints[key],
            spec.name,
            extra_body=extra_body,
            thought_tags=thought_tags,
            price=price,
            budget=self._budget,
        )
