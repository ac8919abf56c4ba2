"""Files of benchmark results -> `ResultsFile`, whichever of four programs wrote them.

Which program it was, the content says and not the name:

    lighteval (0.13's EvaluationTracker), results_*.json
      config_general    model_name, max_samples (null: the whole benchmark), …
      results           {"aime24|0": {"avg@n:n=1": 0.75, "avg@n:n=1_stderr": 0.08}, …, "all": means over everything}
    lm-eval, the LM Evaluation Harness (0.4.13's EvaluationTracker), results_*.json
      results           {"aime24": {"alias": "aime24", "exact_match,none": 0.5, "exact_match_stderr,none": "N/A"}, …}
      configs           each task's
      n-samples         {"aime24": {"original": 30, "effective": 30}}
      config            limit (null: the whole benchmark), …
      model_name
    Inspect, .eval and .json: see `inspect_results`
    ralign, results.json or its run directory
      winrate           win_rate, length_controlled_win_rate, style_controlled_win_rate: {value, low, high} or null
      rubric            score: the same
      bench             benchmarks, each with label_accuracy, …: of a judge, so `evals.bench.run_measures` reads it

Our runs do not say which benchmark it was: that is the name of the run directory, or `NAME=` before the path.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ralign.downstream.inspect_results import is_inspect, read_eval_header, read_inspect
from ralign.downstream.lighteval_details import count_failed_calls
from ralign.downstream.scores import Document, Figure, ResultsFile, finite, is_document, object_at, text_at
from ralign.errors import InputError

_EXPECTED = (
    "expected results_*.json of lighteval or lm-eval, a log of Inspect (.eval or .json), or a run directory of "
    "ralign winrate or ralign rubric"
)
_ZIP = b"PK\x03\x04"
_EXTRAPOLATED = (
    "every answer is longer, or every one shorter, than its reference: a win rate at equal length is a guess"
)
_METRICS = ("score", "win_rate", "length_controlled_win_rate", "style_controlled_win_rate")
_UNFINISHED = "the run is unfinished; the same command goes on"


def read_results(sources: Sequence[str], *, allow_partial: bool) -> list[ResultsFile]:
    """Read files of results.

    Args:
        sources: files, or run directories; `NAME=PATH` says which benchmark it is, whatever the file calls it.
        allow_partial: take figures of a part of a benchmark too; each says so in `partial`.

    Raises:
        InputError: a file that cannot be read or is none of these, or one over a part of a benchmark.
    """
    files: list[ResultsFile] = []
    for source in sources:
        name, equals, named = source.partition("=")
        # A path may hold an equals sign as well: what is there as it stands is a path.
        if not (equals and name and "/" not in name) or Path(source).exists():
            name, named = "", source
        path = Path(named).expanduser()
        path = path / "results.json" if path.is_dir() else path
        document = _document(path, _EXPECTED)
        # lm-eval is looked for last: its keys are the least telling.
        if is_document(document.get("config_general")) and is_document(document.get("results")):
            file = count_failed_calls(_read_lighteval(str(path), document))
        elif is_inspect(document):
            file = read_inspect(str(path), document)
        elif "ralign" in document:
            file = _read_run(path, document)
        elif is_document(document.get("configs")) and is_document(document.get("results")):
            file = _read_lm_eval(str(path), document)
        else:
            raise InputError(f"{path}: its keys are {', '.join(list(document)[:8]) or 'none'}, {_EXPECTED}")
        if file.partial is not None and not allow_partial:
            raise InputError(
                f"{file.path}: is not of the whole benchmark: {file.partial}; --allow-partial takes it all the same"
            )
        if name:
            file = replace(file, figures=tuple(replace(figure, task=name) for figure in file.figures))
        files.append(file)
    return files


def _document(path: Path, expected: str) -> Document:
    try:
        with path.open("rb") as file:
            zipped = file.read(4) == _ZIP
        # The standard library's reader: Inspect and lighteval write NaN where a figure is undefined.
        document: object = read_eval_header(path) if zipped else json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}), {expected}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error}), {expected}") from None
    if not is_document(document):
        raise InputError(f"{path}: is not a JSON object, {expected}")
    return document


def _read_lighteval(path: str, document: Document) -> ResultsFile:
    general = object_at(document, "config_general")
    figures: list[Figure] = []
    for key, metrics in object_at(document, "results").items():
        # `aime24|0`, the last part the number of examples; before 0.13 `lighteval|aime24|0`.
        parts = key.split("|")
        task = parts[-2] if len(parts) > 1 and parts[-1].isdigit() else parts[-1]
        # Means over several tasks are no task of their own.
        if key == "all" or ":_average" in key or not is_document(metrics):
            continue
        figures += [
            Figure(task=task, metric=metric, value=value)
            for metric, found in metrics.items()
            if not metric.endswith("_stderr") and (value := finite(found)) is not None
        ]
    limit = general.get("max_samples")
    return ResultsFile(
        path=path,
        source="lighteval",
        model=text_at(general, "model_name"),
        figures=tuple(figures),
        partial=None if limit is None else f"only its first {limit} samples (--max-samples)",
    )


def _read_lm_eval(path: str, document: Document) -> ResultsFile:
    limit = object_at(document, "config").get("limit")
    partial = None if limit is None else f"only a part of its samples (--limit {limit})"
    for task, samples in object_at(document, "n-samples").items():
        if is_document(samples) and samples.get("effective") != samples.get("original"):
            count = f"{samples.get('effective')} of {samples.get('original')} samples of {task}"
            partial = partial or count
    return ResultsFile(
        path=path,
        source="lm-eval",
        model=text_at(document, "model_name"),
        figures=tuple(
            Figure(task=task, metric=metric, value=value)
            for task, metrics in object_at(document, "results").items()
            if is_document(metrics)
            for metric, found in metrics.items()
            # A key with no filter behind a comma is no metric: alias, name, sample_len.
            if "," in metric and "_stderr," not in metric and (value := finite(found)) is not None
        ),
        partial=partial,
    )


def _read_run(path: Path, document: Document) -> ResultsFile:
    if is_document(document.get("benchmarks")):
        raise InputError(
            f"{path}: a run of ralign bench, which measures a judge and no policy: give it as --bench"
        )
    if not any(metric in document for metric in _METRICS):
        raise InputError(f"{path}: neither a run of ralign winrate nor of ralign rubric")
    values = {metric: finite(object_at(document, metric).get("value")) for metric in _METRICS}
    return ResultsFile(
        path=str(path),
        source="ralign",
        model=None,
        figures=tuple(
            Figure(task=path.absolute().parent.name, metric=metric, value=value)
            for metric, value in values.items()
            if value is not None
        ),
        partial=None if document.get("complete") is True else _UNFINISHED,
        caveat=_EXTRAPOLATED if document.get("extrapolated") is True else None,
    )
