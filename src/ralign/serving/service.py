"""Requests in, judge calls, answers out. Knows nothing of HTTP; deadlines cancel it from outside.

The pair that a judge sees has the policy's answer as A and the reference as B, in the letters of the pairs file;
the order decides which is shown first. Both orders are asked at once. The paper's RLHF (section 4) uses the judge
alone, and so does `reward`; a meta-judge needs a gold rationale for these very answers, which only `compare` has.
"""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b

from ralign.errors import EndpointRefused
from ralign.judging import Judge
from ralign.metajudging import MetaJudge
from ralign.records import Judgment, Message, MetaJudgment, Order, PreferencePair, Verdict
from ralign.rewards.length_penalty import AnswerLength, SteeredLengthPenalty
from ralign.rewards.policy import (
    PolicyReward,
    mean_outcome,
    never_ended,
    orders_shown,
    policy_reward,
    unended_reward,
    visible_answer,
)
from ralign.serving.config import ServeConfig
from ralign.serving.metrics import Gauges
from ralign.serving.schemas import CompareRequest, CompareResponse, RewardRequest, RewardResponse
from ralign.serving.timing import waiting

BENCHMARK = "served"
"""What judgments made here have as their benchmark; it enters the calls' seeds."""


class RewardService:
    """A judge, or a judge and a meta-judge, that rewards answers."""

    def __init__(
        self, config: ServeConfig, judge: Judge, meta_judge: MetaJudge | None, gauges: Gauges
    ) -> None:
        self.refusal: str | None = None
        """What the models said when they last refused; None since their last answer."""
        self._config = config
        self._judge = judge
        self._meta_judge = meta_judge
        self._gauges = gauges
        self._lengths = SteeredLengthPenalty(
            config.length_penalty, coefficient=config.length_coefficient, window=config.length_window
        )

    async def compare(self, request: CompareRequest) -> CompareResponse:
        """Judge two answers, and meta-judge each right verdict where there is a gold rationale to compare with.

        Raises:
            EndpointRefused: no call can succeed.
        """
        pair = PreferencePair(
            id=request.id if request.id is not None else conversation_id(request.conversation),
            conversation=request.conversation,
            response_a=request.response_a,
            response_b=request.response_b,
            label=request.label or "A",
            gold_judgment=request.gold_rationale,
            benchmark=BENCHMARK,
        )
        orders: tuple[Order, ...] = ("ab", "ba") if request.orders == "both" else (request.orders,)
        judgments = await self._judged(pair, orders)
        verdict, reason = _agreed(judgments)
        meta_judgments: tuple[MetaJudgment, ...] = ()
        aligned = None
        if request.gold_rationale is not None:
            why_not = self._why_not_meta_judged(request, pair)
            if why_not is None:
                right = [judgment for judgment in judgments if judgment.verdict == request.label]
                meta_judgments = await self._meta_judged(pair, right)
                aligned, why_not = _all_aligned(meta_judgments)
            reason = "; ".join(filter(None, (reason, why_not))) or None
        return CompareResponse(
            id=pair.id,
            verdict=verdict,
            judgments=judgments,
            meta_judgments=meta_judgments,
            aligned=aligned,
            reason=reason,
        )

    async def reward(self, request: RewardRequest) -> RewardResponse:
        """Reward one answer. One that never ended is not judged.

        Raises:
            EndpointRefused: no call can succeed.
        """
        name = request.id if request.id is not None else conversation_id(request.conversation)
        answer, reference = visible_answer(request.answer), visible_answer(request.reference_answer)
        if not reference:
            self._gauges.rewards.labels("unscored").inc()
            return RewardResponse(id=name, reward=None, reason="the reference answer is empty")
        length = AnswerLength(len(answer), len(reference))
        length_penalty = self._lengths.penalty(length)
        self._lengths.observe(length)
        self._gauges.length_coefficient.set(self._lengths.state.coefficient)
        self._gauges.length_ratio.set(self._lengths.state.ratio or 0.0)
        if never_ended(request.answer, request.finish_reason, thinks=self._config.policy_thinks):
            self._gauges.rewards.labels("unended").inc()
            parts = unended_reward(format_penalty=self._config.format_penalty, length_penalty=length_penalty)
            return _response(name, parts, "the answer never ended and was not judged", ())
        pair = PreferencePair(
            id=name,
            conversation=request.conversation,
            response_a=answer,
            response_b=reference,
            label="A",  # of no consequence: no judge is shown the label
            benchmark=BENCHMARK,
        )
        judgments = await self._judged(pair, orders_shown(self._config.side, name, seed=self._config.seed))
        score = mean_outcome([judgment.verdict for judgment in judgments])
        self._gauges.rewards.labels("unscored" if score is None else "scored").inc()
        reason = None if score is not None else _missing(judgments)
        return _response(name, policy_reward(score, length_penalty=length_penalty), reason, judgments)

    def _why_not_meta_judged(self, request: CompareRequest, pair: PreferencePair) -> str | None:
        if self._meta_judge is None:
            return "not meta-judged: this service has no meta-judge"
        if request.label is None:
            return "not meta-judged: a gold rationale needs the label"
        if pair.gold_rationale is None:
            return "not meta-judged: the gold rationale is empty"
        return None

    async def _judged(self, pair: PreferencePair, orders: Sequence[Order]) -> tuple[Judgment, ...]:
        try:
            calls = asyncio.gather(*(self._judge.judge(pair, order, 0) for order in orders))
            judgments = tuple(await waiting(calls))
        except EndpointRefused as error:
            self.refusal = str(error)
            raise
        self._heard(judgments)
        return judgments

    async def _meta_judged(
        self, pair: PreferencePair, judgments: Sequence[Judgment]
    ) -> tuple[MetaJudgment, ...]:
        assert self._meta_judge is not None, "asked for only where there is one"
        try:
            calls = asyncio.gather(*(self._meta_judge.meta_judge(pair, each, 0) for each in judgments))
            meta_judgments = tuple(await waiting(calls))
        except EndpointRefused as error:
            self.refusal = str(error)
            raise
        self._heard(meta_judgments)
        return meta_judgments

    def _heard(self, answers: Sequence[Judgment | MetaJudgment]) -> None:
        for answer in answers:
            self._gauges.count_answer(answer)
        if any(answer.failure != "call" for answer in answers):
            self.refusal = None


