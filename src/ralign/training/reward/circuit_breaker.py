"""Circuit breaker over a model's answers: when training must wait instead of training on nothing. Pure.

    closed      calls are made; so many failures among the last ones open it
    open        no calls are made
    half_open   one call is out, to find out; an answer closes it, a failure opens it again

No clock, no sleep, no calls: a state goes in with what happened, the next state comes out. What is done about an open
breaker is `ralign.training.reward.outage`.
"""

from dataclasses import dataclass, replace
from typing import Literal

from ralign.errors import InputError

Phase = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a breaker opens."""

    threshold: float = 0.75
    """The share of failed calls in the window that opens it, above 0 and up to 1."""
    window: int = 16
    """How many of the last calls count. A dead model is noticed after threshold * window of them."""
    minimum: int = 8
    """Fewer than this many say nothing yet."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise InputError(
                f"the breaker's threshold is {self.threshold}, expected more than 0 and at most 1"
            )
        if not 1 <= self.minimum <= self.window:
            raise InputError(
                f"the breaker's minimum is {self.minimum} and its window {self.window}, "
                "expected 1 <= minimum <= window"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One state of the machine; every method gives the next one."""

    limits: Limits = Limits()
    phase: Phase = "closed"
    recent: tuple[bool, ...] = ()
    """The last calls, oldest first: True where one was answered."""
    probes: int = 0
    """How many probes have failed since it opened."""

    @property
    def failed(self) -> int:
        """Failures among the recent ones."""
        return len(self.recent) - sum(self.recent)

    def after(self, answered: bool) -> "Breaker":
        """A call was answered, or failed. Only a closed breaker listens: stragglers of an outage change nothing."""
        if self.phase != "closed":
            return self
        recent = (*self.recent, answered)[-self.limits.window :]
        failed = len(recent) - sum(recent)
        trips = len(recent) >= self.limits.minimum and failed >= self.limits.threshold * len(recent)
        return replace(self, recent=recent, phase="open" if trips else "closed")

    def probing(self) -> "Breaker":
        """A probe is sent.

        Raises:
            ValueError: it is not open.
        """
        if self.phase != "open":
            raise ValueError(f"the breaker is {self.phase}, only an open one is probed")
        return replace(self, phase="half_open")

    def probed(self, answered: bool) -> "Breaker":
        """The probe's outcome: closed with nothing remembered, or open again.

        Raises:
            ValueError: no probe is out.
        """
        if self.phase != "half_open":
            raise ValueError(f"the breaker is {self.phase}, no probe is out")
        if answered:
            return Breaker(limits=self.limits)
        return replace(self, phase="open", probes=self.probes + 1)
