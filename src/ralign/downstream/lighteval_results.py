"""`results_*.json` of lighteval (read from 0.13's EvaluationTracker) -> figures.

config_general    model_name, max_samples (null: the whole benchmark), …
results           {"aime24|0": {"avg@n:n=1": 0.75, "avg@n:n=1_stderr": 0.08}, …, "all": means over everything}
"""

from ralign.downstream.json_access import Document, finite, is_document, object_at, text_at
from ralign.downstream.scores import Figure, ResultsFile


def is_lighteval(document: Document) -> bool:
    """Whether lighteval wrote it."""
    return is_document(document.get("config_general")) and is_document(document.get("results"))


def read_lighteval(path: str, document: Document) -> ResultsFile:
    """Read it; `is_lighteval` holds."""
    general = object_at(document, "config_general")
    limit = general.get("max_samples")
    return ResultsFile(
        path=path,
        source="lighteval",
        model=text_at(general, "model_name"),
        figures=tuple(
            Figure(task=name, metric=metric, value=value)
            for task, metrics in object_at(document, "results").items()
            if (name := _task(task)) is not None and is_document(metrics)
            for metric, found in metrics.items()
            if not metric.endswith("_stderr") and (value := finite(found)) is not None
        ),
        partial=None if limit is None else f"only its first {limit} samples (--max-samples)",
    )


def _task(key: str) -> str | None:
    """`aime24|0` -> `aime24`; before 0.13 `lighteval|aime24|0`. None: a mean over several tasks."""
    parts = key.split("|")
    if len(parts) > 1 and parts[-1].isdigit():
        parts = parts[:-1]
    return None if key == "all" or ":_average" in key else parts[-1]
