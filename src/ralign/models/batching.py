"""Concurrent calls gathered into batches, for models that answer many requests at once.

Callers await `submit`; what comes together runs together, in one worker thread, so that the event loop stays
alive and a model that holds no lock is never entered twice.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Self, TypeVar

from ralign.errors import InputError

Request = TypeVar("Request")
Result = TypeVar("Result")


class Batcher(Generic[Request, Result]):
    """Runs a batch function on requests that come one by one; an async context manager.

    Args:
        run_batch: takes up to `max_size` requests and returns their results in the same order. What it raises
            reaches every caller of the batch. It runs outside the event loop's thread, one batch at a time.
        max_size: requests in one batch at most.
        max_wait: seconds that the first request of a batch waits for others.
    """

    def __init__(
        self, run_batch: Callable[[list[Request]], list[Result]], *, max_size: int, max_wait: float = 0.01
    ) -> None:
        if max_size < 1:
            raise InputError(f"the batch size is {max_size}, expected at least 1")
        self._run_batch = run_batch
        self._max_size = max_size
        self._max_wait = max_wait
        self._waiting: deque[tuple[Request, asyncio.Future[Result]]] = deque()
        self._full = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch")
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def submit(self, request: Request) -> Result:
        """The request's result.

        A caller that is cancelled while it waits drops out of its batch; one whose batch runs already is let go.

        Raises:
            RuntimeError: the batcher is closed.
            Exception: whatever the batch function raised.
        """
        if self._closed:
            raise RuntimeError("the Batcher is closed")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if len(self._waiting) >= self._max_size:
            self._full.set()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        """Let the batch that runs end, and cancel the callers that still wait for theirs."""
        self._closed = True
        self._full.set()
        for _, future in self._waiting:
            future.cancel()
        try:
            if self._worker is not None:
                await self._worker
        finally:
            self._executor.shutdown(wait=False)

    async def _work(self) -> None:
        """Run batches until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            if len(self._waiting) < self._max_size and not self._closed:
                # The first request waits a moment for others: a model answers sixteen in little more time than one.
                self._full.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._max_wait):
                        await self._full.wait()
            batch: list[tuple[Request, asyncio.Future[Result]]] = []
            while self._waiting and len(batch) < self._max_size:
                request, future = self._waiting.popleft()
                # A caller that was cancelled while it waited has gone: nobody pays for its answer.
                if not future.done():
                    batch.append((request, future))
            if not batch:
                continue
            running = loop.run_in_executor(self._executor, self._run_batch, [request for request, _ in batch])
            # Waited for, not awaited: an exception is the callers', and not for this task to raise.
            await asyncio.wait([running])
            error = running.exception()
            results = [] if error is not None else running.result()
            if error is None and len(results) != len(batch):
                error = RuntimeError(
                    f"the batch function gave {len(results)} results for {len(batch)} requests"
                )
            for index, (_, future) in enumerate(batch):
                if future.done():
                    continue
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(results[index])
