"""Results as tables for a terminal, a log or a pipe.

In: what `results.json` holds, a `RunComparison`, `Correlations`. Out: rich tables, shares in per cent
with their 95 % interval, as the field prints them: `81.1 [77.3, 84.7]`. No figure is ever cut off: a table
keeps the width it needs, and `print_tables` prints it whole where the terminal is narrower, or where there is
none.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ralign.metrics.intervals import Interval
from ralign.metrics.power import shown_by
from ralign.metrics.summary import Measures
from ralign.report.markup import p_value

if TYPE_CHECKING:
    from ralign.evals.compare import RunComparison
    from ralign.evals.correlate import Correlations
    from ralign.metrics.comparison import Comparison
    from ralign.metrics.correlation import LeaveOneOut
    from ralign.metrics.paired_tests import PairedTest


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
    prompts: int
    label_accuracy: IntervalDict | None
    spurious_correctness: IntervalDict | None
    fidelity_score: IntervalDict | None
    order_consistency: IntervalDict | None
    right_in_both_orders: IntervalDict | None
    label_accuracy_bounds: BoundsDict | None
    spurious_correctness_bounds: BoundsDict | None
    fidelity_bounds: BoundsDict | None
    counts: Mapping[str, int | None]
    failures: Mapping[str, int]
    meta_failures: Mapping[str, int]
    official: Mapping[str, Mapping[str, float] | None]


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
_COUNTED = {
    "tie": "Tie: judgments that call neither better. They are not right.",
    "no_verdict": "No verdict: judgments that gave none. They are not right.",
    "unlabelled_pairs": "Not labelled: pairs whose label is a tie, or that have none. No part of these measures.",
}
_OFFICIAL = {
    "judgebench": ("JudgeBench", "value"),
    "pandalm": ("PandaLM", "accuracy"),
    "autoj_agreement": ("Auto-J\nagreement", "value"),
    "autoj_consistency": ("Auto-J\nconsistency", "value"),
    "best_of_n": ("best of N", "value"),
}
_WIDEST_NAME = 24
# Beside two intervals and a p: so that the comparison keeps to 80 columns.
_WIDEST_RUN = 16
# Beside two coefficients with their intervals, or two models' names: so that these tables keep to 80 columns.
_WIDEST_MEASURE = 20
_WIDEST_MODEL = 19
_NARROWEST_NOTES = 72
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
    judged = [
        (name.copy().append(of), reasons)
        for name, result in rows
        for of, reasons in (("", result["failures"]), (", meta-judge", result["meta_failures"]))
    ]
    also = _failures_table(rows), _reasons_table(judged), _official_table(rows)
    tables += [table for table in also if table is not None]
    if any(result["order_consistency"] is not None for _, result in rows):
        tables.append(_orders_table(rows))
    return tables


def comparison_tables(found: "RunComparison") -> list[Table]:
    """Tables of `ralign compare`: one for each benchmark, and one for its subsets."""
    tables: list[Table] = []
    for name, benchmark in found.benchmarks.items():
        tables.append(_comparison_table(name, benchmark.whole, found.names))
        # A subset that is the whole benchmark says nothing new.
        subsets = {of: each for of, each in benchmark.subsets.items() if each.pairs < benchmark.whole.pairs}
        if subsets:
            tables.append(_subsets_table(name, subsets, found.names))
    named = [(Text(name), reasons) for name, reasons in zip(found.names, found.failures, strict=True)]
    if (reasons := _reasons_table(named, "Neither answer called better")) is not None:
        tables.append(reasons)
    return tables


def correlation_tables(found: "Correlations") -> list[Table]:
    """Tables of `ralign correlate`: each measure with the result, which goes with it better, and without one model."""
    models, y_name = found.panels[0].models, found.panels[0].y_name
    table = new_table(f"Correlation with {y_name}, {len(models)} models")
    _name_column(table, "measure", _WIDEST_MEASURE)
    for header in ("Pearson r", "p", "Spearman rho"):
        table.add_column(header, justify="right", no_wrap=True)
    for panel in found.panels:
        each = panel.correlation
        table.add_row(
            Text(panel.x_name),
            _coefficient(each.pearson, each.pearson_interval),
            p_value(each.p_value),
            _coefficient(each.spearman, each.spearman_interval),
        )
    notes = list(found.notes)
    if any(panel.correlation.p_value is not None for panel in found.panels):
        notes.append("Intervals: Fisher's z (rho: Bonett and Wright). p: permutation, two-sided.")
    tables = [finished(table, notes)]
    if found.differences:
        table = new_table(f"Which goes better with {y_name}?")
        _name_column(table, "r of", _WIDEST_MEASURE)
        for header in ("difference", "p"):
            table.add_column(header, justify="right", no_wrap=True)
        for names, each in found.differences.items():
            coefficient = _coefficient(each.value, each.difference, signed=True)
            table.add_row(Text(" less ".join(names)), coefficient, p_value(each.williams_p))
        tables.append(
            finished(table, ["Interval: Zou. p: Williams' t test of two correlations that share the result."])
        )
    left_out = {panel.x_name: panel.correlation.leave_one_out for panel in found.panels}
    left_out |= {" less ".join(names): each.leave_one_out for names, each in found.differences.items()}
    if any(left_out.values()):
        tables.append(_leave_one_out_table(left_out, models))
    return tables


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Print tables whole, each followed by an empty line, whatever width the console believes to have."""
    for table in tables:
        console.print(table, crop=False)
        console.print()


