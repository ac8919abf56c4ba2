"""Reward service: requests in, judge calls, answers out. No HTTP in it; deadlines cancel it from outside.

The pair that a judge sees has the policy's answer as A and the reference as B, in the letters of the pairs file;
the order decides which is shown first. Both orders are asked at once. The paper's RLHF (section 4) uses the judge
alone, and so does `reward`; a meta-judge needs a gold rationale for these very answers, which only `compare` has.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from hashlib import blake2b
from typing import TypeVar

from ralign.errors import EndpointRefused
from ralign.judging import Judge
from ralign.metajudging import MetaJudge
from ralign.records import Judgment, Message, MetaJudgment, Order, PreferencePair, Verdict
from ralign.rewards.length_penalty import AnswerLength, SteeredLengthPenalty
from ralign.rewards.policy import (
    mean_outcome,
    never_ended,
    orders_shown,
    policy_reward,
    unended_reward,
    visible_answer,
)
from ralign.serving.config import ServeConfig
from ralign.serving.metrics import ServingMetrics, waiting
from ralign.serving.schemas import CompareRequest, CompareResponse, RewardRequest, RewardResponse

BENCHMARK = "served"
"""The benchmark of judgments made here; it enters the calls' seeds."""

Answer = TypeVar("Answer", Judgment, MetaJudgment)


class RewardService:
    """A judge, or a judge and a meta-judge, that rewards answers."""

    def __init__(
        self, config: ServeConfig, judge: Judge, meta_judge: MetaJudge | None, metrics: ServingMetrics
    ) -> None:
        self.refusal: str | None = None
        """The models' words when they last refused; None since their last answer."""
        self._config = config
        self._judge = judge
        self._meta_judge = meta_judge
        self._metrics = metrics
        self._reward = reward = config.answer_reward
        self._lengths = SteeredLengthPenalty(
            reward.length_penalty, coefficient=reward.length_coefficient, window=config.length_window
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
            label=request.label,
            gold_judgment=request.gold_rationale,
            benchmark=BENCHMARK,
        )
        orders: tuple[Order, ...] = ("ab", "ba") if request.orders == "both" else (request.orders,)
        judgments = await self._answers(self._judge.judge(pair, order, 0) for order in orders)
        verdicts: set[Verdict | None] = {judgment.verdict for judgment in judgments}
        reasons = [_missing(judgments)] if None in verdicts else []
        if not reasons and len(verdicts) > 1:
            reasons.append("the two orders differ")
        meta_judgments: tuple[MetaJudgment, ...] = ()
        if request.gold_rationale is None:
            pass
        elif self._meta_judge is None:
            reasons.append("not meta-judged: this service has no meta-judge")
        elif request.label not in ("A", "B"):
            reasons.append("not meta-judged: a gold rationale needs the label")
        elif pair.gold_rationale is None:
            reasons.append("not meta-judged: the gold rationale is empty")
        else:
            right = [judgment for judgment in judgments if judgment.verdict == request.label]
            meta_judgments = await self._answers(self._meta_judge.meta_judge(pair, each, 0) for each in right)
            if not right:
                reasons.append("not meta-judged: no verdict is right")
        # One that failed leaves the question open, whatever the other order's said.
        failed = next((each for each in meta_judgments if each.aligned is None), None)
        if failed is not None:
            reasons.append(f"the meta-judge failed ({failed.failure}): {failed.detail}")
        return CompareResponse(
            id=pair.id,
            verdict=verdicts.pop() if len(verdicts) == 1 else None,
            judgments=judgments,
            meta_judgments=meta_judgments,
            aligned=all(each.aligned for each in meta_judgments) if meta_judgments and not failed else None,
            reason="; ".join(reasons) or None,
        )

    async def reward(self, request: RewardRequest) -> RewardResponse:
        """Reward one answer. One that never ended is not judged.

        Raises:
            EndpointRefused: no call can succeed.
        """
        name = request.id if request.id is not None else conversation_id(request.conversation)
        answer, reference = visible_answer(request.answer), visible_answer(request.reference_answer)
        if not reference:
            self._metrics.rewards.labels("unscored").inc()
            return RewardResponse(id=name, reward=None, reason="the reference answer is empty")
        length = AnswerLength(len(answer), len(reference))
        length_penalty = self._lengths.penalty(length)
        self._lengths.observe(length)
        self._metrics.length_coefficient.set(self._lengths.state.coefficient)
        self._metrics.length_ratio.set(self._lengths.state.ratio or 0.0)
        judgments: tuple[Judgment, ...] = ()
        if never_ended(request.answer, request.finish_reason, thinks=self._config.policy_thinks):
            result, reason = "unended", "the answer never ended and was not judged"
            parts = unended_reward(format_penalty=self._reward.format_penalty, length_penalty=length_penalty)
        else:
            pair = PreferencePair(
                id=name,
                conversation=request.conversation,
                response_a=answer,
                response_b=reference,
                # Of no consequence: no judge is shown the label.
                label="A",
                benchmark=BENCHMARK,
            )
            orders = orders_shown(self._reward.side, name, seed=self._config.seed)
            judgments = await self._answers(self._judge.judge(pair, order, 0) for order in orders)
            score = mean_outcome([judgment.verdict for judgment in judgments])
            result, reason = ("unscored", _missing(judgments)) if score is None else ("scored", None)
            parts = policy_reward(score, length_penalty=length_penalty)
        self._metrics.rewards.labels(result).inc()
        return RewardResponse(
            id=name,
            reward=parts.reward,
            reason=reason,
            score=parts.score,
            length_penalty=parts.length_penalty,
            format_penalty=parts.format_penalty,
            verdicts={judgment.order: judgment.verdict for judgment in judgments},
        )

    async def _answers(self, calls: Iterable[Awaitable[Answer]]) -> tuple[Answer, ...]:
        """Make a request's calls together, timed and counted; a refusal is kept for `/health`."""
        try:
            answers = tuple(await waiting(asyncio.gather(*calls)))
        except EndpointRefused as error:
            self.refusal = str(error)
            raise
        for answer in answers:
            self._metrics.count_answer(answer)
        # A call that failed (an outage, a timeout) does not say that the models are back.
        if any(answer.failure != "call" for answer in answers):
            self.refusal = None
        return answers


def conversation_id(conversation: Sequence[Message]) -> str:
    """Name of a prompt that came without one: equal conversations have equal names."""
    turns = repr([(message.role, message.content) for message in conversation])
    return blake2b(turns.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _missing(judgments: Sequence[Judgment]) -> str:
    return "; ".join(
        f"no verdict in order {each.order} ({each.failure}): {each.detail}"
        for each in judgments
        if each.verdict is None
    )
