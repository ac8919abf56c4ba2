"""Tables of S-Corr and F-Score corrected by people's labels, and of what labels from elsewhere would make of S-Corr.

In: `results.json`'s `benchmarks`, or the corrected part of a comparison. Out: rich tables; shares in per cent.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ralign.report.tables import MEASURE_NAMES, finished, new_table, share_cell

if TYPE_CHECKING:
    from ralign.evals.compare import ComparedBenchmark

_MEASURES = ("spurious_correctness", "fidelity_score")


def corrected_tables(benchmarks: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """The corrected figures beside the raw ones, and the sensitivity analysis; none without labels."""
    tables: list[Table] = []
    corrected = {name: each["corrected"] for name, each in benchmarks.items() if "corrected" in each}
    if corrected:
        table = _table("Corrected by people's labels (double sampling)", "measure", "raw", "corrected")
        notes: list[str] = []
        for name, found in corrected.items():
            for measure in _MEASURES:
                cells = share_cell(benchmarks[name][measure]), share_cell(found[measure])
                table.add_row(Text(name if measure == _MEASURES[0] else ""), MEASURE_NAMES[measure], *cells)
            if found["refused"]:
                notes.append(f"{name}: refused, {found['refused']}.")
                continue
            recall = [
                f"{100 * found['recall'][kind]['value']:.1f} %" if found["recall"][kind] else "–"
                for kind in ("misaligned", "aligned")
            ]
            labels = sum(found["confusion"].values())
            notes.append(
                f"{name}: {labels:,} labels; the meta-judge finds {recall[0]} of what people call misaligned and "
                f"{recall[1]} of what they call aligned."
            )
        tables.append(finished(table, notes))
    elsewhere = {name: each["elsewhere"] for name, each in benchmarks.items() if "elsewhere" in each}
    if elsewhere:
        table = _table(
            "Sensitivity analysis, no correction: labels from elsewhere", "measure", "raw", "would be"
        )
        notes = []
        for name, found in elsewhere.items():
            raw, moved = benchmarks[name][_MEASURES[0]], found["spurious_correctness"]
            table.add_row(Text(name), MEASURE_NAMES[_MEASURES[0]], share_cell(raw), share_cell(moved))
            notes.append(f"{name}: {found['note']}.")
            notes += [f"{name}: refused, {found['refused']}."] if found["refused"] else []
        tables.append(finished(table, notes))
    return tables


def corrected_comparison_tables(benchmarks: "Mapping[str, ComparedBenchmark]") -> list[Table]:
    """The corrected figures of each run and the difference to the first, by benchmark; none without labels."""
    tables: list[Table] = []
    for name, benchmark in benchmarks.items():
        if benchmark.corrected is None:
            continue
        table = _table(f"{name}: corrected by people's labels", "run", "corrected", "difference")
        runs: Sequence[Mapping[str, Any]] = benchmark.corrected["runs"]
        for measure in _MEASURES:
            for at, run in enumerate(runs):
                difference = share_cell(run["difference"][measure], signed=True) if at else ""
                label = MEASURE_NAMES[measure] if at == 0 else ""
                table.add_row(label, Text(run["run"]), share_cell(run[measure]), difference)
        notes = [f"{run['run']}: refused, {run['refused']}." for run in runs if run["refused"]]
        tables.append(
            finished(table, [*notes, f"Difference: minus {runs[0]['run']}; each run by its own labels."])
        )
    return tables


def _table(title: str, second: str, *headers: str) -> Table:
    table = new_table(title)
    for header in ("%", second):
        table.add_column(header, max_width=24, overflow="fold")
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table
