"""Reward of a judge (GenRM) in training: completions -> rewards (the paper's section 4).

    completions --read--> judgments --where the reward needs it--> meta-judgments --ralign.rewards.judge--> rewards

Reading is this process's own work, meta-judging somebody else's: the first calls are on their way while later
completions are still being read, all calls run at once under one cap, and one deadline holds for the batch. What has
not answered by then, or failed, is not scored.

| reward      | the meta-judge is asked about                                               |
| ----------- | --------------------------------------------------------------------------- |
| `outcome`   | nothing                                                                     |
| `ralign`    | completions with the right verdict: a wrong one earns 0 whatever its reason |
| `hybrid`    | all                                                                         |
| `points`    | all                                                                         |

When the meta-judge as a whole is down (`ralign.training.reward.outage`), a batch waits, and what failed in it is asked
again with a deadline of its own.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from ralign.errors import InputError
from ralign.judging import BOXED, Prompt, VerdictFormat, read_judgment
from ralign.metajudging import ChatMetaJudge, MetaJudge, majority, says_nothing
from ralign.models import LoadLocalModel
from ralign.models.model import Reply
from ralign.models.pool import ModelPool
from ralign.records import Judgment, MetaJudgment, Order, PreferencePair
from ralign.rewards.judge import HybridReward, JudgeReward, PointsReward, outcome_reward, ralign_reward
from ralign.runs.gc_pause import gc_pause
from ralign.thinking import split_thinking
from ralign.training.options import JudgeRewardOptions, RewardCalls, RewardName
from ralign.training.reward.batched_calls import BatchedCalls, CallBatch
from ralign.training.reward.outage import Guard, OutagePlan, named, problem_of, warn
from ralign.training.reward.reward_metrics import judge_metrics
from ralign.training.reward.scored import Completion, ScoredBatch, ScoredJudgment

Asks = Literal["nothing", "right", "all"]
"""Which judgments the meta-judge is asked about."""

SLICE = 16
"""Completions read before the event loop gets its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRule:
    """A reward's formula, and which judgments it needs meta-judged."""

    formula: JudgeReward
    asks: Asks


REWARDS: Final[Mapping[RewardName, RewardRule]] = {
    "outcome": RewardRule(formula=outcome_reward, asks="nothing"),
    "ralign": RewardRule(formula=ralign_reward, asks="right"),
    "hybrid": RewardRule(formula=HybridReward(), asks="all"),
    "points": RewardRule(formula=PointsReward(), asks="all"),
}
"""The rewards by name, with the weights that `ralign.rewards.judge` gives them."""


def reward_rule(options: JudgeRewardOptions) -> RewardRule:
    """The reward by its name, with the weight asked for.

    Raises:
        InputError: there is no such reward, or it has no weight.
    """
    if options.reward not in REWARDS:
        raise InputError(f"reward is '{options.reward}', expected one of {', '.join(REWARDS)}")
    options.check()
    rule, weight = REWARDS[options.reward], options.reward_weight
    if weight is None:
        return rule
    formula = HybridReward(weight=weight) if options.reward == "hybrid" else PointsReward(weight=weight)
    return replace(rule, formula=formula)


class Question(NamedTuple):
    """One vote of the meta-judge; equal ones have one answer."""

    benchmark: str
    pair_id: str
    order: Order
    rationale: str
    vote: int = 0


About = tuple[PreferencePair, Judgment, int]
"""Content of a question: pair, judgment, vote."""


def read_completion(completion: Completion, written_in: VerdictFormat = BOXED) -> Judgment:
    """A sampled text as a judge's answer: thinking split off, verdict in the letters of the pairs file. Pure.

    It is read exactly as `ralign bench` reads an endpoint's reply, so that what training rewards is what the benchmark
    measures.
    """
    thinking, answer = split_thinking(completion.marked)
    reply = Reply(text=answer, thinking=thinking, finish_reason=completion.finish_reason)
    return read_judgment(reply, pair=completion.pair, order=completion.order, written_in=written_in)


