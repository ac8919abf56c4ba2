"""Outage of a judge or meta-judge during training: wait and ask again, or stop. One line says which.

Comes in: every call's outcome. Goes out: whether calls may be made (`Guard.is_open`), a pause that ends by itself when
the model answers again, or `MetaJudgeDown`. The alternative is what engines do by themselves: every reward missing,
every advantage 0, and an optimizer that moves the weights by momentum alone.

With several ranks, the others wait for one that pauses in their next collective operation: the process group's
timeout (`ddp_timeout`) has to be longer than `OutagePlan.patience`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from ralign.errors import InputError, MetaJudgeDown
from ralign.records import Failure
from ralign.training.reward.circuit_breaker import Breaker, Limits

Policy = Literal["pause", "stop"]
Clock = Callable[[], float]
"""Seconds, from any zero."""
Sleep = Callable[[float], Awaitable[object]]


class Outcome(Protocol):
    """Outcome of a call: a judgment, a meta-judgment, or a reward service's answer."""

    @property
    def failure(self) -> Failure | None:
        """None where it was answered."""
        ...

    @property
    def detail(self) -> str | None:
        """Reason, where it failed."""
        ...


class Probe(NamedTuple):
    """Outcome of a probe."""

    problem: str | None
    """Why it failed; None where it was answered."""


Probes = Iterator[Awaitable[Probe]]
"""Calls of the model, each made when it is awaited, whatever the breaker's state; without end."""

_log = logging.getLogger(__name__)


def warn(line: str) -> None:
    """Log a line where the program's warnings go: to the terminal, unless logging is set up otherwise."""
    _log.warning("%s", line)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutagePlan:
    """When a model counts as down, and what is done then. Times are in seconds."""

    policy: Policy = "pause"
    """`pause` waits until it answers; `stop` ends training."""
    limits: Limits = field(default_factory=Limits)
    """How many failures make an outage."""
    first_wait: float = 5.0
    """Before the first probe; doubled for each one after."""
    longest_wait: float = 300.0
    """The most that doubling leads to."""
    patience: float = 3600.0
    """After an outage of this length training stops."""

    def __post_init__(self) -> None:
        for name in ("first_wait", "longest_wait", "patience"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}, expected more than 0")

    def wait(self, probes: int) -> float:
        """Seconds to wait after so many failed probes."""
        return min(self.longest_wait, self.first_wait * 2.0 ** min(probes, 30))


class Guard:
    """Circuit breaker over one model's calls in one process, and what is done when it opens.

    Args:
        plan: the limits and the policy.
        name: what messages call the model: its role, its name and its address.
        clock: tells the time.
        sleep: waits between probes.
        log: takes one line that training waits, and one that it goes on.
    """

    def __init__(
        self,
        plan: OutagePlan,
        *,
        name: str,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        log: Callable[[str], object] = warn,
    ) -> None:
        self.breaker = Breaker(limits=plan.limits)
        self.paused_seconds = 0.0
        """All pauses together."""
        self._plan = plan
        self._name = name
        self._clock = clock
        self._sleep = sleep
        self._log = log
        self._last_problem = ""
        self._down_since: float | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether no calls but probes are to be made."""
        return self.breaker.phase != "closed"

    @property
    def threshold(self) -> float:
        """The share of failures that is an outage."""
        return self._plan.limits.threshold

    def note(self, problem: str | None) -> None:
        """Count a call that was answered (None), or failed for this reason."""
        if self.is_open:
            # Stragglers, and those that were not asked any more.
            return
        self.breaker = self.breaker.after(problem is None)
        if problem is None:
            # No probe's answer: a meta-judge that answers probes and nothing else is still down.
            self._down_since = None
        else:
            self._last_problem = problem
        if self.is_open and self._down_since is None:
            self._down_since = self._clock()

    async def wait_until_answered(self, probes: Probes) -> None:
        """Come back when the breaker is closed: at once, or after a pause. Callers wait for one prober.

        Raises:
            MetaJudgeDown: the policy is to stop, or patience is at its end.
            EndpointRefused: the probe met an endpoint that refuses every call.
        """
        async with self._one_at_a_time:
            if not self.is_open:
                return
            if self._plan.policy == "stop":
                raise MetaJudgeDown(
                    f"{self._symptom()}; stopped, as asked; bring it back and resume from the last checkpoint"
                )
            self._log(
                f"{self._symptom()}; training waits, asks again in {self._plan.wait(0):g} s and then ever more "
                f"rarely, and goes on by itself once it answers; bring it back within {self._plan.patience:g} s"
            )
            started = self._clock()
            try:
                await self._probe_until_answered(probes)
            finally:
                self.paused_seconds += self._clock() - started
            self._log(f"{self._name} answers again after {self._clock() - started:.0f} s; training goes on")

    async def _probe_until_answered(self, probes: Probes) -> None:
        assert self._down_since is not None, "an open breaker has a time when it opened"
        give_up_at = self._down_since + self._plan.patience
        if not self.breaker.probes and self._clock() >= give_up_at:
            self.breaker = self.breaker.probing().probed(False)
            raise self._given_up("answered single questions and failed all others")
        while True:
            left = max(give_up_at - self._clock(), 0.0)
            await self._sleep(min(self._plan.wait(self.breaker.probes), left))
            self.breaker = self.breaker.probing()
            answered = False
            try:
                problem = (await next(probes)).problem
                answered = problem is None
                self._last_problem = problem or self._last_problem
            # Cancelled or refused, it is open again.
            finally:
                self.breaker = self.breaker.probed(answered)
            if answered:
                return
            if self._clock() >= give_up_at:
                raise self._given_up("did not answer")

    def _given_up(self, symptom: str) -> MetaJudgeDown:
        assert self._down_since is not None, "only what is down is given up"
        return MetaJudgeDown(
            f"{self._name} {symptom} for {self._clock() - self._down_since:.0f} s, last: {self._last_problem}; "
            "stopped; bring it back and resume from the last checkpoint"
        )

    def _symptom(self) -> str:
        recent = self.breaker.recent
        return f"{self._name} failed {self.breaker.failed} of the last {len(recent)} calls, last: {self._last_problem}"


def problem_of(outcome: Outcome) -> str:
    """Reason of a failure, in one line."""
    return outcome.detail or outcome.failure or "no majority"


class Unguarded(Guard):
    """Guard that never opens: for a judge that training can do without."""

    def note(self, problem: str | None) -> None:
        """Count nothing."""
