"""A judge's reward as verl calls it: one sample, by keywords, in one of several reward workers on a Ray cluster.

verl's configuration (written by `ralign.training.engines.verl.config`):

    reward.custom_reward_function.path: pkg://ralign.training.engines.verl.reward
    reward.custom_reward_function.name: compute_score
    reward.custom_reward_function.reward_kwargs: {reward: ralign, meta_judge: ..., meta_judge_url: ...}

Within a worker process all samples share one cap on calls, one memory of questions asked and one circuit breaker
(`ralign.training.reward.judge_reward`). verl draws a worker at random for every sample, so equal judgments of a group
share their call only where they meet in one.

verl knows no None: every sample needs a number, and one exception fails its rollout. `unscored` says what becomes of a
judgment whose meta-judge failed:

- `fallback`: it gets a fallback score and `judge_ok` 0. Nothing is raised.
- `leave_out`: `NotScored` is raised. verl's V1 trainer, its default since 0.9, then drops that one trajectory and
  keeps the rest of its group; the trainer before it ends the step.

The fallback is the mean of the last rewards, in this worker, of completions that were as right as this one: what is
expected of it, given all that is known. A 0 would say that its reason was wrong, a 1 that it was right; its
group's own mean cannot be known here, as the group's samples go to different workers. The verdict still counts, so
whoever trains through a long outage trains on outcomes alone. Therefore a worker whose meta-judge is down first holds
its samples back and asks again, for up to `outage_patience` seconds; only then do fallbacks go out, and `judge_ok`
says so.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from weakref import WeakKeyDictionary

from ralign.errors import RalignError
from ralign.thinking import read_syntaxes, retagged
from ralign.training.engines.verl.data import shown_pair
from ralign.training.engines.verl.score import NotScored, VerlScore
from ralign.training.engines.verl.worker import RewardSettings, RewardWorker, open_worker
from ralign.training.reward.scored import Completion

__all__ = ["compute_score"]


# A worker beside what keeps it open. A worker of verl's is not told of its end, so nobody leaves this context. It is an
# asynchronous generator, which asyncio closes with the loop: so are its connections.
Opened = tuple[asyncio.Task[RewardWorker], AbstractAsyncContextManager[RewardWorker]]

_workers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[RewardSettings, str | None], Opened]] = (
    WeakKeyDictionary()
)
"""A reward worker of verl's has one loop and one set of settings; connections belong to a loop."""

_log = logging.getLogger(__name__)


async def compute_score(
    data_source: object,
    solution_str: str,
    ground_truth: object,
    extra_info: Mapping[str, Any] | None = None,
    reward_router_address: str | None = None,
    reward_model_tokenizer: object = None,
    **reward_kwargs: Any,
) -> VerlScore:
    """One sample's reward. Raises nothing that a meta-judge, an endpoint or a row of the data can cause.

    Args:
        data_source: the pair's benchmark; not used.
        solution_str: the completion, decoded, without special tokens.
        ground_truth: the letter a right judgment ends in; not used, as `extra_info` has the label.
        extra_info: as `ralign.training.engines.verl.data` wrote it.
        reward_router_address: host and port of the reward model that verl serves, where it serves one.
        reward_model_tokenizer: verl's; not used.
        reward_kwargs: as `RewardSettings.kwargs` gives them.

    Raises:
        NotScored: nothing is known of the reward, and `unscored` is `leave_out`.
        TypeError: a setting that there is not; `ralign train` refuses it before the launch.
    """
    settings = RewardSettings.of(reward_kwargs)
    try:
        pair, order = shown_pair(extra_info or {})
        opened = _workers.setdefault(asyncio.get_running_loop(), {})
        key = settings, reward_router_address
        # By whoever comes first.
        if key not in opened:
            context = open_worker(settings, reward_router_address)
            opened[key] = asyncio.ensure_future(context.__aenter__()), context
        # Shielded: a sample that verl gives up must not end the opening that all others wait for.
        worker = await asyncio.shield(opened[key][0])
        text = retagged(solution_str, read_syntaxes("thought_tags", settings.thought_tags))
        completion = Completion(pair=pair, order=order, text=text, thought_opened=settings.thought_opened)
        # verl's rollout notes which weights it sampled with; other callers do not.
        weights = (extra_info or {}).get("max_global_steps")
        return await worker.score(completion, weights=weights if isinstance(weights, int) else 0)
    except NotScored:
        raise
    except RalignError as error:
        # A row that is not ours, or settings that open no meta-judge: not even the verdict is known.
        if settings.unscored == "leave_out":
            raise NotScored(str(error)) from error
        _log.error("no reward: %s", error)
        return VerlScore(score=0.0, acc=0.0, aligned=0.0, asked=1.0, parsed=0.0, judge_ok=0.0)
