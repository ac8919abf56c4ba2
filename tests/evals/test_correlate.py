"""Columns of a table, and measures of run directories, against a result."""

import json
from pathlib import Path

import pytest

from ralign.errors import InputError
from ralign.evals.correlate import correlate_columns

TABLE = """model,family,rival,average
one,a,50,10
two,a,60,30
three,b,70,20
four,b,80,40
five,c,,50
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "policies.csv").write_text(TABLE)
    return tmp_path / "policies.csv"


def run(folder: Path, f_score: float, *, complete: bool = True) -> Path:
    folder.mkdir(parents=True)
    measures = {
        name: {"value": value, "low": 0.0, "high": 1.0}
        for name, value in (
            ("label_accuracy", 0.8),
            ("spurious_correctness", 0.1),
            ("fidelity_score", f_score),
        )
    }
    (folder / "results.json").write_text(
        json.dumps({"complete": complete, "benchmarks": {"harbour": measures}})
    )
    return folder


def runs(tmp_path: Path) -> list[str]:
    scores = {"one": 0.3, "two": 0.5, "three": 0.4, "four": 0.6, "five": 0.7}
    return [str(run(tmp_path / name, score)) for name, score in scores.items()]


def test_models_with_an_empty_cell_are_left_out_of_every_measure_and_named(
    table: Path, tmp_path: Path
) -> None:
    found = correlate_columns(table, ["fidelity_score", "rival"], "average", runs=runs(tmp_path))
    assert [list(panel.models) for panel in found.panels] == [["one", "two", "three", "four"]] * 2
    assert found.notes == ("Left out: 1 of 5 models: five (no rival).",)
    assert ("fidelity_score", "rival") in found.differences


def test_the_measures_of_run_directories_are_columns(table: Path, tmp_path: Path) -> None:
    found = correlate_columns(table, ["fidelity_score"], "average", runs=runs(tmp_path))
    (panel,) = found.panels
    assert panel.x == pytest.approx([30, 50, 40, 60, 70])
    assert panel.correlation.pearson == pytest.approx(1.0)
    assert found.notes == ()
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_run_can_be_given_to_a_row_by_name(table: Path, tmp_path: Path) -> None:
    given = [f"one={run(tmp_path / 'a/bench', 0.3)}", *runs(tmp_path)[1:]]
    found = correlate_columns(table, ["fidelity_score"], "average", runs=given)
    assert found.panels[0].x[0] == pytest.approx(30)


def test_a_model_without_a_run_is_left_out(table: Path, tmp_path: Path) -> None:
    found = correlate_columns(table, ["fidelity_score"], "average", runs=runs(tmp_path)[:4])
    assert found.notes == ("Left out: 1 of 5 models: five (no fidelity_score).",)


def test_below_four_models_there_is_no_interval_and_it_is_said(table: Path, tmp_path: Path) -> None:
    found = correlate_columns(table, ["fidelity_score"], "average", runs=runs(tmp_path)[:3])
    assert found.panels[0].correlation.pearson_interval is None
    assert found.notes[-1] == "3 models: no interval."


def test_families_of_models_have_no_interval(table: Path, tmp_path: Path) -> None:
    found = correlate_columns(
        table, ["fidelity_score", "rival"], "average", runs=runs(tmp_path), cluster="family"
    )
    assert [panel.correlation.pearson_interval for panel in found.panels] == [None, None]
    assert found.differences["fidelity_score", "rival"].difference is None
    assert found.notes[-1] == "4 models of 2 families (family) are not independent: no interval."
    apart = correlate_columns(table, ["rival"], "average", cluster="model")
    assert apart.panels[0].correlation.pearson_interval is not None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["six={}"], "has 0 rows of 'six', expected one; its rows are one, two"),
        (["one={}", "one={}"], "'one' has the run"),
    ],
)
def test_a_run_that_fits_no_row_is_refused(
    table: Path, tmp_path: Path, given: list[str], problem: str
) -> None:
    folder = run(tmp_path / "some", 0.5)
    with pytest.raises(InputError, match=problem):
        correlate_columns(table, ["fidelity_score"], "average", runs=[text.format(folder) for text in given])


def test_an_unfinished_run_is_refused_unless_allowed(table: Path, tmp_path: Path) -> None:
    folder = run(tmp_path / "one", 0.5, complete=False)
    with pytest.raises(InputError, match="the run is unfinished"):
        correlate_columns(table, ["rival"], "average", runs=[str(folder)])
    assert correlate_columns(table, ["rival"], "average", runs=[str(folder)], allow_partial=True).panels


def test_a_column_that_cannot_be_correlated_names_the_table(table: Path) -> None:
    with pytest.raises(InputError, match=r"policies\.csv: no column 'fidelity_score'"):
        correlate_columns(table, ["fidelity_score"], "average")
    table.write_text("model,x,y\na,1,2\nb,1,3\nc,1,4\n")
    with pytest.raises(InputError, match=r"x \(x\) against y \(y\): x is 1 for every model"):
        correlate_columns(table, ["x"], "y")