class GenRMReward:
    """Reward of a judge's completions in one process: all calls share one cap, one memory and one circuit breaker.

    Belongs to the event loop that it is first used in.

    Args:
        reward: by name, or a rule with a formula of its own.
        meta_judge: who is asked; None where the reward needs nobody.
        concurrency: meta-judge calls in flight from this process.
        deadline: seconds a batch may take, reading included; after a pause it starts anew.
        votes: meta-judgments per completion; the majority counts.
        guard: of the meta-judge; by itself one with the usual plan.
        written_in: where a completion's verdict is found.

    Raises:
        InputError: a reward that needs a meta-judge has none, or a number is out of range.
    """

    def __init__(
        self,
        reward: RewardName | RewardRule,
        meta_judge: MetaJudge | None,
        *,
        concurrency: int = 512,
        deadline: float = 600.0,
        votes: int = 1,
        guard: Guard | None = None,
        written_in: VerdictFormat = BOXED,
    ) -> None:
        self._written_in = written_in
        self._rule = REWARDS[reward] if isinstance(reward, str) else reward
        if self._rule.asks != "nothing" and meta_judge is None:
            raise InputError(f"the reward '{reward}' needs a meta-judge")
        if votes < 1 or votes % 2 == 0:
            raise InputError(f"votes is {votes}, expected an odd number so that there is a majority")
        self._meta_judge = meta_judge
        self._votes = votes
        self._guard = guard or Guard(OutagePlan(), name="the meta-judge")
        self._calls = BatchedCalls[Question, About, MetaJudgment](
            self._ask,
            lambda about, why: replace(_about(about[1], about[2]), failure="call", detail=why),
            # An answer that cannot be read counts like none: there would be as little to train on.
            lambda meta: None if meta.aligned is not None else problem_of(meta),
            self._guard,
            concurrency=concurrency,
            deadline=deadline,
            # By completions, not by calls: a rationale's votes are remembered and forgotten together.
            remembered=1024 * votes,
        )

    async def score(self, completions: Sequence[Completion], *, step: int = 0) -> ScoredBatch[ScoredJudgment]:
        """Score a batch; see `BatchReward`.

        Raises:
            InputError: a pair without a gold rationale, where the reward needs one.
        """
        del step
        started, paused = self._guard.clock(), self._guard.paused_seconds
        with gc_pause():
            async with self._calls.batch() as batch:
                judgments: list[Judgment] = []
                for number, completion in enumerate(completions, start=1):
                    judgment = read_completion(completion, self._written_in)
                    judgments.append(judgment)
                    if self._needs_meta_judge(completion.pair, judgment) and not says_nothing(
                        judgment.rationale
                    ):
                        for question in self._questions(judgment):
                            batch.ask(question, (completion.pair, judgment, question.vote))
                    # A task starts its call only when the loop gets its turn: without it, reading a whole batch comes
                    # first and judging after.
                    if number % SLICE == 0:
                        await asyncio.sleep(0)
                await batch.finish()
            scored = self._scored(completions, judgments, batch)
        seconds, paused = self._guard.clock() - started, self._guard.paused_seconds - paused
        return ScoredBatch(
            scored=scored, metrics=judge_metrics(scored, seconds=seconds, paused_seconds=paused)
        )

    async def score_one(self, completion: Completion) -> ScoredJudgment:
        """Score one completion, for engines that call per sample; concurrent calls share what `score` shares.

        Raises:
            InputError, MetaJudgeDown, EndpointRefused: as `score`.
        """
        return (await self.score((completion,))).scored[0]

    async def _ask(self, about: About) -> MetaJudgment:
        assert self._meta_judge is not None, "a reward that asks has a meta-judge"
        return await self._meta_judge.meta_judge(*about)

    def _questions(self, judgment: Judgment) -> list[Question]:
        about = judgment.benchmark, judgment.pair_id, judgment.order, judgment.rationale
        return [Question(*about, vote) for vote in range(self._votes)]

    def _needs_meta_judge(self, pair: PreferencePair, judgment: Judgment) -> bool:
        if self._rule.asks == "nothing" or (self._rule.asks == "right" and judgment.verdict != pair.label):
            return False
        if pair.gold_rationale is None:
            raise InputError(
                f"pair '{pair.id}' has no gold rationale, which this reward compares with; `ralign gold` writes "
                "gold rationales, and the reward `outcome` needs none"
            )
        return True

    def _scored(
        self,
        completions: Sequence[Completion],
        judgments: Sequence[Judgment],
        batch: CallBatch[Question, About, MetaJudgment],
    ) -> list[ScoredJudgment]:
        seen: set[Question] = set()
        scored: list[ScoredJudgment] = []
        for completion, judgment in zip(completions, judgments, strict=True):
            label = completion.pair.label
            meta_judgment, duplicate, late = None, False, False
            if self._needs_meta_judge(completion.pair, judgment):
                questions = self._questions(judgment)
                if says_nothing(judgment.rationale):
                    # Misaligned without a call. The guard hears nothing of it: a batch full of such rationales would
                    # pass for a meta-judge that is up.
                    meta_judgment = replace(_about(judgment), aligned=False)
                else:
                    votes = [batch.answers[question] for question in questions]
                    decision = majority(vote.aligned for vote in votes)
                    # The majority's first vote, whose points count. Without a majority the first that failed: of an odd
                    # number, one has.
                    meta_judgment = next(
                        vote
                        for vote in votes
                        if (vote.failure is not None if decision is None else vote.aligned == decision)
                    )
                    late = meta_judgment.aligned is None and not batch.late.isdisjoint(questions)
                # Logged, as a rising share is a policy that collapses onto one text.
                duplicate = questions[0] in seen
                seen.add(questions[0])
            scored.append(
                ScoredJudgment(
                    reward=self._rule.formula(label, judgment, meta_judgment),
                    judgment=judgment,
                    meta_judgment=meta_judgment,
                    right=judgment.verdict == label,
                    duplicate=duplicate,
                    late=late,
                )
            )
        return scored


