"""`results.json` of our own runs over a policy's answers -> figures.

    ralign winrate    win_rate, length_controlled_win_rate, style_controlled_win_rate: {value, low, high} or null
    ralign rubric     score: the same

Neither says which benchmark it was: that is the name of its run directory, or what `NAME=` says before the path.
"""

from pathlib import Path

from ralign.downstream.json_access import Document, finite, is_document, object_at
from ralign.downstream.scores import Figure, ResultsFile
from ralign.errors import InputError

_EXTRAPOLATED = (
    "every answer is longer, or every one shorter, than its reference: a win rate at equal length is a guess"
)
_METRICS = ("score", "win_rate", "length_controlled_win_rate", "style_controlled_win_rate")


def is_run(document: Document) -> bool:
    """Whether one of our runs wrote it."""
    return "ralign" in document


def read_run(path: str, document: Document) -> ResultsFile:
    """Read it; `is_run` holds.

    Raises:
        InputError: a run of another command.
    """
    if is_document(document.get("benchmarks")):
        raise InputError(
            f"{path}: a run of ralign bench, which measures a judge and no policy: give it as --bench"
        )
    if not any(metric in document for metric in _METRICS):
        raise InputError(f"{path}: neither a run of ralign winrate nor of ralign rubric")
    task = Path(path).absolute().parent.name
    values = {metric: finite(object_at(document, metric).get("value")) for metric in _METRICS}
    return ResultsFile(
        path=path,
        source="ralign",
        model=None,
        figures=tuple(
            Figure(task=task, metric=metric, value=value)
            for metric, value in values.items()
            if value is not None
        ),
        partial=None
        if document.get("complete") is True
        else "the run is unfinished; the same command goes on",
        caveat=_EXTRAPOLATED if document.get("extrapolated") is True else None,
    )
