"""Metrics of one application in Prometheus' terms, and the timing of each request that they are made of.

One registry an application, so that two can live in one process. Seconds throughout, on the event loop's clock.
"""

from collections.abc import Awaitable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ralign.records import Judgment, MetaJudgment

Result = TypeVar("Result")

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
# Finer than Prometheus' default buckets, which start at 5 ms.
_OVERHEAD = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


@dataclass(slots=True, kw_only=True)
class RequestTiming:
    """Arrival and deadline of one request, and how long it waited for models."""

    arrived: float
    deadline: float
    waited: float = 0.0

    @property
    def overhead(self) -> float:
        """Seconds that the request took so far without the models."""
        return monotonic() - self.arrived - self.waited


current_timing: ContextVar[RequestTiming] = ContextVar("current_timing")
"""Timing of the request that the running task answers: set by the middleware."""


async def waiting(for_models: Awaitable[Result]) -> Result:
    """Await the models and add up how long it took. Calls that overlap within a request are counted each."""
    timing = current_timing.get()
    before = monotonic()
    try:
        return await for_models
    finally:
        timing.waited += monotonic() - before


class ServingMetrics:
    """Counters, gauges and histograms of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry)
        gauge = partial(Gauge, registry=self._registry)
        histogram = partial(Histogram, registry=self._registry)
        self.requests = counter("ralign_requests", "Requests answered", ["path", "status"])
        self.seconds = histogram(
            "ralign_request_seconds", "From the request's head to its answer", ["path"], buckets=_SECONDS
        )
        self.overhead = histogram(
            "ralign_overhead_seconds",
            "The same without the time spent waiting for the models",
            buckets=_OVERHEAD,
        )
        self.in_flight = gauge("ralign_requests_in_flight", "Requests taken and not yet answered")
        self.queue_capacity = gauge("ralign_queue_capacity", "The most requests that can be in flight")
        self.rewards = counter(
            "ralign_rewards",
            "Answers rewarded: scored, unscored (no verdict), unended (not judged)",
            ["result"],
        )
        self.length_coefficient = gauge("ralign_length_coefficient", "The length penalty's coefficient")
        self.length_ratio = gauge(
            "ralign_length_ratio", "The last window's mean length over its references' mean length"
        )
        self._model_answers = counter(
            "ralign_model_answers",
            "Answers of the models: ok, or how they failed (call, parse)",
            ["stage", "result"],
        )

    def count_answer(self, answer: Judgment | MetaJudgment) -> None:
        """Count a model's answer by stage and outcome."""
        stage = "judge" if isinstance(answer, Judgment) else "meta_judge"
        self._model_answers.labels(stage, answer.failure or "ok").inc()

    def text(self) -> bytes:
        """All metrics in the text format that Prometheus scrapes."""
        return generate_latest(self._registry)
