"""Results as tables for a terminal, a log or a pipe.

In: what `results.json` holds, a `Comparison`, `Correlation`s. Out: rich tables, shares in per cent
with their 95 % interval, as the field prints them: `81.1 [77.3, 84.7]`. No figure is ever cut off: a table
keeps the width it needs, and `print_tables` prints it whole where the terminal is narrower, or where there is
none.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ralign.metrics.intervals import Interval
from ralign.metrics.summary import Measures

# scipy takes a second to import, and `ralign bench` needs none of it.
if TYPE_CHECKING:
    from ralign.metrics.comparison import Comparison
    from ralign.metrics.correlation import Correlation


class IntervalDict(TypedDict):
    """A share (0 to 1) and its 95 % interval."""

    value: float
    low: float
    high: float


class BoundsDict(TypedDict):
    """Bounds of a share: what it could be at least and at most, had nothing failed."""

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
# Counts of what went unanswered, and the headers of the count and of the measures it bears on.
_NOT_ANSWERED = {
    "unanswered": ("judgments", "L-Acc"),
    "meta_failed": ("meta-\njudgments", "S-Corr", "F-Score"),
}
_WIDEST_NAME = 24
_UNDEFINED = "–"


def results_tables(benchmarks: Mapping[str, BenchmarkDict]) -> list[Table]:
    """Tables of `ralign bench`: the measures by benchmark and subset; what failed; both orders.

    Takes `results.json`'s `benchmarks`. What failed is there only where something did.
    """
    rows: list[tuple[Text, ResultDict]] = []
    for name, benchmark in benchmarks.items():
        rows.append((Text(name, style="bold"), benchmark))
        rows += [(Text(f"  {subset}"), result) for subset, result in benchmark.get("subsets", {}).items()]
    tables = [_accuracy_table(rows)]
    if (failures := _failures_table(rows)) is not None:
        tables.append(failures)
    if any(result["order_consistency"] is not None for _, result in rows):
        tables.append(_orders_table(rows))
    return tables


def comparison_table(comparison: "Comparison", first: str, second: str, title: str | None = None) -> Table:
    """Table of `ralign compare`; `first` and `second` name the runs."""
    table = new_table(title or "Paired on the same pairs")
    _name_column(table, "%")
    for header in (first, second, "difference"):
        table.add_column(Text(header), justify="right", no_wrap=header == "difference")
    runs = zip(comparison.first, comparison.second, comparison.difference, strict=True)
    for measure, (one, other, difference) in zip(Measures._fields, runs, strict=True):
        if one is not None or other is not None:
            shares = share_cell(one), share_cell(other), share_cell(difference, signed=True)
            table.add_row(MEASURE_NAMES[measure], *shares)
    test = comparison.mcnemar
    p_value = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
    notes = [
        f"{comparison.pairs:,} pairs. Difference: {second} minus {first}, paired.",
        f"Right more often: {first} on {test.more_right_in_first:,} pairs, {second} on"
        f" {test.more_right_in_second:,}.",
        f"McNemar's exact test: {p_value}.",
    ]
    if comparison.left_out:
        notes.insert(1, f"Left out, as one of the runs never answered: {comparison.left_out:,} pairs.")
    return finished(table, notes)


def correlation_table(
    rows: Sequence[tuple[str, "Correlation"]], models: Sequence[str], y_name: str, title: str | None = None
) -> Table:
    """Table of `ralign correlate`: a row for each measure (its name, its correlation with `y_name`)."""
    table = new_table(title or f"Correlation with {y_name}, {len(models)} models")
    _name_column(table, "measure")
    table.add_column("Pearson r", justify="right", no_wrap=True)
    table.add_column("Spearman rho", justify="right", no_wrap=True)
    table.add_column("r, leaving one model out", no_wrap=True)
    for name, found in rows:
        r, rho = (
            f"{each.value:.3f} [{each.low:.2f}, {each.high:.2f}]" for each in (found.pearson, found.spearman)
        )
        without, range_of_r = found.leave_one_out, _UNDEFINED
        if without is not None:
            range_of_r = (
                f"{without.low:.3f} without {models[without.low_without]}\n"
                f"{without.high:.3f} without {models[without.high_without]}"
            )
        table.add_row(Text(name), r, rho, Text(range_of_r))
    left_out = ", ".join(
        f"{found.degenerate_resamples:,} ({name})" for name, found in rows if found.degenerate_resamples
    )
    return finished(
        table, [f"Resamples without two different figures, left out: {left_out}."] if left_out else []
    )


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Print tables whole, each followed by an empty line, whatever width the console believes to have."""
    for table in tables:
        console.print(table, crop=False)
        console.print()


