"""Reward of a meta-judge in training: 1 where the answer comes to the recorded decision. Asks nobody.

    reward = [parsed decision = recorded decision]

The answer is read as `ralign.metajudging` reads an endpoint's. One without a decision, cut off or unreadable, is the
model's own doing and earns 0, as a judgment without a verdict does. A completion without a recorded decision is not
scored (None).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ralign.metajudging import parse_meta_judgment
from ralign.thinking import split_thinking
from ralign.training.reward.scored import Completion, ScoredBatch


class ScoredDecision(NamedTuple):
    """One answer's decision and reward."""

    aligned: bool | None
    """None: no decision."""
    reward: float | None

    def columns(self) -> Mapping[str, object]:
        """The decision."""
        return {"decision": self.aligned}


class MetaJudgeReward:
    """Reward function of a meta-judge's training. As it asks nobody, there are no outages."""

    async def score(self, completions: Sequence[Completion], *, step: int = 0) -> ScoredBatch[ScoredDecision]:
        """Score a batch. Metrics: how many answers came to a decision, and how many of those to `aligned`."""
        del step
        scored: list[ScoredDecision] = []
        for completion in completions:
            answer = split_thinking(completion.marked).answer
            aligned = parse_meta_judgment(answer, completion.finish_reason).aligned
            recorded = completion.decision
            scored.append(ScoredDecision(aligned, None if recorded is None else float(aligned == recorded)))
        decided = [each.aligned for each in scored if each.aligned is not None]
        return ScoredBatch(
            scored=scored,
            metrics={
                "decided": len(decided) / len(scored) if scored else 0.0,
                "aligned": sum(decided) / len(decided) if decided else 0.0,
            },
        )
