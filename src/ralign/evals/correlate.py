"""Columns of a CSV of figures -> how each measure goes with the result, and which goes with it better.

Comes in: a CSV file, one row a model, the names of its columns, and run directories of `ralign bench` whose measures
become columns. Goes out: one panel a measure and one difference for each two of them, which the table, the figure and
the JSON of `ralign correlate` all show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from ralign.errors import InputError
from ralign.evals.bench.run_measures import MEASURES, read_measures
from ralign.files import Table, read_table
from ralign.metrics.correlation import (
    FEWEST_MODELS,
    Correlation,
    CorrelationDifference,
    compare_correlations,
    correlate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One measure against one result."""

    x_name: str
    y_name: str
    models: Sequence[str]
    """What each point is called."""
    x: Sequence[float]
    y: Sequence[float]
    correlation: Correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """Measures of the same models against one result."""

    panels: tuple[Panel, ...]
    differences: Mapping[tuple[str, str], CorrelationDifference]
    """r of the first named measure less r of the second."""
    notes: tuple[str, ...]
    """Why there is no interval; which models were left out."""

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "models": list(self.panels[0].models),
            "y": self.panels[0].y_name,
            "x": {panel.x_name: panel.correlation.as_dict() for panel in self.panels},
            "differences": [
                {"first": first, "second": second, **found.as_dict()}
                for (first, second), found in self.differences.items()
            ],
            "notes": list(self.notes),
        }


def correlate_columns(
    path: Path,
    x_names: Sequence[str],
    y_name: str,
    *,
    runs: Sequence[str] = (),
    bench_name: str | None = None,
    allow_partial: bool = False,
    cluster: str | None = None,
) -> Correlations:
    """Correlate each x column with the y column, over the models that have a figure in all of them.

    Args:
        path: the CSV file.
        x_names: columns with measures.
        y_name: the column with the result.
        runs: [MODEL=]RUN, run directories of `ralign bench`: their measures are columns too. MODEL is the row; by
            default the directory's name is.
        bench_name: which benchmark of the runs.
        allow_partial: take runs that are unfinished.
        cluster: a column that says which models are of one family. They are not independent, so nothing has an
            interval then.

    Raises:
        InputError: a missing column, a cell that is neither a number nor empty, a run that fits no row, or a column
            that cannot be correlated.
    """
    table = read_table(path)
    models = table.labels()
    measured = _measures(table, models, runs, bench_name, allow_partial=allow_partial)
    columns = {
        name: measured[name] if name in measured else table.numbers(name) for name in [*x_names, y_name]
    }
    kept = [row for row in range(len(models)) if all(column[row] is not None for column in columns.values())]
    chosen = {
        name: [value for row in kept if (value := column[row]) is not None]
        for name, column in columns.items()
    }
    families = None if cluster is None else [table.texts(cluster)[row] for row in kept]
    independent = families is None or len(set(families)) == len(families)
    names, y = [models[row] for row in kept], chosen[y_name]
    panels: list[Panel] = []
    for x_name in x_names:
        try:
            correlation = correlate(chosen[x_name], y, independent=independent)
        except ValueError as error:
            raise InputError(f"{path}: {x_name} (x) against {y_name} (y): {error}") from None
        panels.append(
            Panel(x_name=x_name, y_name=y_name, models=names, x=chosen[x_name], y=y, correlation=correlation)
        )
    notes: list[str] = []
    if lacking := [
        (models[row], [n for n in columns if columns[n][row] is None])
        for row in range(len(models))
        if row not in kept
    ]:
        listed = "; ".join(f"{model} (no {', '.join(absent)})" for model, absent in lacking)
        notes.append(f"Left out: {len(lacking)} of {len(models)} models: {listed}.")
    if len(kept) < FEWEST_MODELS:
        notes.append(f"{len(kept)} models: no interval.")
    if families is not None and not independent:
        notes.append(
            f"{len(kept)} models of {len(set(families))} families ({cluster}) are not independent: no interval."
        )
    return Correlations(
        panels=tuple(panels),
        differences={
            (one, two): compare_correlations(chosen[one], chosen[two], y, independent=independent)
            for one, two in combinations(dict.fromkeys(x_names), 2)
        },
        notes=tuple(notes),
    )


def _measures(
    table: Table,
    models: Sequence[str],
    runs: Sequence[str],
    bench_name: str | None,
    *,
    allow_partial: bool,
) -> dict[str, list[float | None]]:
    """Measure -> its value by row of the table; nothing without runs."""
    if not runs:
        return {}
    columns: dict[str, list[float | None]] = {name: [None] * len(models) for name in MEASURES}
    rows: dict[int, str] = {}
    for text in runs:
        model, equals, run = text.partition("=")
        # A path may hold an equals sign as well: what is there as it stands is a path.
        if not equals or Path(text).exists():
            model, run = Path(text).name, text
        if models.count(model) != 1:
            raise InputError(
                f"--runs {text}: {table.path} has {models.count(model)} rows of {model!r}, expected one; "
                f"its rows are {', '.join(models)}. MODEL=RUN says which row a run belongs to"
            )
        row = models.index(model)
        if row in rows:
            raise InputError(f"--runs {text}: {model!r} has the run {rows[row]} already")
        rows[row] = text
        for name, value in read_measures(Path(run), bench_name, allow_partial=allow_partial).items():
            columns[name][row] = value
    return columns
