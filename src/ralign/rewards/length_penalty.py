"""Length penalty of a policy's reward: fixed, or a multiplier steered so that the mean length meets a target. Pure.

    penalty  =  lambda * min(max(0, n / n_ref - 1), cap)

with n and n_ref the lengths of answer and reference, in characters, thinking left out. It is on what is longer than the
reference and never rewards what is shorter. Fixed: lambda is a number. Dynamic: lambda is the Lagrange multiplier of
the constraint "mean n <= target * mean n_ref", moved by projected dual ascent,

    lambda  <-  clip(lambda + rate * (mean n / mean n_ref - target), 0, highest)

The paper (section 4, RLHF) has a dynamic length penalty and does not define it; this one is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ralign.errors import InputError

LengthPenaltyMode = Literal["none", "fixed", "dynamic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthPenalty:
    """Penalty on answers longer than their reference. Lengths in any unit, the same for both."""

    coefficient: float
    """lambda: the penalty of an answer twice as long as its reference."""
    cap: float = 2.0
    """The most excess that counts, in lengths of the reference: a one-word reference must not decide alone."""

    def __post_init__(self) -> None:
        if not (self.coefficient >= 0 and self.cap >= 0):
            raise InputError(
                f"the length penalty has coefficient {self.coefficient} and cap {self.cap}, expected 0 or more"
            )

    def of(self, length: float, reference_length: float) -> float:
        """The penalty: 0 or more, to be subtracted."""
        excess = max(0.0, length / max(reference_length, 1.0) - 1.0)
        return self.coefficient * min(excess, self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthControl:
    """Dual ascent on the coefficient; see the module's formula."""

    rate: float = 0.05
    """Step size: how far the coefficient moves for a mean length of twice the target's."""
    target: float = 1.0
    """Target mean length, in mean lengths of the reference answers."""
    highest: float = 1.0
    """Upper bound of the coefficient: with the cap at 2, an answer can lose as much by its length as by losing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthState:
    """State of the dynamic length penalty: all that a checkpoint has to hold."""

    coefficient: float = 0.0
    steps: int = 0
    ratio: float | None = None
    """The last step's mean length over the references' mean length."""


def steer(
    state: LengthState, control: LengthControl, lengths: Sequence[float], reference_lengths: Sequence[float]
) -> LengthState:
    """State after one step of dual ascent on a batch of answers, thinking left out.

    Args:
        state: before the batch.
        control: rate, target and bound.
        lengths: of the answers.
        reference_lengths: of their references, in the same unit; only the sums matter.

    Returns:
        The next state; the same one where the batch has no answer.
    """
    if not lengths:
        return state
    mean = sum(lengths) / len(lengths)
    reference = sum(reference_lengths) / max(len(reference_lengths), 1)
    ratio = mean / max(reference, 1.0)
    coefficient = state.coefficient + control.rate * (ratio - control.target)
    return LengthState(
        coefficient=min(max(coefficient, 0.0), control.highest), steps=state.steps + 1, ratio=ratio
    )


class AnswerLength(NamedTuple):
    """Characters of one answer and of its reference."""

    answer: int
    reference: int


class SteeredLengthPenalty:
    """The length penalty of a training run or a service: none, fixed, or steered by the answers that it is shown.

    Args:
        mode: `none` takes nothing off.
        coefficient: the fixed one, or where a dynamic one starts.
        target: mean length that a dynamic one steers to, in mean lengths of the references.
        window: answers in one step, where nobody says when a step ends (`observe`). Steps then follow the order in
            which answers come, so two runs of the same training need not take the same ones.
    """

    def __init__(
        self, mode: LengthPenaltyMode, *, coefficient: float, target: float = 1.0, window: int | None = None
    ) -> None:
        self.state = LengthState(coefficient=0.0 if mode == "none" else coefficient)
        self._dynamic = mode == "dynamic"
        self._control = LengthControl(target=target, highest=max(LengthControl().highest, coefficient))
        self._window = window
        self._seen: list[AnswerLength] = []

    def penalty(self, length: AnswerLength) -> float:
        """Penalty of an answer, by the coefficient as it stands."""
        return LengthPenalty(coefficient=self.state.coefficient).of(length.answer, length.reference)

    def observe(self, length: AnswerLength) -> None:
        """Count an answer towards the window, whose last one takes the step."""
        if self._window is None or not self._dynamic or not length.answer:
            return
        self._seen.append(length)
        if len(self._seen) >= self._window:
            self.step(self._seen)
            self._seen.clear()

    def step(self, lengths: Sequence[AnswerLength]) -> None:
        """Steer by all answers of a step, those of other processes included: all then steer alike."""
        if not self._dynamic:
            return
        # Nothing visible is a thought without an end: it would pass for the shortest answer of all.
        seen = [length for length in lengths if length.answer]
        self.state = steer(
            self.state, self._control, [each.answer for each in seen], [each.reference for each in seen]
        )
