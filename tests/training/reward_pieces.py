"""Pairs, a meta-judge that fails to order, and a clock that only sleeping moves: for the tests of the reward loop."""

import asyncio
import threading
from collections.abc import Callable

from ralign.records import Judgment, Message, MetaJudgment, PreferencePair, Verdict
from ralign.training.reward.scored import Completion

Says = bool | str | Exception
"""Aligned or not; a failed call's detail; or what is raised."""


def make_pair(
    name: str = "quay", *, label: Verdict = "A", gold: str | None = "A names the tide."
) -> PreferencePair:
    return PreferencePair(
        id=name,
        conversation=(Message(role="user", content=f"When is high water at {name}?"),),
        response_a="At six, with the spring tide.",
        response_b="In the evening, I should think.",
        label=label,
        gold_judgment=gold,
        benchmark="harbour",
    )


def right(reason: str = "the tide is named", *, pair: PreferencePair | None = None) -> Completion:
    """A completion with the label's verdict."""
    pair = pair or make_pair()
    return Completion(pair=pair, text=f"{reason}\n\n\\boxed{{{pair.label}}}", finish_reason="stop")


def wrong(reason: str = "B is shorter") -> Completion:
    return Completion(pair=make_pair(), text=f"{reason}\n\n\\boxed{{B}}", finish_reason="stop")


class OrderedMetaJudge:
    """Says what `says` makes of a rationale, after `latency` seconds; counts who is asked about what."""

    def __init__(
        self, says: Callable[[str], Says] = lambda rationale: "tide" in rationale, *, latency: float = 0.0
    ):
        self.says = says
        self.latency = latency
        self.rationales: list[str] = []
        self.votes: list[int] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.ended = 0
        self.asked = threading.Event()

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        self.rationales.append(judgment.rationale)
        self.asked.set()
        self.votes.append(vote)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            says = self.says(judgment.rationale)
        finally:
            self.in_flight -= 1
        self.ended += 1
        if isinstance(says, Exception):
            raise says
        about = {"pair_id": pair.id, "benchmark": pair.benchmark, "order": judgment.order, "vote": vote}
        if isinstance(says, str):
            return MetaJudgment(**about, failure="call", detail=says)
        return MetaJudgment(**about, aligned=says)


class Hours:
    """A clock that stands still but for sleeping, which takes no real time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.on_sleep: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run, without time passing, until something holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
