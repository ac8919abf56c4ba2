"""Reward worker of verl's: the meta-judge opened once, the reward in the loop, and the fallbacks.

Comes in: `RewardSettings`, then one completion at a time, many at once. Goes out: `VerlScore`, always the same keys.
See `ralign.training.engines.verl.reward` for what verl makes of it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

from ralign.errors import EndpointRefused, InputError, MetaJudgeDown, WriteFailed
from ralign.judging import BOXED, Prompt, VerdictFormat, verdict_format
from ralign.metajudging import META_PROMPT
from ralign.models import ChatModel
from ralign.rewards.judge import JudgeReward
from ralign.training.config import Unscored
from ralign.training.engines.verl.score import FallbackScore, NotScored, RewardLog, VerlScore
from ralign.training.options import JudgeRewardOptions, RewardCalls
from ralign.training.reward.judge_reward import (
    GenRMReward,
    open_judge_reward,
    read_completion,
    reward_rule,
)
from ralign.training.reward.outage import OutagePlan, warn
from ralign.training.reward.scored import Completion, ScoredJudgment

_REST: Final = 300.0
"""Seconds without a call after a meta-judge was given up: every sample that asked would cost a probe."""

_REPEATED: Final = ("_header", "thought_tags")
"""Ends of the names of flags that may be repeated."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """Settings that travel in `reward_kwargs`, the same in every worker: the command's groups, and a few more."""

    reward: JudgeRewardOptions
    """Without `meta_judge_url`: verl's own reward model, at the address of verl's router; or a Python function, to be
    importable on every node."""
    calls: RewardCalls
    """For one worker: its share of the calls in flight. The deadline is a sample's."""
    first_wait: float = 5.0
    """Seconds before a meta-judge that is down is asked again for the first time."""
    unscored: Unscored = "fallback"
    reward_log: str | None = None
    """Folder, shared by all nodes, where every worker writes what its samples got."""
    thought_opened: bool = False
    """The policy's chat template ends in `<think>`: a text without `</think>` is all thought."""
    thought_tags: tuple[str, ...] = ()
    """The policy's further tags, each as `OPENER CLOSER`."""
    seed: int = 0
    verdict: str = "boxed"
    """Format of the verdicts, as `--verdict` takes it."""

    def kwargs(self) -> dict[str, object]:
        """One field a key, every one of them, so that the configuration says what the run was rewarded for."""
        own = {field.name: getattr(self, field.name) for field in fields(self)[2:]}
        # Hydra's configuration knows numbers, texts and None: a path travels as its text.
        prompt = self.reward.meta_prompt
        named = {"meta_prompt": None if prompt is None else str(prompt)}
        return {**asdict(self.reward), **named, **asdict(self.calls), **own}

    @classmethod
    def of(cls, kwargs: Mapping[str, Any]) -> Self:
        """The settings that such keys name; what is missing has its default.

        Raises:
            TypeError: a key that there is not.
        """
        # Hydra knows lists, of a class of its own.
        rest: dict[str, Any] = {
            name: tuple(value) if name.endswith(_REPEATED) else value for name, value in kwargs.items()
        }

        def taken(kind: type[Any]) -> dict[str, Any]:
            return {field.name: rest.pop(field.name) for field in fields(kind) if field.name in rest}

        reward = taken(JudgeRewardOptions)
        if reward.get("meta_prompt") is not None:
            reward["meta_prompt"] = Path(reward["meta_prompt"])
        calls = taken(RewardCalls)
        return cls(reward=JudgeRewardOptions(**reward), calls=RewardCalls(**calls), **rest)


