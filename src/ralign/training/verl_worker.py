"""What a reward worker of verl's holds: the meta-judge opened once, the reward in the loop, and the stand-ins.

Comes in: `RewardSettings`, then one completion at a time, many at once. Goes out: `VerlScore`, always the same keys.
See `ralign.training.verl_reward` for what verl makes of it.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final, Literal

from ralign.errors import EndpointRefused, InputError, MetaJudgeDown, WriteFailed
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge
from ralign.models import ChatModel, ModelSpec, Sampling
from ralign.models.pool import ModelPool
from ralign.rewards.judge import HybridReward, JudgeReward, PointsReward
from ralign.training.completions import Completion, ScoredCompletion, read_completion
from ralign.training.outage import OutagePlan
from ralign.training.reward_loop import REWARDS, GenRMReward, RewardName, RewardRule
from ralign.training.verl_log import RewardLog
from ralign.training.verl_score import NotScored, StandIn, VerlScore

Unscored = Literal["stand_in", "leave_out"]
"""What becomes of a completion whose reward is not known."""

_REST: Final = 300.0
"""Seconds without a call after a meta-judge was given up: every sample that asked would cost a probe."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """What travels in `reward_kwargs`: one field a key, the same in every worker."""

    reward: RewardName = "ralign"
    reward_weight: float | None = None
    """What the rationale weighs in hybrid (default 0.5) and points (default 1)."""
    meta_judge: str | None = None
    """The meta-judge's model name at `meta_judge_url`, or as verl serves it."""
    meta_judge_url: str | None = None
    """Its OpenAI-compatible endpoint. None: verl's own reward model, at the address of verl's router."""
    meta_judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds its key, on the nodes where the workers run."""
    meta_prompt: str | None = None
    """A file with another meta-judge prompt, readable on every node."""
    meta_temperature: float | None = 0.4
    meta_max_tokens: int | None = 16384
    meta_body: str | None = None
    """More fields for its requests, as a JSON object."""
    meta_votes: int = 1
    concurrency: int = 32
    """Calls in flight from one worker."""
    deadline: float = 600.0
    """Seconds a sample's meta-judgment may take, retries included."""
    try_timeout: float = 300.0
    """Seconds one try of a call may take."""
    patience: float = 3600.0
    """Seconds a worker holds its samples back while the meta-judge is down."""
    first_wait: float = 5.0
    """Seconds before a meta-judge that is down is asked again for the first time."""
    unscored: Unscored = "stand_in"
    reward_log: str | None = None
    """A folder, shared by all nodes, where every worker writes what its samples got: see `ralign.training.verl_log`."""
    thought_opened: bool = False
    """The policy's chat template ends in `<think>`: a text without `</think>` is all thought."""
    seed: int = 0

    def rule(self) -> RewardRule:
        """The reward's formula, with its weight.

        Raises:
            InputError: there is no such reward, or it has no weight.
        """
        if self.reward not in REWARDS:
            raise InputError(f"reward is '{self.reward}', expected one of {', '.join(REWARDS)}")
        if self.reward_weight is None:
            return REWARDS[self.reward]
        if self.reward == "hybrid":
            return RewardRule(formula=HybridReward(weight=self.reward_weight), asks="all")
        if self.reward == "points":
            return RewardRule(formula=PointsReward(weight=self.reward_weight), asks="all")
        raise InputError(f"reward_weight is for hybrid and points, and the reward is {self.reward}")


