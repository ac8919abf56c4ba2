"""A task's reward as TRL's GRPO trainer calls it: lists in, a list of numbers and Nones out.

What TRL 1.16 does with it (`trl/trainer/grpo_trainer.py`): an object whose `__call__` is `async def` runs on an event
loop in a thread of the trainer's own, with no timeout; columns come as keyword arguments, one entry a completion;
conversational prompts bring completions as lists of messages; None becomes NaN, which is left out of its group's mean
and spread and whose advantage is 0; whatever is raised ends training. A group with one scored completion, or none, has
advantage 0 throughout. Every completion is in the loss's denominator, scored or not.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Self, cast

from transformers import TrainerState

from ralign.errors import InputError
from ralign.thinking import CLOSER, OPENER
from ralign.training.reward.scored import BatchReward, Completion, Scored, ScoredBatch

ReadCompletion = Callable[[int, str, str], Completion]
"""Takes the row of the data, the sampled text, and its finish reason."""


class TrlReward:
    """Reward function for TRL; a context manager, around the whole of training.

    The dataset needs a column `row`, which names the example that a completion is of.

    Args:
        open_reward: opens the reward inside the trainer's event loop: an endpoint's connections belong to one loop.
        read: makes a completion of a row and a text.
        end_tokens: ids that end a completion. One that does not end in any of them was cut off at the token limit.
        decode: makes the text of a completion's ids, where TRL's own lacks the marks of its thought.
        updates: optimizer steps a training step takes.
        name: what TRL logs the reward under.
    """

    def __init__(
        self,
        open_reward: Callable[[], AbstractAsyncContextManager[BatchReward]],
        read: ReadCompletion,
        *,
        end_tokens: Collection[int],
        decode: Callable[[Sequence[int]], str] | None = None,
        updates: int = 1,
        name: str = "ralign",
    ) -> None:
        # Where TRL looks for the name that it logs a reward under.
        self.__name__ = name
        self._open_reward = open_reward
        self._read = read
        self._end_tokens = frozenset(end_tokens)
        self._decode = decode
        self._updates = updates
        self._stack = AsyncExitStack()
        self._reward: BatchReward | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening = asyncio.Lock()
        self._scoring: set[asyncio.Task[ScoredBatch[Scored]]] = set()
        self._rows: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the reward, in the loop that it was opened in, and end what an interrupted step left running there."""
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    def take_rows(self) -> list[int]:
        """Rows that completions were of since it was last asked."""
        rows, self._rows = self._rows, []
        return rows

    async def __call__(
        self,
        completions: Sequence[object],
        completion_ids: Sequence[Sequence[int]],
        *,
        row: Sequence[int],
        log_metric: Callable[[str, float], object] | None = None,
        log_extra: Callable[[str, list[Any]], object] | None = None,
        trainer_state: TrainerState | None = None,
        **unused: object,
    ) -> list[float | None]:
        """One reward a completion; None where it was not scored.

        Logs every metric of the reward, under the same names on every rank and at every step.

        Raises:
            InputError: a pair without its gold rationale, or what is no completion.
            MetaJudgeDown, EndpointRefused: see `BatchReward.score`.
        """
        # Prompts, and the engine's other columns.
        del unused
        self._rows.extend(row)
        read = [
            self._read(
                number,
                text_of(completion) if self._decode is None else self._decode(ids),
                "stop" if ids and ids[-1] in self._end_tokens else "length",
            )
            for completion, ids, number in zip(completions, completion_ids, row, strict=True)
        ]
        # In the trainer's loop, at the first batch: no earlier moment of ours runs in it.
        async with self._opening:
            if self._reward is None:
                self._loop = asyncio.get_running_loop()
                self._reward = await self._stack.enter_async_context(self._open_reward())
        step = 0 if trainer_state is None else trainer_state.global_step // self._updates
        # A task, so that what an interrupted step (Ctrl-C, out of memory) leaves running can be ended at the close.
        scoring = asyncio.create_task(self._reward.score(read, step=step))
        self._scoring.add(scoring)
        scoring.add_done_callback(self._scoring.discard)
        batch = await scoring
        if log_metric is not None:
            for metric, value in batch.metrics.items():
                log_metric(f"{self.__name__}/{metric}", value)
        if log_extra is not None:
            columns = [each.columns() for each in batch.scored]
            for name in columns[0] if columns else ():
                log_extra(name, [each[name] for each in columns])
        return batch.rewards

    async def _close(self) -> None:
        for scoring in self._scoring:
            scoring.cancel()
        await asyncio.gather(*self._scoring, return_exceptions=True)
        await self._stack.aclose()


def text_of(completion: object) -> str:
    """A completion as one text: it is one, or it is the message that TRL made of it.

    A tokenizer that parses responses has parted the thinking from the content (`reasoning_content`, or `thinking` in
    some templates); here they are put together again.

    Raises:
        InputError: it is neither.
    """
    if isinstance(completion, str):
        return completion
    messages = cast("Sequence[Mapping[str, object]]", completion)
    if not isinstance(completion, list) or len(messages) != 1:
        raise InputError(f"a completion is {completion!r:.60}, expected a text or a list of one message")
    content = messages[0].get("content") or ""
    thinking = messages[0].get("reasoning_content") or messages[0].get("thinking")
    if not isinstance(content, str):
        raise InputError(f"a completion's content is {content!r:.60}, expected a text")
    return f"{OPENER}{thinking}{CLOSER}{content}" if thinking else content
