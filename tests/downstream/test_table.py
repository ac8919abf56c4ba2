from pathlib import Path

import pytest

from ralign.downstream.table import BENCHMARKS, PolicyTable, lacking, read_policies, with_averages, with_row
from ralign.errors import BadRow, InputError
from ralign.files import read_table, write_table

PAPER = Path(__file__).parents[2].parent / "shared" / "paper" / "downstream_rlhf.csv"
EIGHT = dict.fromkeys(BENCHMARKS, 50.0)


def test_the_averages_of_the_paper_s_table_are_ours() -> None:
    if not PAPER.exists():
        pytest.skip(f"{PAPER} is not here")
    published = read_table(PAPER)
    table = PolicyTable()
    for row, model in enumerate(published.texts("reward_model")):
        table = with_row(table, model, {name: published.numbers(name)[row] for name in BENCHMARKS})
    averages = [float(row["average"]) for row in with_averages(table, BENCHMARKS).rows]
    assert averages == pytest.approx(list(published.numbers("average")), abs=0.0501)


def test_a_row_is_added_or_filled_in_and_others_stay() -> None:
    table = with_row(with_row(PolicyTable(), "a", {"aime24": 10}), "b", {"aime24": 20, "aime25": 21})
    table = with_row(table, "a", {"aime25": 11.005, "mmlu": 12})
    assert table.rows == (
        {"model": "a", "aime24": "10.00", "aime25": "11.01", "mmlu": "12.00"},
        {"model": "b", "aime24": "20.00", "aime25": "21.00"},
    )


def test_columns_stand_in_one_order_whatever_came_first() -> None:
    table = with_row(PolicyTable(columns=("notes", "model", "zeta")), "a", {"alpha": 1, "fidelity_score": 2})
    assert table.columns == ("model", "fidelity_score", *BENCHMARKS, "notes", "zeta", "alpha", "average")


def test_a_row_that_lacks_a_benchmark_has_no_average() -> None:
    full = with_row(PolicyTable(), "a", {**EIGHT, "aime24": 58.0})
    table = with_averages(with_row(full, "b", {"aime24": 10.0}), BENCHMARKS)
    assert [row["average"] for row in table.rows] == ["51.00", ""]
    assert lacking(table.rows[1], BENCHMARKS) == list(BENCHMARKS[1:])
    assert [row["average"] for row in with_averages(table, ["aime24"]).rows] == ["58.00", "10.00"]


def test_a_written_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "policies.csv"
    assert read_policies(path) == PolicyTable()
    table = with_averages(with_row(PolicyTable(), 'a, "quoted"', {"aime24": 10}), BENCHMARKS)
    write_table(path, table.columns, table.rows)
    again = read_policies(path)
    assert again.columns == table.columns
    assert [{name: cell for name, cell in row.items() if cell} for row in again.rows] == [
        {"model": 'a, "quoted"', "aime24": "10.00"}
    ]


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policies.csv"
    path.write_text("judge,aime24\na,1\n")
    with pytest.raises(InputError, match="no column 'model'; there are 'judge', 'aime24'"):
        read_policies(path)
    path.write_text("model,aime24\na,1\nb,2\na,3\n")
    with pytest.raises(BadRow, match=r"policies\.csv:4: model is 'a', which line 2 has already"):
        read_policies(path)
    path.write_text(f"model,{','.join(BENCHMARKS)}\na,high,1,1,1,1,1,1,1\n")
    with pytest.raises(InputError, match=r"model 'a': a benchmark's figure is no number: .*'high'"):
        with_averages(read_policies(path), BENCHMARKS)
