"""A CSV file of figures: what is read, and how each mistake is named."""

from pathlib import Path

import pytest

from ralign.errors import BadRow, InputError
from ralign.files.table import read_table, write_table


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "models.csv"
    path.write_bytes(text.encode())
    return path


def test_columns_are_read_by_name(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, '\ufeffmodel, f_score\r\n"a, b",39.5\r\n\r\nc, -4e1\r\n'))
    assert table.texts("model") == ("a, b", "c")
    assert table.numbers("f_score") == (39.5, -40.0)
    assert table.labels() == ("a, b", "c")


def test_rows_are_named_by_the_first_column_of_text_else_by_their_line(tmp_path: Path) -> None:
    assert read_table(written(tmp_path, "x,judge\n1,p\n2,q\n")).labels() == ("p", "q")
    assert read_table(written(tmp_path, "x,y\n1,2\n\n3,4\n")).labels() == ("line 2", "line 4")


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "model,f\na,1\n"))
    with pytest.raises(InputError, match=r"models\.csv: no column 'l_acc'; there are 'model', 'f'"):
        table.numbers("l_acc")


def test_an_empty_cell_is_no_number_and_no_mistake(tmp_path: Path) -> None:
    assert read_table(written(tmp_path, "model,f\na,1\nb,\n")).numbers("f") == (1.0, None)


@pytest.mark.parametrize("cell", ["n/a", "nan", "inf", "73%"])
def test_a_cell_that_is_no_number_is_named_with_its_line(tmp_path: Path, cell: str) -> None:
    table = read_table(written(tmp_path, f'model,f\n"two\nlines",1\nb,{cell}\n'))
    with pytest.raises(BadRow, match=rf"models\.csv:4: f is '{cell}', expected a number"):
        table.numbers("f")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty, expected a line of column names"),
        ("\n\n", "empty"),
        ("model,f\n", "column names but no rows"),
        ("model,f\na,1,2\n", r"models\.csv:2: 3 cells, expected 2"),
        ("f,f\n1,2\n", r"models\.csv:1: column name 'f' comes twice"),
        ("model,\na,1\n", r"models\.csv:1: a column has no name"),
        ('model,f\n"a"b,1\n', "not a CSV file"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_table(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: cannot be read: No such file"):
        read_table(tmp_path / "nowhere.csv")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("modèle,f\na,1\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_table(latin)


def test_a_written_table_is_read_back_and_a_missing_cell_is_blank(tmp_path: Path) -> None:
    path = tmp_path / "new" / "models.csv"
    write_table(path, ("model", "f"), [{"model": 'a, "b"\nc', "f": "1.5", "other": "x"}, {"model": "d"}])
    assert path.read_text() == 'model,f\n"a, ""b""\nc",1.5\nd,\n'
    table = read_table(path)
    assert table.columns == {"model": ('a, "b"\nc', "d"), "f": ("1.5", "")}
