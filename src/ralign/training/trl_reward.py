"""The reward as TRL's GRPO and RLOO trainers call it: lists in, a list of numbers and Nones out.

    with TrlReward(open_reward, end_tokens=trainer_eos_ids) as reward:
        trainer = GRPOTrainer(reward_funcs=reward, train_dataset=Dataset.from_list([
            {"prompt": prompt_of(pair), **pair_columns(pair, "ab")} for pair in pairs]), ...)
        trainer.train()

What TRL 1.16 does with it (`trl/trainer/grpo_trainer.py`): an object whose `__call__` is `async def` runs on an event
loop in a thread of the trainer's own, with no timeout; columns come as keyword arguments, one entry a completion;
conversational prompts bring completions as lists of messages; None becomes NaN, which is left out of its group's mean
and spread and whose advantage is 0; whatever is raised ends training. A group with one scored completion, or none, has
advantage 0 throughout. Every completion is in the loss's denominator, scored or not.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Self, cast

from ralign.errors import InputError
from ralign.files.pair_rows import pair_from_row, row_from_pair
from ralign.files.rows import RowLocation
from ralign.records import Order, PreferencePair
from ralign.thinking import CLOSER, OPENER
from ralign.training.completions import Completion, ScoredBatch, ScoredCompletion
from ralign.training.outage import problem_of
from ralign.training.reward_loop import GenRMReward

OpenReward = Callable[[], AbstractAsyncContextManager[GenRMReward]]
"""Opens the reward inside the trainer's event loop: an endpoint's connections belong to one loop."""

PAIR_COLUMNS = ("pair", "benchmark", "order")


def pair_columns(pair: PreferencePair, order: Order) -> dict[str, str]:
    """The dataset columns that the reward needs of a row; the engine's own `prompt` comes beside them.

    The pair travels as one JSON text, in the interchange format: Arrow would give every row of a nested column the
    same keys, and rows differ (`source` is an object or a string, unknown columns come and go).
    """
    return {
        "pair": json.dumps(row_from_pair(pair), ensure_ascii=False),
        "benchmark": pair.benchmark,
        "order": order,
    }


class TrlReward:
    """A reward function for TRL; a context manager, around the whole of training.

    Args:
        open_reward: gives the reward, open for as long as training lasts.
        end_tokens: ids that end a completion. One that does not end in any of them was cut off at the token limit and
            has no verdict.
        thought_opened: the chat template's generation prompt ends in `<think>`.
        name: what TRL logs the reward under.
    """

    def __init__(
        self,
        open_reward: OpenReward,
        *,
        end_tokens: Collection[int],
        thought_opened: bool = False,
        name: str = "ralign",
    ) -> None:
        self.__name__ = name  # where TRL looks for it
        self._open_reward = open_reward
        self._end_tokens = frozenset(end_tokens)
        self._thought_opened = thought_opened
        self._stack = AsyncExitStack()
        self._reward: GenRMReward | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening = asyncio.Lock()
        self._scoring: set[asyncio.Task[ScoredBatch]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the reward, in the loop that it was opened in, and end what an interrupted step left running there."""
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    async def __call__(
        self,
        prompts: Sequence[object],
        completions: Sequence[object],
        completion_ids: Sequence[Sequence[int]],
        *,
        log_metric: Callable[[str, float], object] | None = None,
        log_extra: Callable[[str, list[Any]], object] | None = None,
        trainer_state: object = None,
        **columns: Sequence[Any],
    ) -> list[float | None]:
        """One reward a completion; None where it was not scored.

        Logs every rate of `ralign.training.rates`, under the same names on every rank and at every step.

        Raises:
            InputError: the data lacks a column, or a pair its gold rationale.
            MetaJudgeDown, EndpointRefused: see `GenRMReward.score`.
        """
        del prompts, trainer_state
        if missing := [name for name in PAIR_COLUMNS if name not in columns]:
            raise InputError(f"the dataset has no column {', '.join(missing)}; `pair_columns` makes them")
        reward = await self._opened()
        scoring = asyncio.create_task(reward.score(self._read(completions, completion_ids, columns)))
        self._scoring.add(scoring)
        scoring.add_done_callback(self._scoring.discard)
        batch = await scoring
        if log_metric is not None:
            for rate, value in batch.rates.items():
                log_metric(f"{self.__name__}/{rate}", value)
        if log_extra is not None:
            log_extra("verdict", [each.judgment.verdict for each in batch.scored])
            log_extra("aligned", [each.meta_judgment and each.meta_judgment.aligned for each in batch.scored])
            log_extra("why_not_scored", [_why_not_scored(each) for each in batch.scored])
        return batch.rewards

    async def _opened(self) -> GenRMReward:
        async with self._opening:
            if self._reward is None:
                self._loop = asyncio.get_running_loop()
                self._reward = await self._stack.enter_async_context(self._open_reward())
            return self._reward

    async def _close(self) -> None:
        for scoring in self._scoring:
            scoring.cancel()
        await asyncio.gather(*self._scoring, return_exceptions=True)
        await self._stack.aclose()

    def _read(
        self,
        completions: Sequence[object],
        completion_ids: Sequence[Sequence[int]],
        columns: Mapping[str, Sequence[Any]],
    ) -> list[Completion]:
        pairs: dict[tuple[str, str], PreferencePair] = {}  # a group's completions share one
        read: list[Completion] = []
        rows = zip(completions, completion_ids, *(columns[name] for name in PAIR_COLUMNS), strict=True)
        for number, (completion, ids, text, benchmark, order) in enumerate(rows, start=1):
            if (text, benchmark) not in pairs:
                place = RowLocation("the column 'pair'", number)
                pairs[text, benchmark] = pair_from_row(json.loads(text), place, benchmark=benchmark)
            read.append(
                Completion(
                    pair=pairs[text, benchmark],
                    order=order,
                    text=text_of(completion),
                    finish_reason="stop" if ids and ids[-1] in self._end_tokens else "length",
                    thought_opened=self._thought_opened,
                )
            )
        return read


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


def _why_not_scored(scored: ScoredCompletion) -> str | None:
    if scored.reward is not None or scored.meta_judgment is None:
        return None
    return problem_of(scored.meta_judgment)
