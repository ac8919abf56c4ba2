"""The reward of a meta-judge in training, as TRL calls it: 1 where the answer comes to the recorded decision.

    reward = [parsed decision = recorded decision]

The answer is read as `ralign.metajudging` reads an endpoint's. One without a decision, cut off or unreadable, is the
model's own doing and earns 0, as a judgment without a verdict does. Nobody is asked, so there are no outages; a row
without a recorded decision is not scored (None).
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import NamedTuple

from ralign.metajudging import parse_meta_judgment
from ralign.thinking import OPENER, split_thinking
from ralign.training.trl_reward import text_of


class Decided(NamedTuple):
    """What one answer came to."""

    aligned: bool | None
    """None: no decision."""
    reward: float | None


class DecisionReward(AbstractContextManager["DecisionReward", None]):
    """A reward function for TRL. It needs the dataset's column `decision`. As it asks nobody, it has nothing to close.

    Args:
        end_tokens: ids that end a completion; one that ends in none of them was cut off, and decides nothing.
        thought_opened: the chat template's generation prompt ends in `<think>`.
    """

    __name__ = "decision"  # where TRL looks for it

    def __init__(self, *, end_tokens: Collection[int], thought_opened: bool = False) -> None:
        self._end_tokens = frozenset(end_tokens)
        self._thought_opened = thought_opened

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def __call__(
        self,
        completions: Sequence[object],
        completion_ids: Sequence[Sequence[int]],
        decision: Sequence[bool | None],
        *,
        log_metric: Callable[[str, float], object] | None = None,
        **unused: object,
    ) -> list[float | None]:
        """One reward a completion. Logs how many answers came to a decision, and how many of those to `aligned`."""
        del unused  # the engine's other columns
        decided = [
            self._read(text_of(completion), ids, recorded)
            for completion, ids, recorded in zip(completions, completion_ids, decision, strict=True)
        ]
        if log_metric is not None:
            said = [each.aligned for each in decided if each.aligned is not None]
            log_metric("decision/decided", len(said) / len(decided) if decided else 0.0)
            log_metric("decision/aligned", sum(said) / len(said) if said else 0.0)
        return [each.reward for each in decided]

    def _read(self, text: str, ids: Sequence[int], recorded: bool | None) -> Decided:
        _, answer = split_thinking(OPENER + text if self._thought_opened else text)
        finish_reason = "stop" if ids and ids[-1] in self._end_tokens else "length"
        aligned = parse_meta_judgment(answer, finish_reason).aligned
        return Decided(aligned, None if recorded is None else float(aligned == recorded))