class RewardWorker:
    """The reward of one worker process. Belongs to the event loop that it is first used in.

    Args:
        reward: the reward in the loop; None where its meta-judge cannot be asked from this process.
        formula: the same reward's formula, for what needs no meta-judge and for the stand-ins.
        unscored: what becomes of a completion without a reward.
        log: where every score is written; None: nowhere.
    """

    def __init__(
        self,
        reward: GenRMReward | None,
        formula: JudgeReward,
        *,
        unscored: Unscored,
        log: RewardLog | None,
    ) -> None:
        self._reward = reward
        self._formula = formula
        self._unscored: Unscored = unscored
        self._log = log
        self._stand_in = StandIn(formula)
        self._gave_up = asyncio.Event()
        self._rest_until = 0.0

    async def score(self, completion: Completion, *, weights: int = 0) -> VerlScore:
        """One completion's score. `weights`: the training step whose weights sampled it, for the log.

        Raises:
            InputError: its pair has no gold rationale, and the reward needs one.
            NotScored: nothing is known of its reward, and `unscored` is to leave it out.
        """
        scored = await self._scored(completion)
        score = self._in_verls_words(scored)
        self._write(completion, weights, score)
        if scored.reward is None and self._unscored == "leave_out":
            raise NotScored(f"pair '{completion.pair.id}': the meta-judge gave no meta-judgment")
        return score

    def _in_verls_words(self, scored: ScoredCompletion) -> VerlScore:
        asked = scored.meta_judgment is not None or scored.reward is None
        if scored.reward is not None and asked:
            self._stand_in.note(scored.reward, right=scored.right)
        return VerlScore(
            score=self._stand_in.of(right=scored.right) if scored.reward is None else scored.reward,
            acc=float(scored.right),
            aligned=float(scored.meta_judgment is not None and scored.meta_judgment.aligned is True),
            asked=float(asked),
            parsed=float(scored.judgment.verdict is not None),
            judge_ok=float(scored.reward is not None),
        )

    def _write(self, completion: Completion, weights: int, score: VerlScore) -> None:
        if self._log is None:
            return
        try:
            self._log.note(completion.pair.id, weights, score)
        except (
            WriteFailed
        ) as error:  # a full disk is no reason to lose the score, nor to say so for every sample
            _log.error("no more scores are written: %s", error)
            self._log.close()
            self._log = None

    async def _scored(self, completion: Completion) -> ScoredCompletion:
        """Ask, and wait through an outage; when one sample has waited in vain, all that wait with it go on too."""
        if self._reward is None or monotonic() < self._rest_until:
            return self._without_meta_judge(completion)
        scoring = asyncio.create_task(self._reward.score_one(completion))
        gave_up = asyncio.create_task(self._gave_up.wait())
        try:
            await asyncio.wait((scoring, gave_up), return_when=asyncio.FIRST_COMPLETED)
            return scoring.result() if scoring.done() else self._without_meta_judge(completion)
        except (MetaJudgeDown, EndpointRefused) as error:
            self._give_up(str(error))
            return self._without_meta_judge(completion)
        finally:
            scoring.cancel()
            gave_up.cancel()

    def _give_up(self, why: str) -> None:
        if monotonic() < self._rest_until:
            return
        then = "stand-ins are given" if self._unscored == "stand_in" else "samples are left out"
        _log.error("the meta-judge is given up for %g s, %s until then: %s", _REST, then, why)
        self._rest_until = monotonic() + _REST
        self._gave_up.set()
        self._gave_up = asyncio.Event()

    def _without_meta_judge(self, completion: Completion) -> ScoredCompletion:
        judgment = read_completion(completion)
        label = completion.pair.label
        return ScoredCompletion(
            reward=self._formula(label, judgment, None),
            judgment=judgment,
            meta_judgment=None,
            right=judgment.verdict == label,
        )


async def open_worker(settings: RewardSettings, router_address: str | None) -> RewardWorker:
    """A worker with its meta-judge's connections open, for as long as the process lives.

    Args:
        settings: what travelled in `reward_kwargs`.
        router_address: host and port of verl's own reward model, where it serves one.

    Raises:
        InputError: there is no such reward, or no meta-judge is named where it needs one.
    """
    rule = settings.rule()
    url = settings.meta_judge_url
    if url is None and router_address is not None:
        url = f"http://{router_address}/v1"
    if rule.asks == "nothing":
        return RewardWorker(
            GenRMReward(rule, None), rule.formula, unscored=settings.unscored, log=_open_log(settings)
        )
    if settings.meta_judge is None or url is None:
        raise InputError(
            f"the reward '{settings.reward}' needs meta_judge and meta_judge_url, or a meta-judge that verl serves"
        )
    log = _open_log(settings)
    try:
        meta_judge = await _open_meta_judge(settings, settings.meta_judge, url)
    except InputError as error:
        # A key or a prompt file that this node does not have: verdicts can still be read, reasons cannot be checked.
        _log.error(
            "the meta-judge cannot be asked from this worker, no reward that needs it is known: %s", error
        )
        return RewardWorker(None, rule.formula, unscored=settings.unscored, log=log)
    reward = GenRMReward(
        rule,
        meta_judge,
        concurrency=settings.concurrency,
        deadline=settings.deadline,
        votes=settings.meta_votes,
        outage=OutagePlan(patience=settings.patience, first_wait=settings.first_wait),
        meta_judge_name=f"the meta-judge {settings.meta_judge} at {url}",
    )
    return RewardWorker(reward, rule.formula, unscored=settings.unscored, log=log)


def meta_judge_choice(settings: RewardSettings, name: str, url: str) -> ModelSpec:
    """The meta-judge as the settings name it."""
    return ModelSpec(
        name=name,
        url=url,
        key_variable=settings.meta_judge_key_variable,
        body=settings.meta_body,
        body_flag="meta_body",
    )


def no_local_model(name: str) -> ChatModel:
    """What loads a model without an address: nothing.

    Raises:
        InputError: always.
    """
    raise InputError(f"{name} has no address: a reward worker loads no model")


def _open_log(settings: RewardSettings) -> RewardLog | None:
    if settings.reward_log is None:
        return None
    try:
        return RewardLog(Path(settings.reward_log))
    except WriteFailed as error:
        _log.error("no scores are written: %s", error)
        return None


async def _open_meta_judge(settings: RewardSettings, name: str, url: str) -> ChatMetaJudge:
    models = ModelPool(
        no_local_model,
        concurrency=settings.concurrency,
        deadline=settings.deadline,
        try_timeout=settings.try_timeout,
    )
    await models.__aenter__()  # left only with the process: a worker is not told of its end
    return ChatMetaJudge(
        model=await models.open(meta_judge_choice(settings, name, url)),
        prompt=Prompt.load(Path(settings.meta_prompt) if settings.meta_prompt else None, META_PROMPT),
        sampling=Sampling(temperature=settings.meta_temperature, max_tokens=settings.meta_max_tokens),
        seed=settings.seed,
    )
