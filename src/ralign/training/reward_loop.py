"""Completions of a GenRM in training -> rewards: the reward in the loop (the paper's section 4).

    completions --read--> judgments --where the reward needs it--> meta-judgments --ralign.rewards.judge--> rewards

Reading is this process's own work, meta-judging somebody else's: the first calls are on their way while later
completions are still being read, all calls run at once under one cap, and one deadline holds for the batch. What has
not answered by then, or failed, is not scored: None, which leaves the completion out of its group (pitfall 2). Never 0,
which would teach that it was bad.

| reward      | the meta-judge is asked about                                               |
| ----------- | --------------------------------------------------------------------------- |
| `outcome`   | nothing                                                                     |
| `ralign`    | completions with the right verdict: a wrong one earns 0 whatever its reason |
| `hybrid`    | all                                                                         |
| `points` | all                                                                         |

When the meta-judge as a whole is down (`ralign.training.outage`), a batch waits, and what failed in it is asked again
with a deadline of its own.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ralign.errors import InputError
from ralign.metajudging import MetaJudge
from ralign.records import Judgment, MetaJudgment, PreferencePair
from ralign.rewards.judge import HybridReward, JudgeReward, PointsReward, outcome_reward, ralign_reward
from ralign.training.asking import Question, SharedMetaJudge, failed
from ralign.training.completions import Completion, ScoredBatch, ScoredCompletion, read_completion
from ralign.training.config import RewardName
from ralign.training.outage import Clock, Guard, OutagePlan, Sleep, warn
from ralign.training.rare_collections import rare_collections
from ralign.training.rates import rates_of

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


class GenRMReward:
    """The reward of a process: every call of it shares one cap, one memory and one circuit breaker.

    Belongs to the event loop that it is first used in.

    Args:
        reward: by name, or a rule with a formula of its own.
        meta_judge: who is asked; None where the reward needs nobody.
        concurrency: meta-judge calls in flight from this process.
        deadline: seconds a batch may take, reading included; after a pause it starts anew.
        votes: meta-judgments per completion; the majority counts.
        outage: when the meta-judge counts as down, and what is done then.
        meta_judge_name: what messages call it; best with its address.
        clock: for the seconds that are logged, and for pauses.
        sleep: for pauses.
        tell: says in one line that training waits, and that it goes on.

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
        outage: OutagePlan | None = None,
        meta_judge_name: str = "the meta-judge",
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        tell: Callable[[str], object] = warn,
    ) -> None:
        self._rule = REWARDS[reward] if isinstance(reward, str) else reward
        if self._rule.asks != "nothing" and meta_judge is None:
            raise InputError(f"the reward '{reward}' needs a meta-judge")
        if not deadline > 0:
            raise InputError(f"the deadline is {deadline}, expected more than 0")
        self._deadline = deadline
        self._clock = clock
        self._guard = Guard(outage or OutagePlan(), name=meta_judge_name, clock=clock, sleep=sleep, tell=tell)
        self._shared = (
            None
            if meta_judge is None
            else SharedMetaJudge(meta_judge, self._guard, concurrency=concurrency, votes=votes)
        )

    async def score(self, completions: Sequence[Completion]) -> ScoredBatch:
        """Score a batch; many batches may be scored at once.

        Raises:
            InputError: a pair without a gold rationale, where the reward needs one.
            MetaJudgeDown: the meta-judge is down, and training is not to wait any longer.
            EndpointRefused: no call to the meta-judge can succeed.
        """
        started, paused = self._clock(), self._guard.paused_seconds
        batch = _Batch(self._shared, self._guard, deadline=self._deadline)
        with rare_collections():
            try:
                judgments = await self._read(completions, batch)
                await batch.finish()
            finally:
                batch.cancel()
            scored = self._scored(completions, judgments, batch)
        seconds, paused = self._clock() - started, self._guard.paused_seconds - paused
        return ScoredBatch(scored=scored, rates=rates_of(scored, seconds=seconds, paused_seconds=paused))

    async def score_one(self, completion: Completion) -> ScoredCompletion:
        """Score one completion, for engines that call per sample; concurrent calls share what `score` shares.

        Raises:
            InputError, MetaJudgeDown, EndpointRefused: as `score`.
        """
        return (await self.score((completion,))).scored[0]

    async def _read(self, completions: Sequence[Completion], batch: "_Batch") -> list[Judgment]:
        """Read every completion; what needs a meta-judge is asked for at once."""
        judgments: list[Judgment] = []
        for number, completion in enumerate(completions, start=1):
            judgment = read_completion(completion)
            judgments.append(judgment)
            if self._needs_meta_judge(completion.pair, judgment):
                batch.ask(completion.pair, judgment)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        return judgments

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
        self, completions: Sequence[Completion], judgments: Sequence[Judgment], batch: "_Batch"
    ) -> tuple[ScoredCompletion, ...]:
        seen: set[Question] = set()
        scored: list[ScoredCompletion] = []
        for completion, judgment in zip(completions, judgments, strict=True):
            question = Question.about(judgment)
            meta_judgment = (
                batch.answers.get(question) if self._needs_meta_judge(completion.pair, judgment) else None
            )
            label = completion.pair.label
            scored.append(
                ScoredCompletion(
                    reward=self._rule.formula(label, judgment, meta_judgment),
                    judgment=judgment,
                    meta_judgment=meta_judgment,
                    right=judgment.verdict == label,
                    duplicate=meta_judgment is not None and question in seen,
                    late=meta_judgment is not None and question in batch.late,
                )
            )
            if meta_judgment is not None:
                seen.add(question)
        return tuple(scored)