class RewardWorker:
    """The reward of one worker process. Belongs to the event loop that it is first used in.

    Args:
        reward: the reward in the loop; None where its meta-judge cannot be asked from this process.
        formula: the same reward's formula, for what needs no meta-judge and for the fallbacks.
        unscored: what becomes of a completion without a reward.
        written_in: where a completion's verdict is found.
        log: where every score is written; None: nowhere.
    """

    def __init__(
        self,
        reward: GenRMReward | None,
        formula: JudgeReward,
        *,
        unscored: Unscored,
        log: RewardLog | None,
        written_in: VerdictFormat = BOXED,
    ) -> None:
        self._written_in = written_in
        self._reward = reward
        self._formula = formula
        self._unscored: Unscored = unscored
        self._log = log
        self._fallback = FallbackScore(formula)
        self._gave_up = asyncio.Event()
        self._rest_until = 0.0

    async def score(self, completion: Completion, *, weights: int = 0) -> VerlScore:
        """One completion's score. `weights`: the training step whose weights sampled it, for the log.

        Raises:
            InputError: its pair has no gold rationale, and the reward needs one.
            NotScored: nothing is known of its reward, and `unscored` is to leave it out.
        """
        scored = await self._scored(completion)
        asked = scored.meta_judgment is not None or scored.reward is None
        if scored.reward is not None and asked:
            self._fallback.observe(scored.reward, right=scored.right)
        score = VerlScore(
            score=self._fallback.of(right=scored.right) if scored.reward is None else scored.reward,
            acc=float(scored.right),
            aligned=float(scored.meta_judgment is not None and scored.meta_judgment.aligned is True),
            asked=float(asked),
            parsed=float(scored.judgment.verdict is not None),
            judge_ok=float(scored.reward is not None),
        )
        if self._log is not None:
            try:
                self._log.append(completion.pair.id, weights, score)
            except WriteFailed as error:
                # A full disk is no reason to lose the score, nor to say so for every sample.
                _log.error("no more scores are written: %s", error)
                self.close()
        if scored.reward is None and self._unscored == "leave_out":
            raise NotScored(f"pair '{completion.pair.id}': the meta-judge gave no meta-judgment")
        return score

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    async def _scored(self, completion: Completion) -> ScoredJudgment:
        """Ask, and wait through an outage; when one sample has waited in vain, all that wait with it go on too."""
        if self._reward is None or monotonic() < self._rest_until:
            return self._without_meta_judge(completion)
        scoring = asyncio.create_task(self._reward.score_one(completion))
        gave_up = asyncio.create_task(self._gave_up.wait())
        try:
            await asyncio.wait((scoring, gave_up), return_when=asyncio.FIRST_COMPLETED)
            return scoring.result() if scoring.done() else self._without_meta_judge(completion)
        except (MetaJudgeDown, EndpointRefused) as error:
            # All samples of a worker fail together: the first gives up for all that wait, and says so once.
            if monotonic() >= self._rest_until:
                then = "fallbacks are given" if self._unscored == "fallback" else "samples are left out"
                _log.error("the meta-judge is given up for %g s, %s until then: %s", _REST, then, error)
                self._rest_until = monotonic() + _REST
                self._gave_up.set()
                self._gave_up = asyncio.Event()
            return self._without_meta_judge(completion)
        finally:
            scoring.cancel()
            gave_up.cancel()

    def _without_meta_judge(self, completion: Completion) -> ScoredJudgment:
        judgment = read_completion(completion, self._written_in)
        label = completion.pair.label
        return ScoredJudgment(
            reward=self._formula(label, judgment, None),
            judgment=judgment,
            meta_judgment=None,
            right=judgment.verdict == label,
        )


@asynccontextmanager
async def open_worker(settings: RewardSettings, router_address: str | None) -> AsyncGenerator[RewardWorker]:
    """A worker with its meta-judge's connections open.

    Args:
        settings: what travelled in `reward_kwargs`.
        router_address: host and port of verl's own reward model, where it serves one.

    Raises:
        InputError: there is no such reward, or no meta-judge is named where it needs one.
    """
    options, written_in = settings.reward, verdict_format(settings.verdict)
    rule = reward_rule(options)
    router = None if router_address is None else f"http://{router_address}/v1"
    spec = None if options.meta_judge is None else options.spec(router)
    if rule.asks != "nothing" and (spec is None or not (spec.url or spec.is_python)):
        raise InputError(
            f"the reward '{options.reward}' needs meta_judge and meta_judge_url, a meta-judge that verl serves, or a "
            "Python function"
        )
    async with AsyncExitStack() as stack:
        log = None
        if settings.reward_log is not None:
            try:
                log = RewardLog(Path(settings.reward_log))
            except WriteFailed as error:
                _log.error("no scores are written: %s", error)
        reward: GenRMReward | None = None
        try:
            opened = open_judge_reward(
                replace(options, meta_judge_url=None if spec is None else spec.url),
                settings.calls,
                no_local_model,
                prompt=Prompt.load(options.meta_prompt, META_PROMPT),
                seed=settings.seed,
                written_in=written_in,
                # A reward cannot stop verl: whatever the flag says elsewhere, a worker waits.
                outage=OutagePlan(patience=settings.calls.outage_patience, first_wait=settings.first_wait),
                log=warn,
            )
            reward = await stack.enter_async_context(opened)
        except InputError as error:
            # A key or a prompt file that this node does not have: verdicts can still be read, reasons not checked.
            _log.error(
                "the meta-judge cannot be asked from this worker, no reward that needs it is known: %s", error
            )
        worker = RewardWorker(
            reward, rule.formula, unscored=settings.unscored, written_in=written_in, log=log
        )
        stack.callback(worker.close)
        yield worker


def no_local_model(name: str) -> ChatModel:
    """Loads no model: a reward worker has none without an address.

    Raises:
        InputError: always.
    """
    raise InputError(f"{name} has no address: a reward worker loads no model")
