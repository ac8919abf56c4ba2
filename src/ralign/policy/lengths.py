"""The length penalty of a training run: none, fixed, or steered step by step, its state kept in every checkpoint.

The formula is `ralign.rewards.policy`'s. Lengths are in characters, thinking left out, as in `ralign serve`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal

import orjson

from ralign.errors import InputError
from ralign.files import write_atomically
from ralign.policy.grading import PolicyCompletion
from ralign.rewards.policy import LengthControl, LengthPenalty, LengthState, steer

STATE: Final = "length_penalty.json"


class LengthKeeper:
    """What longer answers lose, and how that moves from step to step."""

    def __init__(
        self, mode: Literal["none", "fixed", "dynamic"], *, coefficient: float, target: float = 1.0
    ) -> None:
        """`coefficient`: the fixed one, or where a dynamic one starts."""
        self.state = LengthState(coefficient=0.0 if mode == "none" else coefficient)
        self._control = (
            LengthControl(target=target, highest=max(LengthControl().highest, coefficient))
            if mode == "dynamic"
            else None
        )

    def penalty(self, completion: PolicyCompletion) -> float:
        """What this answer loses, by the coefficient as it stands."""
        if not self.state.coefficient:
            return 0.0
        penalty = LengthPenalty(coefficient=self.state.coefficient)
        return penalty.of(len(completion.answer), len(completion.pair.response_b))

    def step(self, completions: Sequence[PolicyCompletion]) -> None:
        """Steer after a step, by all its answers, those of other processes included: all then steer alike."""
        if self._control is None:
            return
        # Nothing visible is a thought without an end: it would pass for the shortest answer of all.
        seen = [completion for completion in completions if completion.answer]
        self.state = steer(
            self.state,
            self._control,
            [len(completion.answer) for completion in seen],
            [len(completion.pair.response_b) for completion in seen],
        )

    def save(self, folder: Path) -> None:
        """Put the state into a checkpoint."""
        write_atomically(folder / STATE, orjson.dumps(asdict(self.state)))

    def restore(self, folder: Path) -> None:
        """Take the state from a checkpoint.

        Raises:
            InputError: it is not there, or not readable.
        """
        try:
            self.state = LengthState(**orjson.loads((folder / STATE).read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{folder / STATE}: no state of a length penalty ({error})") from None
