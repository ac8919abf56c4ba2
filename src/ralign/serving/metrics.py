"""What `/metrics` shows, in Prometheus' terms. One registry an application, so that two can live in one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ralign.records import Judgment, MetaJudgment

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_OVERHEAD = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


class Gauges:
    """The counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "ralign_requests", "Requests answered", ["path", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "ralign_request_seconds",
            "From the request's head to its answer",
            ["path"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self.overhead = Histogram(
            "ralign_overhead_seconds",
            "The same without the time spent waiting for the models",
            registry=self._registry,
            buckets=_OVERHEAD,
        )
        self.in_flight = Gauge(
            "ralign_requests_in_flight", "Requests taken and not yet answered", registry=self._registry
        )
        self.places = Gauge(
            "ralign_queue_places", "Requests that can be taken at once", registry=self._registry
        )
        self.rewards = Counter(
            "ralign_rewards",
            "Answers rewarded: scored, unscored (no verdict), unended (not judged)",
            ["result"],
            registry=self._registry,
        )
        self.length_coefficient = Gauge(
            "ralign_length_coefficient", "The length penalty's coefficient", registry=self._registry
        )
        self.length_ratio = Gauge(
            "ralign_length_ratio",
            "The last window's mean length over its references' mean length",
            registry=self._registry,
        )
        self._model_answers = Counter(
            "ralign_model_answers",
            "Answers of the models: ok, or how they failed (call, parse)",
            ["stage", "result"],
            registry=self._registry,
        )

    def count_answer(self, answer: Judgment | MetaJudgment) -> None:
        """Count what a model said."""
        stage = "judge" if isinstance(answer, Judgment) else "meta_judge"
        self._model_answers.labels(stage, answer.failure or "ok").inc()

    def text(self) -> bytes:
        """Everything, in the text format that Prometheus scrapes."""
        return generate_latest(self._registry)
