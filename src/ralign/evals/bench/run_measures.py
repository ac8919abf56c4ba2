"""The measures of a finished run, by name: for a table of judges beside what their policies are worth."""

from pathlib import Path
from typing import Any

import orjson

from ralign.errors import InputError

MEASURES = ("label_accuracy", "spurious_correctness", "fidelity_score")


def read_measures(run: Path, benchmark: str | None, *, allow_partial: bool) -> dict[str, float]:
    """Measures by `ralign bench`, in percent.

    One that the run does not have is left out: S-Corr and F-Score need a meta-judge.

    Args:
        run: the run directory.
        benchmark: which of its benchmarks; None where it has one.
        allow_partial: take a run that is unfinished.

    Raises:
        InputError: no run of `ralign bench`, an unfinished one, or a benchmark that it does not have.
    """
    path = run / "results.json"
    try:
        document: Any = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), expected a run of ralign bench"
        ) from None
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: is not JSON ({error}), expected a run of ralign bench") from None
    benchmarks = document.get("benchmarks") if isinstance(document, dict) else None
    if not isinstance(benchmarks, dict):
        raise InputError(f"{path}: is not of a run of ralign bench")
    if document.get("complete") is not True and not allow_partial:
        raise InputError(
            f"{path}: the run is unfinished; the same command goes on, or --allow-partial takes it as it is"
        )
    names = ", ".join(benchmarks)
    if benchmark is None and len(benchmarks) != 1:
        raise InputError(f"{path}: has {names or 'no benchmark'}; say which with --bench-name")
    name = benchmark or next(iter(benchmarks))
    if name not in benchmarks:
        raise InputError(f"{path}: has no benchmark {name!r}; it has {names}")
    try:
        found = {measure: benchmarks[name][measure] for measure in MEASURES}
        return {measure: 100 * float(each["value"]) for measure, each in found.items() if each is not None}
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is not what `ralign bench` wrote ({error!r})") from None
