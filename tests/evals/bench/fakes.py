"""Judges that need no model: they answer from a table and remember what they were asked."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from ralign.records import Failure, Judgment, Message, MetaJudgment, Order, PreferencePair, Usage, Verdict


def make_pair(
    name: str, label: Verdict, *, subset: str = "tides", gold: str | None = "A names the hour."
) -> PreferencePair:
    return PreferencePair(
        id=name,
        conversation=(Message(role="user", content=f"When is high water at {name}?"),),
        response_a="At six in the evening.",
        response_b="In the evening, I should think.",
        label=label,
        gold_judgment=gold,
        benchmark="harbour",
        source={"benchmark": "harbour", "subset": subset},
    )


class TableJudge:
    """Says what the table says for (pair id, order): a verdict, or a failure."""

    def __init__(self, verdicts: Mapping[tuple[str, Order], Verdict | Failure]) -> None:
        self.verdicts = verdicts
        self.asked: Counter[tuple[str, Order, int]] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        self.asked[pair.id, order, draw] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.001)
        self.in_flight -= 1
        said = self.verdicts[pair.id, order]
        about = {"pair_id": pair.id, "benchmark": pair.benchmark, "order": order, "draw": draw}
        if said == "call":
            return Judgment(**about, failure="call", detail="no answer in time")
        if said == "parse":
            return Judgment(**about, text="Both are fine.", failure="parse", usage=Usage(completion_tokens=3))
        return Judgment(
            **about,
            text=f"The hour decides. \\boxed{{{said}}}",
            rationale="The hour decides.",
            verdict=said,
            usage=Usage(prompt_tokens=10, completion_tokens=5),
        )


class TableMetaJudge:
    """Says what the table says for (pair id, order, vote), else for the pair id, else aligned."""

    def __init__(self, aligned: Mapping[object, bool | Failure] | None = None) -> None:
        self.aligned = aligned or {}
        self.asked: Counter[tuple[str, Order, int, int]] = Counter()
        self.rationales: list[str] = []

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        self.asked[pair.id, judgment.order, judgment.draw, vote] += 1
        self.rationales.append(judgment.rationale)
        await asyncio.sleep(0.001)
        said = self.aligned.get((pair.id, judgment.order, vote), self.aligned.get(pair.id, True))
        about = {
            "pair_id": pair.id,
            "benchmark": pair.benchmark,
            "order": judgment.order,
            "draw": judgment.draw,
            "vote": vote,
        }
        if isinstance(said, str):
            return MetaJudgment(**about, failure=said)
        return MetaJudgment(
            **about, aligned=said, text="VERDICT: …", usage=Usage(prompt_tokens=20, completion_tokens=4)
        )
