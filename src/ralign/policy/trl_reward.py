"""The policy's reward as TRL's GRPO and RLOO trainers call it: lists in, a list of numbers and Nones out.

See `ralign.training.trl_reward` for what TRL does with it. Between two steps, whoever watches the training takes what
was graded (`take_graded`).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol, Self

from ralign.errors import InputError
from ralign.policy.grading import Graded, GradedBatch, PolicyCompletion
from ralign.policy.open_reward import OpenReward
from ralign.records import PreferencePair
from ralign.training.trl_reward import text_of

PROMPT_COLUMN = "prompt_id"


class TrainerState(Protocol):
    """What we read of the trainer's state."""

    global_step: int


class PolicyTrlReward:
    """A reward function for TRL; a context manager, around the whole of training.

    Args:
        open_reward: gives the reward, open for as long as training lasts, inside the trainer's event loop.
        pairs: by prompt id; the column `prompt_id` names them.
        end_tokens: ids that end an answer. One that does not end in any of them was cut off at the token limit.
        thought_opened: the chat template's generation prompt ends in `<think>`.
        name: what TRL logs the reward under.
    """

    def __init__(
        self,
        open_reward: Callable[[], AbstractAsyncContextManager[OpenReward]],
        pairs: Mapping[str, PreferencePair],
        *,
        end_tokens: Collection[int],
        thought_opened: bool = False,
        name: str = "judge",
    ) -> None:
        self.__name__ = name  # where TRL looks for it
        self._open_reward = open_reward
        self._pairs = pairs
        self._end_tokens = frozenset(end_tokens)
        self._thought_opened = thought_opened
        self._stack = AsyncExitStack()
        self._opened: OpenReward | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._graded: list[Graded] = []
        self._grading: set[asyncio.Task[GradedBatch]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the reward, in the loop that it was opened in, and end what an interrupted step left running there."""
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    def take_graded(self) -> list[Graded]:
        """What this process has graded since it was last asked, in the order of the completions."""
        graded, self._graded = self._graded, []
        return graded

    async def __call__(
        self,
        prompts: Sequence[object],
        completions: Sequence[object],
        completion_ids: Sequence[Sequence[int]],
        *,
        log_metric: Callable[[str, float], object] | None = None,
        log_extra: Callable[[str, list[Any]], object] | None = None,
        trainer_state: TrainerState | None = None,
        **columns: Sequence[Any],
    ) -> list[float | None]:
        """One reward a completion; None where it was not scored.

        Logs every rate of `ralign.policy.grading`, under the same names on every rank and at every step.

        Raises:
            InputError: the data lacks the column of prompt ids.
            MetaJudgeDown, EndpointRefused: see `Rewarder`.
        """
        del prompts
        if PROMPT_COLUMN not in columns:
            raise InputError(f"the dataset has no column {PROMPT_COLUMN}")
        read = [
            PolicyCompletion(
                pair=self._pairs[name],
                text=text_of(completion),
                finish_reason="stop" if ids and ids[-1] in self._end_tokens else "length",
                thought_opened=self._thought_opened,
            )
            for completion, ids, name in zip(completions, completion_ids, columns[PROMPT_COLUMN], strict=True)
        ]
        opened = await self._open()
        step = 0 if trainer_state is None else trainer_state.global_step
        grading = asyncio.create_task(_graded_by(opened, read, step))
        self._grading.add(grading)
        grading.add_done_callback(self._grading.discard)
        batch = await grading
        graded = list(batch.graded)
        self._graded += graded
        if log_metric is not None:
            for rate, value in batch.rates.items():
                log_metric(f"{self.__name__}/{rate}", value)
        if log_extra is not None:
            log_extra("verdicts", [_shown(each) for each in graded])
            log_extra("why_not_scored", [each.grade.problem for each in graded])
        return batch.rewards

    async def _open(self) -> OpenReward:
        if self._opened is None:
            self._loop = asyncio.get_running_loop()
            self._opened = await self._stack.enter_async_context(self._open_reward())
        return self._opened

    async def _close(self) -> None:
        for grading in self._grading:
            grading.cancel()
        await asyncio.gather(*self._grading, return_exceptions=True)
        await self._stack.aclose()


async def _graded_by(opened: OpenReward, completions: Sequence[PolicyCompletion], step: int) -> GradedBatch:
    """By the judge, and by the second one where it is its turn."""
    batch, second = await asyncio.gather(
        opened.rewarder.reward(completions), opened.second_grades(completions, step)
    )
    if second is None:
        return batch
    graded = [replace(one, second_score=grade.score) for one, grade in zip(batch.graded, second, strict=True)]
    return replace(batch, graded=graded)


def _shown(graded: Graded) -> str:
    """`ab A, ba B`."""
    return ", ".join(f"{order} {verdict or '-'}" for order, verdict in graded.grade.verdicts.items())
