"""Tables of `ralign calibrate`: meta-judges ranked against people's labels, and held against each other.

In: the `results.json` of a calibration. Out: rich tables; shares in per cent with their 95 % interval.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ralign.metrics.intervals import Interval
from ralign.report.tables import coefficient_cell, finished, new_table, share_cell

_CONFUSION = {
    "true_positives": "both\naligned",
    "false_positives": "only\nit",
    "false_negatives": "only\nreference",
    "true_negatives": "neither",
}
_WIDEST = 20


def calibration_tables(document: Mapping[str, Any]) -> list[Table]:
    """The ranking, the confusion, every column of groups, and how far meta-judges and votes agree."""
    ranked: Sequence[Mapping[str, Any]] = document["meta_judges"]
    by_truth = _table(
        "Of those that are aligned, of those that are not", "% found", "sensitivity", "specificity"
    )
    for each in ranked:
        by_truth.add_row(Text(each["name"]), share_cell(each["sensitivity"]), share_cell(each["specificity"]))
    tables = [_ranking_table(document, ranked), _confusion_table(ranked), finished(by_truth, [])]
    for column in ranked[0]["by"]:
        table = _table(f"By {column}", "meta-judge", column, "judged", "F1, %", "kappa")
        for each in ranked:
            for value, figures in each["by"][column].items():
                judged = sum(figures[name] for name in _CONFUSION)
                kappa = coefficient_cell(_interval(figures["kappa"]))
                table.add_row(
                    Text(each["name"]), Text(value), f"{judged:,}", share_cell(figures["f1"]), kappa
                )
        tables.append(finished(table, []))
    if document["between"]:
        table = _table("Between meta-judges", "first", "second", "decided\nby both", "agreement, %", "kappa")
        for each in document["between"]:
            kappa = coefficient_cell(_interval(each.get("kappa")))
            decided = f"{each['decided_by_both']:,}"
            table.add_row(
                Text(each["first"]), Text(each["second"]), decided, share_cell(each.get("agreement")), kappa
            )
        tables.append(finished(table, _worth("These meta-judges", document["panel"])))
    for each in ranked:
        if each["votes"]:
            table = _table(f"Votes of {each['name']}", "two votes that say the same, %")
            table.add_row(share_cell(each["votes"]["agreement"]))
            tables.append(finished(table, _worth("Its votes", each["votes"]["worth"])))
    return tables


def _ranking_table(document: Mapping[str, Any], ranked: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(f"Against {document['reference']}", "%", "F1", "agreement", "kappa")
    for each in ranked:
        kappa = coefficient_cell(_interval(each["kappa"]))
        table.add_row(Text(each["name"]), share_cell(each["f1"]), share_cell(each["agreement"]), kappa)
    notes = [
        f"{document['judgments']:,} labelled judgments of {document['prompts']:,} prompts"
        + (", each gold point by itself." if document["unit"] == "gold point" else ".")
    ]
    if document["unlabelled"]:
        notes.append(f"Left out, as nobody labelled them: {document['unlabelled']:,}.")
    return finished(table, notes)


def _confusion_table(ranked: Sequence[Mapping[str, Any]]) -> Table:
    columns = dict(_CONFUSION)
    columns |= {
        name: header
        for name, header in (("undecided", "un-\ndecided"), ("not_asked", "not\nasked"))
        if any(each[name] for each in ranked)
    }
    table = _table("Where they agree", "judgments", *columns.values())
    for each in ranked:
        table.add_row(Text(each["name"]), *(f"{each[name]:,}" for name in columns))
    notes = (
        ["Aligned is the positive class. Undecided counts in no measure."] if "undecided" in columns else []
    )
    return finished(table, notes or ["Aligned is the positive class."])


def _worth(who: str, worth: Mapping[str, Any] | None) -> list[str]:
    if worth is None:
        return []
    return [
        f"{who}, {worth['votes']} together, are worth {worth['effective_votes']:.1f} that err apart: their errors "
        f"correlate at {worth['error_correlation']:.2f} (n / (1 + (n - 1) rho), Kish 1965)."
    ]


def _table(title: str, *headers: str) -> Table:
    table = new_table(title)
    for at, header in enumerate(headers):
        name = at == 0 or header in ("second",)
        table.add_column(
            header,
            max_width=_WIDEST if name else None,
            justify="left" if name else "right",
            no_wrap=not name,
            overflow="fold",
        )
    return table


def _interval(figure: Mapping[str, float] | None) -> Interval | None:
    return None if figure is None else Interval(**figure)