def conversation_id(conversation: Sequence[Message]) -> str:
    """A name for a prompt that came without one: equal conversations have equal names."""
    turns = repr([(message.role, message.content) for message in conversation])
    return blake2b(turns.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _response(
    name: str, parts: PolicyReward, reason: str | None, judgments: Sequence[Judgment]
) -> RewardResponse:
    return RewardResponse(
        id=name,
        reward=parts.reward,
        reason=reason,
        score=parts.score,
        length_penalty=parts.length_penalty,
        format_penalty=parts.format_penalty,
        verdicts={judgment.order: judgment.verdict for judgment in judgments},
    )


def _agreed(judgments: Sequence[Judgment]) -> tuple[Verdict | None, str | None]:
    """The verdict of all orders, or why there is none."""
    first = judgments[0].verdict
    if any(judgment.verdict is None for judgment in judgments):
        return None, _missing(judgments)
    if any(judgment.verdict != first for judgment in judgments):
        return None, "the two orders differ"
    return first, None


def _all_aligned(meta_judgments: Sequence[MetaJudgment]) -> tuple[bool | None, str | None]:
    if not meta_judgments:
        return None, "not meta-judged: no verdict is right"
    for each in meta_judgments:
        if each.aligned is None:
            return None, f"the meta-judge failed ({each.failure}): {each.detail}"
    return all(each.aligned for each in meta_judgments), None


def _missing(judgments: Sequence[Judgment]) -> str:
    return "; ".join(
        f"no verdict in order {each.order} ({each.failure}): {each.detail}"
        for each in judgments
        if each.verdict is None
    )