def _accuracy_table(rows: Sequence[tuple[Text, ResultDict]]) -> Table:
    table = new_table("Right, and for the right reasons")
    _name_column(table, "%")
    table.add_column("pairs", justify="right", no_wrap=True)
    measures = ("label_accuracy", "spurious_correctness", "fidelity_score")
    for measure in measures:
        table.add_column(MEASURE_NAMES[measure], justify="right", no_wrap=True)
    without_verdict = any(result["counts"].get("no_verdict") for _, result in rows)
    if without_verdict:
        table.add_column("no\nverdict", justify="right", no_wrap=True)
    for name, result in rows:
        cells: list[str | Text] = [share_cell(result[measure]) for measure in measures]
        if without_verdict:
            cells.append(_count(result["counts"].get("no_verdict")))
        table.add_row(name, _count(result["pairs"]), *cells)
    notes = ["No verdict: judgments that gave none. They are not right."] if without_verdict else []
    # S-Corr is then of a part of the right judgments only.
    notes += [
        f"{name.plain.strip()}: {never_asked:,} right judgments had no gold rationale to be compared with;"
        " S-Corr is without them."
        for name, result in rows
        if (never_asked := result["counts"].get("not_meta_judged"))
        and result["spurious_correctness"] is not None
    ]
    return finished(table, notes)


def _failures_table(rows: Sequence[tuple[Text, ResultDict]]) -> Table | None:
    """The rows with something unanswered, and how far that could move their figures; None without any."""
    failed = [row for row in rows if any(row[1]["counts"].get(key) for key in _NOT_ANSWERED)]
    shown = [key for key in _NOT_ANSWERED if any(result["counts"].get(key) for _, result in failed)]
    if not failed:
        return None
    table = new_table("What was not answered, and what the answers could have changed")
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
    return finished(
        table, ["These count nowhere. The ranges: all that the figures could be, had they been answered."]
    )


def _orders_table(rows: Sequence[tuple[Text, ResultDict]]) -> Table:
    table = new_table("The same pairs in both orders")
    _name_column(table, "%")
    for header in ("pairs", "same verdict", "right in both", "right\nas ab", "right\nas ba"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, result in rows:
        counts = result["counts"]
        table.add_row(
            name,
            _count(result["pairs"]),
            share_cell(result["order_consistency"]),
            share_cell(result["right_in_both_orders"]),
            _count(counts.get("right_ab")),
            _count(counts.get("right_ba")),
        )
    return finished(table, ["Right as ab, as ba: judgments."])


def _span(bounds: BoundsDict | None) -> str:
    return _UNDEFINED if bounds is None else f"{100 * bounds['low']:.1f} to {100 * bounds['high']:.1f}"


def share_cell(share: Interval | IntervalDict | None, *, signed: bool = False) -> Text:
    """Share and its interval in per cent, as the field prints them."""
    if share is None:
        return Text(_UNDEFINED, style="dim")
    sign = "+" if signed else ""
    if isinstance(share, dict):
        share = Interval(share["value"], share["low"], share["high"])
    # z: a difference that rounds to nothing has no sign.
    value, low, high = (f"{100 * each:{sign}z.1f}" for each in share)
    return Text.assemble(value, (f" [{low}, {high}]", "dim"))


def _count(number: int | None) -> str:
    return _UNDEFINED if number is None else f"{number:,}"


def new_table(title: str) -> Table:
    """Empty table in the style of all of ours."""
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


def finished(table: Table, notes: Sequence[str]) -> Table:
    """Fix the table at the width it needs, so that no terminal makes it cut a figure off; notes go below."""
    unbounded = Console(width=1_000)
    table.width = Measurement.get(unbounded, unbounded.options, table).maximum
    if notes:
        table.caption = Text("\n".join(notes))
    return table