class _Batch:
    """The questions of one batch on their way to the meta-judge."""

    def __init__(self, shared: SharedMetaJudge | None, guard: Guard, *, deadline: float) -> None:
        self.answers: dict[Question, MetaJudgment] = {}
        self.late: set[Question] = set()
        self._shared = shared
        self._guard = guard
        self._deadline = deadline
        self._until = asyncio.get_running_loop().time() + deadline
        self._asked: dict[Question, tuple[PreferencePair, Judgment]] = {}
        self._tasks: dict[Question, asyncio.Task[MetaJudgment]] = {}

    def ask(self, pair: PreferencePair, judgment: Judgment) -> None:
        """Send the question off, unless the batch has asked it already."""
        question = Question.about(judgment)
        if question not in self._asked:
            self._asked[question] = (pair, judgment)
            self._send(question)

    async def finish(self) -> None:
        """Wait for the answers; where the meta-judge is down, until it is back, and ask again what failed."""
        await self._collect()
        while self._guard.is_open and (
            missing := [question for question, answer in self.answers.items() if answer.aligned is None]
        ):
            # A single question may be one that it can never answer: each probe takes another.
            await self._guard.wait_until_answered(map(self._probe, itertools.cycle(missing)))
            self.late.clear()
            self._until = asyncio.get_running_loop().time() + self._deadline
            for question in missing:
                self._send(question)
            await self._collect()

    def cancel(self) -> None:
        """End what is still on its way."""
        for task in self._tasks.values():
            if task.done() and not task.cancelled():
                task.exception()  # looked at, so that asyncio does not warn of those beside the one that was raised
            task.cancel()

    def _send(self, question: Question) -> None:
        assert self._shared is not None, "a reward that asks has a meta-judge"
        self._tasks[question] = asyncio.create_task(self._shared.ask(*self._asked[question]))

    async def _collect(self) -> None:
        """Take in all answers that come in time; the rest is late."""
        if not self._tasks:
            return
        left = self._until - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait(
            self._tasks.values(), timeout=max(left, 0.0), return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            task.result()  # raises what ends training
        late = [question for question, task in self._tasks.items() if task not in done]
        for question in late:
            self._tasks.pop(question).cancel()
            self.answers[question] = failed(self._asked[question][1], self._lateness())
        # Stragglers are noted all at once; a few of them are no outage, though they come in a row.
        if late and len(late) >= self._guard.threshold * (len(late) + len(done)):
            for _ in late:
                self._guard.note(self._lateness())
        self.late.update(late)
        self.answers.update((question, task.result()) for question, task in self._tasks.items())
        self._tasks.clear()

    async def _probe(self, question: Question) -> MetaJudgment:
        assert self._shared is not None, "a reward that asks has a meta-judge"
        pair, judgment = self._asked[question]
        try:
            async with asyncio.timeout(self._deadline):
                return await self._shared.probe(pair, judgment)
        except TimeoutError:
            return failed(judgment, self._lateness())

    def _lateness(self) -> str:
        return f"no answer within {self._deadline:g} s"
