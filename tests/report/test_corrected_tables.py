"""Corrected figures as tables: beside the raw ones, refused in words, a sensitivity analysis by its name."""

from typing import Any

from rich.console import Console

from ralign.evals.compare import ComparedBenchmark
from ralign.report.corrected_tables import corrected_comparison_tables, corrected_tables


def share(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def printed(tables: list[Any]) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        for table in tables:
            console.print(table)
    return " ".join(captured.get().split())


RAW = {"spurious_correctness": share(0.476), "fidelity_score": share(0.5)}
CORRECTED = {
    "spurious_correctness": share(0.571),
    "fidelity_score": share(0.4),
    "refused": None,
    "confusion": {"both_misaligned": 84, "missed": 30, "false_alarms": 11, "both_aligned": 75},
    "recall": {"misaligned": share(0.74), "aligned": None},
}
REFUSED = {"spurious_correctness": None, "fidelity_score": None, "refused": "no label"}


def test_the_corrected_figure_stands_beside_the_raw_one() -> None:
    text = printed(corrected_tables({"tides": {**RAW, "corrected": CORRECTED}, "plain": RAW}))
    assert "tides S-Corr 47.6 [42.6, 52.6] 57.1 [52.1, 62.1]" in text
    assert "F-Score 50.0 [45.0, 55.0] 40.0 [35.0, 45.0]" in text
    assert "200 labels; the meta-judge finds 74.0 %" in text
    assert "– of what they call aligned" in text
    assert "plain" not in text


def test_a_refused_correction_says_why() -> None:
    text = printed(corrected_tables({"tides": {**RAW, "corrected": REFUSED}}))
    assert "47.6 [42.6, 52.6] –" in text
    assert "tides: refused, no label." in text
    assert corrected_tables({"tides": RAW}) == []


def test_labels_from_elsewhere_are_called_no_correction() -> None:
    elsewhere = {"spurious_correctness": share(0.6), "note": "labels of others", "refused": None}
    text = printed(corrected_tables({"tides": {**RAW, "elsewhere": elsewhere}}))
    assert "Sensitivity analysis, no correction" in text
    assert "47.6 [42.6, 52.6] 60.0 [55.0, 65.0]" in text
    assert "tides: labels of others." in text


def test_runs_are_compared_by_their_corrected_figures() -> None:
    difference = {"spurious_correctness": share(0.1), "fidelity_score": None}
    runs = [{"run": "one", **CORRECTED}, {"run": "two", **REFUSED, "difference": difference}]
    whole: Any = None
    text = printed(corrected_comparison_tables({"tides": ComparedBenchmark(whole, {}, {"runs": runs})}))
    assert "S-Corr one 57.1 [52.1, 62.1] two – +10.0 [+5.0, +15.0]" in text
    assert "two: refused, no label." in text
    assert corrected_comparison_tables({"tides": ComparedBenchmark(whole, {}, None)}) == []
