"""Client of `ralign serve`: the reward as TRL and verl call it. Needs no web framework.

TRL:

    trainer = GRPOTrainer(reward_funcs=HttpReward("http://judge:8765"), ...)   # with a column reference_answer

verl, in its configuration:

    reward.custom_reward_function.path: pkg://ralign.serving.client
    reward.custom_reward_function.name: compute_score
    reward.custom_reward_function.reward_kwargs: {url: "http://judge:8765"}

What happens to one answer's request:

| the service                              | HttpReward                        | compute_score            |
| ---------------------------------------- | --------------------------------- | ------------------------ |
| gives a reward                           | the number                        | it, `judge_ok` 1         |
| gives none (no verdict), or 504          | None                              | fallback, `judge_ok` 0   |
| is full (429), restarts (503, no answer) | asked again until the deadline, then None | the same, fallback |
| refuses the request (401, 404, 413, 422) | `EndpointRefused`: training ends  | fallback, `judge_ok` 0   |

A session lasts for one call: both engines run their own event loops, and a session belongs to one.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from ralign.errors import CallFailed, EndpointRefused, InputError, RalignError
from ralign.models.retry import RetryPolicy
from ralign.serving.reward_call import Reward, post_reward, request_body, reward_session

__all__ = ["HttpReward", "VerlScore", "compute_score"]

FALLBACK = 0.0
"""verl's score where the judge gave none: halfway between a win and a loss."""

_log = logging.getLogger(__name__)


class HttpReward:
    """A reward function for TRL's GRPO and RLOO trainers, and for anything that calls with lists.

    Args:
        url: the service's address.
        reference_column: the dataset's column with the reference answers.
        id_column: the column with the prompts' ids, where there is one: all completions of a prompt share a side.
        token_variable: the environment variable with the service's token; it may be unset.
        concurrency: concurrent requests of this process.
        deadline: seconds one completion's reward may take, waits and retries included.
    """

    def __init__(
        self,
        url: str,
        *,
        reference_column: str = "reference_answer",
        id_column: str = "id",
        token_variable: str = "RALIGN_SERVE_TOKEN",
        concurrency: int = 64,
        deadline: float = 600.0,
    ) -> None:
        if concurrency < 1:
            raise InputError(f"concurrency is {concurrency}, expected at least 1")
        # What the trainer logs it under.
        self.__name__ = "judge"
        self._url = url
        self._reference_column = reference_column
        self._id_column = id_column
        self._token_variable = token_variable
        self._concurrency = concurrency
        self._retry = RetryPolicy(deadline=deadline)

    async def __call__(
        self,
        prompts: Sequence[object],
        completions: Sequence[object],
        completion_ids: Sequence[object] | None = None,
        trainer_state: object = None,
        log_extra: Callable[..., object] | None = None,
        log_metric: Callable[[str, float], object] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """One reward a completion; None where the judge gave no verdict in time.

        Raises:
            InputError: the data has no column of reference answers.
            EndpointRefused: the service refuses our requests; training on would be training on nothing.
        """
        if self._reference_column not in columns:
            raise InputError(
                f"the dataset has no column '{self._reference_column}', found {', '.join(sorted(columns)) or 'none'}"
            )
        references: Sequence[str] = columns[self._reference_column]
        # Without ids the service names prompts by their text, so a prompt's completions share a side all the same.
        ids: Sequence[object] = columns.get(self._id_column) or [None] * len(completions)
        bodies = [
            request_body(prompt, completion, reference, name)
            for prompt, completion, reference, name in zip(prompts, completions, references, ids, strict=True)
        ]
        slots = asyncio.Semaphore(self._concurrency)
        async with reward_session(self._token_variable) as session:

            async def ask(body: bytes) -> Reward | None:
                async with slots:
                    try:
                        return await post_reward(session, self._url, body, self._retry)
                    except CallFailed as error:
                        _log.warning("no reward: %s", error)
                        return None

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(ask(body)) for body in bodies]
            except* EndpointRefused as refusals:
                # One of them says it; all others were cancelled.
                raise EndpointRefused(str(refusals.exceptions[0])) from None
        rewards = [task.result() for task in tasks]
        if log_metric is not None:
            # Always the same keys, with no completions too: TRL gathers them over all ranks.
            unscored = sum(reward is None or reward.reward is None for reward in rewards)
            disagreed = sum(reward is not None and reward.disagreed for reward in rewards)
            log_metric("judge/unscored", unscored / max(len(rewards), 1))
            log_metric("judge/order_disagreement", disagreed / max(len(rewards), 1))
        return [None if reward is None else reward.reward for reward in rewards]


class VerlScore(TypedDict):
    """Result of `compute_score`. Always these keys: verl takes the first sample's for all others."""

    score: float
    judge_ok: float
    """1, or 0 where the score is a fallback."""
    judge_score: float
    length_penalty: float
    format_penalty: float
    order_disagreement: float


async def compute_score(
    data_source: object,
    solution_str: str,
    ground_truth: object,
    extra_info: Mapping[str, Any] | None = None,
    reward_router_address: str | None = None,
    reward_model_tokenizer: object = None,
    *,
    url: str,
    token_variable: str = "RALIGN_SERVE_TOKEN",
    deadline: float = 600.0,
    **unused: object,
) -> VerlScore:
    """One sample's reward for verl. Never raises: verl's manager has no net, and one exception ends the step.

    Args:
        data_source: verl's; not used.
        solution_str: the policy's answer, decoded.
        ground_truth: the reference answer, `reward_model.ground_truth` of verl's row.
        extra_info: `messages` (role, content; verl does not pass the prompt), and `id` where there is one.
        reward_router_address: verl's; not used.
        reward_model_tokenizer: verl's; not used.
        url: the service's address, from `reward_kwargs`.
        token_variable: the environment variable with its token.
        deadline: seconds the reward may take in all.
        unused: whatever else verl passes.
    """
    reward: Reward | None = None
    try:
        info = extra_info or {}
        body = request_body(info.get("messages"), solution_str, ground_truth, info.get("id"))
        async with reward_session(token_variable) as session:
            reward = await post_reward(session, url, body, RetryPolicy(deadline=deadline))
        reason = reward.reason
    except RalignError as error:
        reason = str(error)
    judge_ok = reward is not None and reward.reward is not None
    if reward is None or reward.reward is None:
        _log.warning("a fallback was given: %s", reason)
        # No penalties either: they would be logged beside a score that they are no part of.
        reward = Reward(FALLBACK, None, FALLBACK, 0.0, 0.0, disagreed=False)
    return {
        "score": FALLBACK if reward.reward is None else reward.reward,
        "judge_ok": float(judge_ok),
        "judge_score": FALLBACK if reward.score is None else reward.score,
        "length_penalty": reward.length_penalty,
        "format_penalty": reward.format_penalty,
        "order_disagreement": float(reward.disagreed),
    }
