"""What `ralign bench` measured of the judge that a policy was trained against: results.json -> columns, in percent."""

import json
from pathlib import Path

from ralign.downstream.json_access import Document, finite, is_document, object_at
from ralign.downstream.table import MEASURES
from ralign.errors import InputError


def read_measures(run: Path, benchmark: str | None, *, allow_partial: bool) -> dict[str, float]:
    """The judge's measures; one that the run does not have is left out (S-Corr and F-Score need a meta-judge).

    Args:
        run: the run directory.
        benchmark: which of its benchmarks; None where it has one.
        allow_partial: take a run that is unfinished.

    Raises:
        InputError: no run of `ralign bench`, an unfinished one, or a benchmark that it does not have.
    """
    path = run / "results.json"
    document = _document(path)
    benchmarks = object_at(document, "benchmarks")
    if document.get("complete") is not True and not allow_partial:
        raise InputError(
            f"{path}: the run is unfinished; the same command goes on, or --allow-partial takes it"
        )
    names = ", ".join(benchmarks)
    if benchmark is None and len(benchmarks) != 1:
        raise InputError(f"{path}: has {names or 'no benchmark'}; say which with --bench-name")
    name = benchmark or next(iter(benchmarks))
    if name not in benchmarks:
        raise InputError(f"{path}: has no benchmark {name!r}; it has {names}")
    values = {measure: finite(object_at(benchmarks, name, measure).get("value")) for measure in MEASURES}
    return {measure: 100 * value for measure, value in values.items() if value is not None}


def _document(path: Path) -> Document:
    try:
        document: object = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), expected a run of ralign bench"
        ) from None
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error})") from None
    if not is_document(document) or not is_document(document.get("benchmarks")):
        raise InputError(f"{path}: is not of a run of ralign bench")
    return document
