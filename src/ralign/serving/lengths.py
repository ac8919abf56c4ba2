"""The length penalty of a running service: none, fixed, or steered window by window."""

from typing import Literal

from ralign.rewards.policy import LengthControl, LengthPenalty, LengthState, steer


class LengthKeeper:
    """What longer answers lose, and the lengths seen since the last step. Lengths in characters, thinking left out.

    Args:
        mode: `dynamic` takes a step after every `window` answers; `none` takes nothing off.
        coefficient: the fixed one, or where a dynamic one starts.
        window: answers in one step. Steps follow the order in which answers come, so two runs of the same training
            need not take the same ones.
    """

    def __init__(self, mode: Literal["none", "fixed", "dynamic"], *, coefficient: float, window: int) -> None:
        self.state = LengthState(coefficient=0.0 if mode == "none" else coefficient)
        self._window = window if mode == "dynamic" else None
        self._control = LengthControl(highest=max(LengthControl().highest, coefficient))
        self._lengths: list[int] = []
        self._reference_lengths: list[int] = []

    def penalty(self, answer: str, reference: str) -> float:
        """What this answer loses, by the coefficient as it stands; its length then counts for the next step."""
        lost = LengthPenalty(coefficient=self.state.coefficient).of(len(answer), len(reference))
        # Nothing visible is a thought without an end: it would pass for the shortest answer of all.
        if self._window is not None and answer:
            self._lengths.append(len(answer))
            self._reference_lengths.append(len(reference))
            if len(self._lengths) >= self._window:
                self.state = steer(self.state, self._control, self._lengths, self._reference_lengths)
                self._lengths.clear()
                self._reference_lengths.clear()
        return lost
