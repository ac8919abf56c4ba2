"""`results_*.json` of lm-eval, the LM Evaluation Harness (read from 0.4.13's EvaluationTracker) -> figures.

results       {"aime24": {"alias": "aime24", "exact_match,none": 0.5, "exact_match_stderr,none": "N/A"}, …}
configs       each task's
n-samples     {"aime24": {"original": 30, "effective": 30}}
config        limit (null: the whole benchmark), …
model_name
"""

from ralign.downstream.json_access import Document, finite, is_document, object_at, text_at
from ralign.downstream.scores import Figure, ResultsFile


def is_lm_eval(document: Document) -> bool:
    """Whether lm-eval wrote it."""
    return is_document(document.get("configs")) and is_document(document.get("results"))


def read_lm_eval(path: str, document: Document) -> ResultsFile:
    """Read it; `is_lm_eval` holds."""
    return ResultsFile(
        path=path,
        source="lm-eval",
        model=text_at(document, "model_name"),
        figures=tuple(
            Figure(task=task, metric=metric, value=value)
            for task, metrics in object_at(document, "results").items()
            if is_document(metrics)
            for metric, found in metrics.items()
            # What has no filter behind a comma is no metric: alias, name, sample_len.
            if "," in metric and "_stderr," not in metric and (value := finite(found)) is not None
        ),
        partial=_partial(document),
    )


def _partial(document: Document) -> str | None:
    limit = object_at(document, "config").get("limit")
    if limit is not None:
        return f"only a part of its samples (--limit {limit})"
    for task, samples in object_at(document, "n-samples").items():
        if is_document(samples) and samples.get("effective") != samples.get("original"):
            return f"{samples.get('effective')} of {samples.get('original')} samples of {task}"
    return None