def _accuracy_table(rows: Sequence[tuple[Text, ResultDict]]) -> Table:
    table = new_table("Right, and for the right reasons")
    _name_column(table, "%")
    table.add_column("pairs", justify="right", no_wrap=True)
    clustered = any(result["prompts"] != result["pairs"] for _, result in rows)
    if clustered:
        table.add_column("of\nprompts", justify="right", no_wrap=True)
    measures = ("label_accuracy", "spurious_correctness", "fidelity_score")
    for measure in measures:
        table.add_column(MEASURE_NAMES[measure], justify="right", no_wrap=True)
    counted = [
        (key, header)
        for key, header in (
            ("tie", "tie"),
            ("no_verdict", "no\nverdict"),
            ("unlabelled_pairs", "not\nlabelled"),
        )
        if any(result["counts"].get(key) for _, result in rows)
    ]
    for _, header in counted:
        table.add_column(header, justify="right", no_wrap=True)
    for name, result in rows:
        cells: list[str | Text] = [share_cell(result[measure]) for measure in measures]
        cells += [_count(result["counts"].get(key)) for key, _ in counted]
        prompts = [_count(result["prompts"])] if clustered else []
        table.add_row(name, _count(result["pairs"]), *prompts, *cells)
    notes = [_COUNTED[key] for key, _ in counted]
    if clustered:
        notes.append("Intervals are over prompts: pairs of one conversation are not independent.")
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


def _reasons_table(
    counts: Sequence[tuple[Text, Mapping[str, int]]], title: str = "Without a verdict"
) -> Table | None:
    """Judgments and meta-judgments without a result, by why; None where all have one."""
    found = [(name, reasons) for name, reasons in counts if any(reasons.values())]
    if not found:
        return None
    table = new_table(title)
    _name_column(table, "judgments")
    shown = [reason for reason in found[0][1] if any(reasons[reason] for _, reasons in found)]
    for reason in shown:
        table.add_column(reason.replace("_", "\n"), justify="right", no_wrap=True)
    for name, reasons in found:
        table.add_row(name, *(_count(reasons[reason]) for reason in shown))
    return finished(
        table, ["Wrong field: the answer is beside empty content."] if "wrong_field" in shown else []
    )


def _official_table(rows: Sequence[tuple[Text, ResultDict]]) -> Table | None:
    """The benchmarks' own measures, where ties or several pairs a prompt make them differ from ours; else None."""
    differing = [
        (name, result)
        for name, result in rows
        if result["counts"].get("tie")
        or result["counts"].get("unlabelled_pairs")
        or result["official"]["best_of_n"] is not None
        or name.plain.strip().lower().startswith(("judgebench", "pandalm", "auto-j", "autoj", "rewardbench"))
    ]
    shown = [key for key in _OFFICIAL if any(result["official"][key] is not None for _, result in differing)]
    if not shown:
        return None
    table = new_table("As the benchmarks themselves count")
    _name_column(table, "%")
    for key in shown:
        table.add_column(_OFFICIAL[key][0], justify="right", no_wrap=True)
    for name, result in differing:
        each = [(result["official"][key], _OFFICIAL[key][1]) for key in shown]
        table.add_row(name, *(_UNDEFINED if of is None else f"{100 * of[value]:.1f}" for of, value in each))
    notes = {
        "judgebench": "JudgeBench: right once the verdicts of both orders are netted; right and tie is right.",
        "pandalm": "PandaLM: accuracy over A, B and tie; what cannot be read is a tie.",
        "autoj_agreement": "Auto-J: the label, a tie included, in both orders; the same verdict in both.",
        "best_of_n": "Best of N (RewardBench 2): prompts whose chosen answer loses to none; ties share.",
    }
    return finished(table, [note for key, note in notes.items() if key in shown])


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