@asynccontextmanager
async def open_judge_reward(
    options: JudgeRewardOptions,
    calls: RewardCalls,
    local_model: LoadLocalModel,
    *,
    prompt: Prompt,
    seed: int,
    written_in: VerdictFormat = BOXED,
    outage: OutagePlan | None = None,
    log: Callable[[str], object] = warn,
) -> AsyncGenerator[GenRMReward]:
    """The reward that options ask for, with its meta-judge's connections open, in the event loop it is used in.

    Args:
        options: which reward, and its meta-judge.
        calls: bounds on this process's calls, a share of the run's.
        local_model: loads a meta-judge without a URL.
        written_in: where a completion's verdict is found.
        outage: when the meta-judge counts as down; as `calls` has it, unless given.
        log: takes one line that training waits, and one that it goes on.

    Raises:
        InputError: a reward, an address, a key or a body that cannot be used.
    """
    rule = reward_rule(options)
    if rule.asks == "nothing" or options.meta_judge is None:
        yield GenRMReward(rule, None, written_in=written_in)
        return
    spec = options.spec(None)
    async with ModelPool(
        local_model, concurrency=calls.concurrency, deadline=calls.deadline, try_timeout=calls.try_timeout
    ) as pool:
        meta_judge = ChatMetaJudge(
            model=await pool.open(spec),
            prompt=prompt,
            sampling=options.sampling,
            seed=seed,
        )
        plan = outage or OutagePlan(policy=calls.on_outage, patience=calls.outage_patience)
        guard = Guard(plan, name=named("the meta-judge", spec), log=log)
        yield GenRMReward(
            rule,
            meta_judge,
            concurrency=calls.concurrency,
            deadline=calls.deadline,
            votes=options.meta_votes,
            guard=guard,
            written_in=written_in,
        )


def _about(judgment: Judgment, vote: int = 0) -> MetaJudgment:
    """The meta-judgment of a judgment before anything is known."""
    return MetaJudgment(
        pair_id=judgment.pair_id,
        benchmark=judgment.benchmark,
        order=judgment.order,
        draw=judgment.draw,
        vote=vote,
    )
