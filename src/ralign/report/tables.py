"""Results as tables for a terminal, a log or a pipe.

In: what `results.json` holds, a `Comparison`, `Correlation`s. Out: rich tables, shares in per cent
with their 95 % interval, as the field prints them: `81.1 [77.3, 84.7]`. No figure is ever cut off: a table
keeps the width it needs, and `print_tables` prints it whole where the terminal is narrower, or where there is
none.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ralign.metrics.intervals import Interval
from ralign.metrics.summary import Measures

if TYPE_CHECKING:  # scipy takes a second to import, and `ralign bench` needs none of it
    from ralign.metrics.comparison import Comparison
    from ralign.metrics.correlation import Correlation


class IntervalDict(TypedDict):
    """A share (0 to 1) and its 95 % interval."""

    value: float
    low: float
    high: float


class BoundsDict(TypedDict):
    """What a share could be at least and at most, had nothing failed."""

    low: float
    high: float


class ResultDict(TypedDict):
    """One benchmark or subset of `results.json`; more keys are welcome."""

    pairs: int
    label_accuracy: IntervalDict | None
    spurious_correctness: IntervalDict | None
    fidelity_score: IntervalDict | None
    order_consistency: IntervalDict | None
    right_in_both_orders: IntervalDict | None
    label_accuracy_bounds: BoundsDict | None
    spurious_correctness_bounds: BoundsDict | None
    fidelity_bounds: BoundsDict | None
    counts: Mapping[str, int | None]


class BenchmarkDict(ResultDict, total=False):
    """A benchmark with its subsets."""

    subsets: Mapping[str, ResultDict]


MEASURE_NAMES = {
    "label_accuracy": "L-Acc",
    "spurious_correctness": "S-Corr",
    "fidelity_score": "F-Score",
    "order_consistency": "same in both orders",
    "right_in_both_orders": "right in both orders",
}
_NOT_ANSWERED = {
    "unanswered": ("judgments", "L-Acc"),
    "meta_failed": ("meta-\njudgments", "S-Corr", "F-Score"),
}
"""What may go unanswered, and the headers of its count and of the measures it bears on."""
_WIDEST_NAME = 24
_UNDEFINED = "–"


def results_tables(benchmarks: Mapping[str, BenchmarkDict]) -> list[Table]:
    """What `ralign bench` prints: the measures by benchmark and subset; what failed; both orders.

    Takes `results.json`'s `benchmarks`. What failed is there only where something did.
    """
    rows = list(_rows(benchmarks))
    tables = [_accuracy_table(rows)]
    if (failures := _failures_table(rows)) is not None:
        tables.append(failures)
    if any(result["order_consistency"] is not None for _, result in rows):
        tables.append(_orders_table(rows))
    return tables


def comparison_table(comparison: "Comparison", first: str, second: str, title: str | None = None) -> Table:
    """What `ralign compare` prints; `first` and `second` name the runs."""
    table = _table(title or "Paired on the same pairs")
    _name_column(table, "%")
    for header in (first, second, "difference"):
        table.add_column(Text(header), justify="right", no_wrap=header == "difference")
    runs = zip(comparison.first, comparison.second, comparison.difference, strict=True)
    for measure, (one, other, difference) in zip(Measures._fields, runs, strict=True):
        if one is not None or other is not None:
            shares = _share(one), _share(other), _share(difference, signed=True)
            table.add_row(MEASURE_NAMES[measure], *shares)
    test = comparison.mcnemar
    notes = [
        f"{comparison.pairs:,} pairs. Difference: {second} minus {first}, paired.",
        f"Right more often: {first} on {test.more_right_in_first:,} pairs, {second} on"
        f" {test.more_right_in_second:,}.",
        f"McNemar's exact test: {_p_value(test.p_value)}.",
    ]
    if comparison.left_out:
        notes.insert(1, f"Left out, as one of the runs never answered: {comparison.left_out:,} pairs.")
    return _finished(table, notes)


def correlation_table(
    rows: Sequence[tuple[str, "Correlation"]], models: Sequence[str], y_name: str, title: str | None = None
) -> Table:
    """What `ralign correlate` prints: a row for each measure (its name, its correlation with `y_name`)."""
    table = _table(title or f"Correlation with {y_name}, {len(models)} models")
    _name_column(table, "measure")
    table.add_column("Pearson r", justify="right", no_wrap=True)
    table.add_column("Spearman rho", justify="right", no_wrap=True)
    table.add_column("r, leaving one model out", no_wrap=True)
    for name, found in rows:
        r, rho = (
            f"{each.value:.3f} [{each.low:.2f}, {each.high:.2f}]" for each in (found.pearson, found.spearman)
        )
        table.add_row(Text(name), r, rho, _leave_one_out(found, models))
    left_out = ", ".join(
        f"{found.degenerate_resamples:,} ({name})" for name, found in rows if found.degenerate_resamples
    )
    return _finished(
        table, [f"Resamples without two different figures, left out: {left_out}."] if left_out else []
    )


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Print tables whole, each followed by an empty line, whatever width the console believes to have."""
    for table in tables:
        console.print(table, crop=False)
        console.print()


