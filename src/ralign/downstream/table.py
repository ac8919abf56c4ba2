"""Table of policies: one row each, figures in percent, cells as text. Pure.

Columns, in this order: `model`; what `ralign bench` measured of the judge, where any row has it; the paper's eight
benchmarks; any other column, in the order it came; `average`, the plain mean, as in the paper's table. A row that
lacks one of the averaged benchmarks has no average: a mean over other benchmarks is another measure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ralign.downstream.benchmarks import PAPER
from ralign.errors import BadRow, InputError
from ralign.evals.bench.run_measures import MEASURES
from ralign.files import Table, read_table

MODEL = "model"
AVERAGE = "average"
BENCHMARKS = tuple(benchmark.name for benchmark in PAPER)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTable:
    """Policies and their figures."""

    columns: tuple[str, ...] = (MODEL, *BENCHMARKS, AVERAGE)
    rows: tuple[Mapping[str, str], ...] = ()
    """By column; one that is missing is blank."""


def read_policies(path: Path) -> PolicyTable:
    """The table as it stands; an empty one where the file is missing.

    Raises:
        InputError: the file is no table of policies.
        BadRow: a model that comes twice.
    """
    if not path.exists():
        return PolicyTable()
    table: Table = read_table(path)
    if MODEL not in table.columns:
        raise InputError(f"{path}: no column {MODEL!r}; there are {', '.join(map(repr, table.columns))}")
    seen: dict[str, int] = {}
    for model, line in zip(table.columns[MODEL], table.lines, strict=True):
        # `with_row` would fill in both.
        if model in seen:
            raise BadRow(str(path), line, f"{MODEL} is {model!r}, which line {seen[model]} has already")
        seen[model] = line
    names = tuple(table.columns)
    rows = zip(*table.columns.values(), strict=True)
    return PolicyTable(columns=names, rows=tuple(dict(zip(names, cells, strict=True)) for cells in rows))


def with_row(table: PolicyTable, model: str, figures: Mapping[str, float]) -> PolicyTable:
    """The table with a policy's figures: in its row where it has one, in a new one at the end where not.

    Args:
        table: other rows, and other cells of this one, stay as they are.
        model: what the policy is called.
        figures: in percent, by column.
    """
    cells = {column: f"{value:.2f}" for column, value in figures.items()}
    if all(row[MODEL] != model for row in table.rows):
        table = PolicyTable(columns=table.columns, rows=(*table.rows, {MODEL: model}))
    rows = tuple({**row, **cells} if row[MODEL] == model else row for row in table.rows)
    # A dict for its order: the user's own columns keep the places in which they came.
    present = dict.fromkeys((*table.columns, *cells))
    measures = [name for name in MEASURES if name in present]
    fixed = {MODEL, *measures, *BENCHMARKS, AVERAGE}
    others = [name for name in present if name not in fixed]
    return PolicyTable(columns=(MODEL, *measures, *BENCHMARKS, *others, AVERAGE), rows=rows)


def with_averages(table: PolicyTable, over: Sequence[str]) -> PolicyTable:
    """The table with every row's average over the same benchmarks, in percent.

    Raises:
        InputError: a cell that is no number.
    """
    rows: list[Mapping[str, str]] = []
    for row in table.rows:
        average = ""
        if not lacking(row, over):
            try:
                average = f"{sum(float(row[column]) for column in over) / len(over):.2f}"
            except ValueError as error:
                raise InputError(
                    f"model {row[MODEL]!r}: a benchmark's figure is no number: {error}"
                ) from None
        rows.append({**row, AVERAGE: average})
    return PolicyTable(columns=table.columns, rows=tuple(rows))


def lacking(row: Mapping[str, str], over: Sequence[str]) -> list[str]:
    """Benchmarks that a row has no figure for."""
    return [column for column in over if not row.get(column)]