def _comparison_table(title: str, found: "Comparison", names: Sequence[str]) -> Table:
    """Every measure of every run, its difference to the first, and the test of that difference."""
    several = len(names) > 2
    table = new_table(title)
    _name_column(table, "%")
    table.add_column("run", max_width=_WIDEST_RUN, overflow="fold")
    for header in ("", "difference", "p"):
        table.add_column(header, justify="right", no_wrap=True)
    measures_tested_by: dict[str, dict[str, None]] = {}
    for measure in Measures._fields:
        runs = [getattr(found.first, measure), *(getattr(each.measures, measure) for each in found.others)]
        if all(each is None for each in runs):
            continue
        table.add_row(MEASURE_NAMES[measure], Text(names[0]), share_cell(runs[0]))
        for name, own, other in zip(names[1:], runs[1:], found.others, strict=True):
            difference = share_cell(getattr(other.difference, measure), signed=True)
            test: PairedTest | None = getattr(other.tests, measure)
            p = None
            if test is not None:
                p = test.adjusted if several else test.p_value
                measures_tested_by.setdefault(test.name, {})[MEASURE_NAMES[measure]] = None
            table.add_row("", Text(name), share_cell(own), difference, p_value(p))
    notes = [
        f"{pairs_of_prompts(found.pairs, found.prompts)}, answered by {'all' if several else 'both'}. "
        f"Difference: minus {names[0]}, paired."
    ]
    if measures_tested_by:
        tests = "; ".join(f"{name} ({', '.join(of)})" for name, of in measures_tested_by.items())
        notes.append(f"p{', adjusted by Holm' if several else ''}: {tests}.")
    if found.left_out:
        notes.append(f"Left out, as one of the runs never answered: {found.left_out:,} pairs.")
    # What the prompts could have shown, whatever they happened to show: "no difference" may be too few of them.
    shown: list[str] = []
    for measure in ("label_accuracy", "spurious_correctness", "fidelity_score"):
        known = [one for each in found.others if (one := getattr(each.difference, measure)) is not None]
        if known:
            shown.append(f"{100 * max(map(shown_by, known)):.1f} in {MEASURE_NAMES[measure]}")
    if shown:
        notes.append(
            f"So many prompts show a difference 8 times in 10 (p < .05) from {', '.join(shown)} points on."
        )
    return finished(table, notes)


def _subsets_table(benchmark: str, subsets: "Mapping[str, Comparison]", names: Sequence[str]) -> Table:
    table = new_table(f"{benchmark}: differences to {names[0]} by subset")
    _name_column(table, "%")
    table.add_column("pairs", justify="right", no_wrap=True)
    if len(names) > 2:
        table.add_column("run", max_width=_WIDEST_NAME, overflow="fold")
    measures = ("label_accuracy", "spurious_correctness", "fidelity_score")
    for measure in measures:
        table.add_column(MEASURE_NAMES[measure], justify="right", no_wrap=True)
    for subset, found in subsets.items():
        for name, other in zip(names[1:], found.others, strict=True):
            run = [Text(name)] if len(names) > 2 else []
            cells = [share_cell(getattr(other.difference, measure), signed=True) for measure in measures]
            table.add_row(Text(subset), _count(found.pairs), *run, *cells)
    return finished(table, ["With p-values: --json. Of many subsets some differ by chance."])


def pairs_of_prompts(pairs: int, prompts: int) -> str:
    """How many pairs; of how many prompts, where some share one."""
    return f"{pairs:,} pairs" + ("" if prompts == pairs else f" of {prompts:,} prompts")


def _coefficient(value: float, interval: Interval | None, *, signed: bool = False) -> Text:
    sign = "+" if signed else ""
    ends = "" if interval is None else f" [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"
    return Text.assemble(f"{value:{sign}.3f}", (ends, "dim"))


def _leave_one_out_table(left_out: "Mapping[str, LeaveOneOut | None]", models: Sequence[str]) -> Table:
    """The lowest and the highest r, or difference of two, and the model without which it is that."""
    table = new_table("r, leaving one model out")
    _name_column(table, "r of", _WIDEST_MEASURE)
    for header in ("lowest", "highest"):
        table.add_column(header, justify="right", no_wrap=True)
        table.add_column("without", max_width=_WIDEST_MODEL, overflow="fold")
    for name, without in left_out.items():
        if without is not None:
            lowest = f"{without.low:.3f}", Text(models[without.low_without])
            table.add_row(Text(name), *lowest, f"{without.high:.3f}", Text(models[without.high_without]))
    return finished(table, [])


def coefficient_cell(coefficient: Interval | None) -> Text:
    """A coefficient in [-1, 1], such as kappa, with its interval."""
    return (
        Text(_UNDEFINED, style="dim") if coefficient is None else _coefficient(coefficient.value, coefficient)
    )


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
        # Whole where the table is narrower: a title folded to the width of two columns is no title.
        title=Text(title, no_wrap=True, overflow="ignore"),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        caption_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )


def _name_column(table: Table, header: str, widest: int = _WIDEST_NAME) -> None:
    table.add_column(header, max_width=widest, overflow="fold")


def finished(table: Table, notes: Sequence[str]) -> Table:
    """Fix the table at the width it needs, so that no terminal makes it cut a figure off; notes go below."""
    unbounded = Console(width=1_000)
    table.width = Measurement.get(unbounded, unbounded.options, table).maximum
    if notes:
        width = max(table.width, _NARROWEST_NOTES)
        lines = [textwrap.fill(line, width) for note in notes for line in note.splitlines()]
        table.caption = Text("\n".join(lines), no_wrap=True, overflow="ignore")
    return table
