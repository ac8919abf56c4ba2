"""Watch on reward hacking beside a policy's training: length penalty steered, signs logged, stop rules, step by step.

Comes in: the scored answers of every process. Goes out: a line of `signs.jsonl` a step, the signs as metrics
`signs/NAME`, which stop rule fired, and the length penalty's state for each checkpoint. All processes see all answers,
so all steer and stop alike.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from ralign.errors import InputError
from ralign.files import read_log, write_atomically
from ralign.rewards.length_penalty import LengthState, SteeredLengthPenalty
from ralign.rewards.reward_hacking import RewardHackingSigns, signs_of
from ralign.rewards.stop_rules import StopRules
from ralign.training.reward.scored import ScoredAnswer

SIGNS: Final = "signs.jsonl"
STATE: Final = "length_penalty.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStep:
    """One training step of a policy, with all its answers."""

    step: int
    """From 1."""
    groups: Sequence[Sequence[ScoredAnswer]]
    """The answers of each prompt, over all processes, with rewards and verdicts by order."""
    signs: RewardHackingSigns
    lengths: LengthState
    """The length penalty after the step."""


OnStep = Callable[[PolicyStep], object]
"""Called after each step, in every process."""


class RewardHackingWatch:
    """Signs of reward hacking, stop rules and length penalty of one policy's training.

    Args:
        lengths: the length penalty, which it steers.
        rules: the stop rules.
        group_size: answers a prompt.
        on_step: called after each step.
    """

    def __init__(
        self,
        lengths: SteeredLengthPenalty,
        rules: StopRules,
        *,
        group_size: int,
        on_step: OnStep | None = None,
    ) -> None:
        self.lengths = lengths
        self.fired: str | None = None
        """Which rule ended training, in one line; None: none did."""
        self.signs: RewardHackingSigns | None = None
        """Of the last step."""
        self._rules = rules
        self._group_size = group_size
        self._on_step = on_step
        self._scored: list[ScoredAnswer] = []

    def collect(self, scored: Sequence[ScoredAnswer]) -> None:
        """Keep what this process has scored for the end of the step."""
        self._scored += scored

    def take(self) -> list[ScoredAnswer]:
        """Answers scored by this process since it was last asked, in the order of the completions."""
        scored, self._scored = self._scored, []
        return scored

    def step(self, step: int, scored: Sequence[ScoredAnswer]) -> RewardHackingSigns:
        """Take in one step's answers, those of all processes."""
        size = self._group_size
        groups = [scored[start : start + size] for start in range(0, len(scored), size)]
        self.lengths.step([each.answer.length for each in scored])
        self.signs = signs_of(step, [[each.graded() for each in group] for group in groups])
        if self._on_step is not None:
            self._on_step(PolicyStep(step=step, groups=groups, signs=self.signs, lengths=self.lengths.state))
        self.fired = self._rules.seen(self.signs)
        return self.signs

    def metrics(self) -> Mapping[str, float]:
        """The last step's signs as an engine logs them; NaN where the step cannot tell."""
        signs = {} if self.signs is None else self.signs.as_dict()
        return {
            f"signs/{name}": math.nan if value is None else float(value)
            for name, value in signs.items()
            if name not in ("step", "answers")
        }

    def save(self, checkpoint: Path) -> None:
        """Put the length penalty's state into a checkpoint."""
        write_atomically(checkpoint / STATE, orjson.dumps(asdict(self.lengths.state)))

    def restore(self, checkpoint: Path) -> None:
        """Take the length penalty's state from a checkpoint.

        Raises:
            InputError: it is not there, or not readable.
        """
        try:
            self.lengths.state = LengthState(**orjson.loads((checkpoint / STATE).read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{checkpoint / STATE}: no state of a length penalty ({error})") from None


def encode_signs(signs: RewardHackingSigns) -> bytes:
    """One line of `signs.jsonl`, without its newline."""
    return orjson.dumps(signs.as_dict())


def cut_signs_after(path: Path, step: int) -> None:
    """Drop the signs of later steps: a run that is resumed makes those steps again."""
    lines = [line.data for line in read_log(path, skip_torn=True)]
    kept = [line for line in lines if orjson.loads(line)["step"] <= step]
    if len(kept) < len(lines):
        write_atomically(path, b"".join(line + b"\n" for line in kept))
