"""The judge's reward as verl calls it: one sample, by keywords, in one of several reward workers on a Ray cluster.

verl's configuration (written by `ralign.training.verl_config`):

    reward.custom_reward_function.path: pkg://ralign.training.verl_reward
    reward.custom_reward_function.name: compute_score
    reward.custom_reward_function.reward_kwargs: {reward: ralign, meta_judge: ..., meta_judge_url: ...}

Within a worker process all samples share one cap on calls, one memory of questions asked and one circuit breaker
(`ralign.training.reward_loop`). verl draws a worker at random for every sample, so equal judgments of a group share
their call only where they meet in one.

verl knows no None: every sample needs a number, and one exception fails its rollout. `unscored` says what becomes of a
judgment whose meta-judge failed:

- `stand_in`: it gets a stand-in score and `judge_ok` 0. Nothing is raised.
- `leave_out`: `NotScored` is raised. verl's V1 trainer, its default since 0.9, then drops that one trajectory and
  keeps the rest of its group; the trainer before it ends the step.

The stand-in is the mean of the last rewards, in this worker, of completions that were as right as this one: what is
expected of it, given all that is known. A 0 would say that its reason was wrong (Pitfall 2), a 1 that it was right; its
group's own mean cannot be known here, as the group's samples go to different workers. The verdict still counts, so
whoever trains through a long outage trains on outcomes alone. Therefore a worker whose meta-judge is down first holds
its samples back and asks again, for up to `patience` seconds; only then do stand-ins go out, and `judge_ok` says so.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from ralign.errors import RalignError
from ralign.training.completions import Completion
from ralign.training.verl_data import shown_pair
from ralign.training.verl_score import NotScored, VerlScore
from ralign.training.verl_worker import RewardSettings, RewardWorker, open_worker

__all__ = ["compute_score"]

_Opened = dict[tuple[RewardSettings, str | None], asyncio.Task[RewardWorker]]

_workers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Opened] = WeakKeyDictionary()
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
        extra_info: as `ralign.training.verl_data` wrote it.
        reward_router_address: host and port of the reward model that verl serves, where it serves one.
        reward_model_tokenizer: verl's; not used.
        reward_kwargs: the fields of `RewardSettings`.

    Raises:
        NotScored: nothing is known of the reward, and `unscored` is `leave_out`.
        TypeError: a setting that there is not; `ralign train` refuses it before the launch.
    """
    settings = RewardSettings(**reward_kwargs)
    try:
        shown = shown_pair(extra_info or {})
        worker = await _worker(settings, reward_router_address)
        completion = Completion(
            pair=shown.pair, order=shown.order, text=solution_str, thought_opened=settings.thought_opened
        )
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


async def _worker(settings: RewardSettings, router_address: str | None) -> RewardWorker:
    """This loop's worker for these settings; opened by whoever comes first."""
    opened = _workers.setdefault(asyncio.get_running_loop(), {})
    key = (settings, router_address)
    if key not in opened:
        opened[key] = asyncio.create_task(open_worker(settings, router_address))
    return await asyncio.shield(opened[key])