def _accuracy_table(rows: Sequence[tuple[Text, ResultDict]]) -> Table:
    table = _table("Right, and for the right reasons")
    _name_column(table, "%")
    table.add_column("pairs", justify="right", no_wrap=True)
    measures = ("label_accuracy", "spurious_correctness", "fidelity_score")
    for measure in measures:
        table.add_column(MEASURE_NAMES[measure], justify="right", no_wrap=True)
    without_verdict = any(result["counts"].get("no_verdict") for _, result in rows)
    if without_verdict:
        table.add_column("no\nverdict", justify="right", no_wrap=True)
    for name, result in rows:
        cells: list[str | Text] = [_share(_interval(result[measure])) for measure in measures]
        if without_verdict:
            cells.append(_count(result["counts"].get("no_verdict")))
        table.add_row(name, _count(result["pairs"]), *cells)
    notes = ["No verdict: judgments that gave none. They are not right."] if without_verdict else []
    return _finished(table, notes + _without_gold(rows))


def _failures_table(rows: Sequence[tuple[Text, ResultDict]]) -> Table | None:
    """The rows with something unanswered, and how far that could move their figures; None without any."""
    failed = [row for row in rows if any(row[1]["counts"].get(key) for key in _NOT_ANSWERED)]
    shown = [key for key in _NOT_ANSWERED if any(result["counts"].get(key) for _, result in failed)]
    if not failed:
        return None
    table = _table("What was not answered, and what the answers could have changed")
    _name_column(table, "%")
    for key in shown:
        for header in _NOT_ANSWERED[key]:
            table.add_column(header, justify="right", no_wrap=True)
    for name, result in failed:
        cells: list[str] = []
        if "unanswered" in shown:
            cells += [_count(result["counts"].get("unanswered")), _span(result["label_accuracy_bounds"])]
        if "meta_failed" in shown:
            cells += [_count(result["counts"].get("meta_failed"))]
            cells += [_span(result["spurious_correctness_bounds"]), _span(result["fidelity_bounds"])]
        table.add_row(name, *cells)
    return _finished(
        table, ["These count nowhere. The ranges: all that the figures could be, had they been answered."]
    )


def _orders_table(rows: Sequence[tuple[Text, ResultDict]]) -> Table:
    table = _table("The same pairs in both orders")
    _name_column(table, "%")
    for header in ("pairs", "same verdict", "right in both", "right\nas ab", "right\nas ba"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, result in rows:
        counts = result["counts"]
        table.add_row(
            name,
            _count(result["pairs"]),
            _share(_interval(result["order_consistency"])),
            _share(_interval(result["right_in_both_orders"])),
            _count(counts.get("right_ab")),
            _count(counts.get("right_ba")),
        )
    return _finished(table, ["Right as ab, as ba: judgments."])


def _rows(benchmarks: Mapping[str, BenchmarkDict]) -> Iterator[tuple[Text, ResultDict]]:
    """Every benchmark, its subsets indented below it."""
    for name, benchmark in benchmarks.items():
        yield Text(name, style="bold"), benchmark
        for subset, result in benchmark.get("subsets", {}).items():
            yield Text(f"  {subset}"), result


def _without_gold(rows: Sequence[tuple[Text, ResultDict]]) -> list[str]:
    """Which S-Corr are of a part of the right judgments only."""
    return [
        f"{name.plain.strip()}: {never_asked:,} right judgments had no gold rationale to be compared with;"
        " S-Corr is without them."
        for name, result in rows
        if (never_asked := result["counts"].get("not_meta_judged"))
        and result["spurious_correctness"] is not None
    ]


def _leave_one_out(found: "Correlation", models: Sequence[str]) -> Text:
    without = found.leave_one_out
    if without is None:
        return Text(_UNDEFINED)
    return Text(
        f"{without.low:.3f} without {models[without.low_without]}\n"
        f"{without.high:.3f} without {models[without.high_without]}"
    )


def _interval(share: IntervalDict | None) -> Interval | None:
    return None if share is None else Interval(share["value"], share["low"], share["high"])


def _share(share: Interval | None, *, signed: bool = False) -> Text:
    if share is None:
        return Text(_UNDEFINED, style="dim")
    sign = "+" if signed else ""
    value, low, high = (100 * each for each in share)
    return Text.assemble(f"{value:{sign}.1f}", (f" [{low:{sign}.1f}, {high:{sign}.1f}]", "dim"))


def _span(bounds: BoundsDict | None) -> str:
    return _UNDEFINED if bounds is None else f"{100 * bounds['low']:.1f} to {100 * bounds['high']:.1f}"


def _count(number: int | None) -> str:
    return _UNDEFINED if number is None else f"{number:,}"


def _p_value(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _table(title: str) -> Table:
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        caption_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )


def _name_column(table: Table, header: str) -> None:
    table.add_column(header, max_width=_WIDEST_NAME, overflow="fold")


def _finished(table: Table, notes: Sequence[str]) -> Table:
    """Fix the table at the width it needs, so that no terminal makes it cut a figure off; notes go below."""
    unbounded = Console(width=1_000)
    table.width = Measurement.get(unbounded, unbounded.options, table).maximum
    if notes:
        table.caption = Text("\n".join(notes))
    return table
