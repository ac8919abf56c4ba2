import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pytest

from ralign.errors import BadRow, InputError
from ralign.files.pair_rows import Row, RowLocation, parse_row, shown
from ralign.files.rows import PairsFile, read_rows

PLACE = RowLocation("pairs.jsonl", 17)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"id": "a",', "not JSON at column 12: Expecting property name"),
        (b'{"id" "a"}', "not JSON at column 7: Expecting ':' delimiter, expected an object"),
        (b"[1, 2]", "the row is a list, expected an object"),
        (b"null", "the row is null, expected an object"),
        (b'{"id": "\xff"}', "not UTF-8 at byte 9, expected an object"),
        (rb'{"id": "\ud83d"}', r"holds \ud83d, half a surrogate pair, expected whole characters"),
        (b"[" * 100_000, "nested too deeply to be read"),
        (b'{"id": ' + b"9" * 5_000 + b"}", "not readable: Exceeds the limit"),
    ],
)
def test_a_line_that_is_not_an_object_is_named_with_where_and_why(line: bytes, problem: str):
    with pytest.raises(BadRow) as caught:
        parse_row(line, PLACE)
    assert str(caught.value).startswith(f"pairs.jsonl:17: {problem}")
    assert "\n" not in str(caught.value)


def test_integers_of_any_size_stay_exact_and_nan_is_read():
    row = parse_row(b'{"big": 123456789012345678901234567890, "nan": NaN}', PLACE)
    assert row["big"] == 123456789012345678901234567890
    assert row["nan"] != row["nan"]


def test_a_whole_surrogate_pair_is_one_character():
    assert parse_row(rb'{"text": "\ud83d\ude00"}', PLACE) == {"text": "\N{GRINNING FACE}"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("C", "'C'"),
        (3, "3"),
        ({}, "an object"),
        ([], "a list"),
        (b"", "a bytes"),
    ],
)
def test_a_value_is_shown_with_json_names(value: object, text: str):
    assert shown(value) == text


def test_a_long_value_is_cut_and_stays_on_one_line():
    text = shown("one\ntwo " * 100)
    assert len(text) < 70
    assert "\n" not in text


ROWS: list[Row] = [{"q": "Why?", "n": 1}, {"q": 'How,\n"so"?', "n": 2}]


def read(path: Path) -> list[tuple[int, Row]]:
    return [(place.line, row) for place, row in read_rows([PairsFile(path, path.name, "b")])]


@pytest.mark.parametrize(
    "text",
    [json.dumps(ROWS), json.dumps(ROWS, indent=1), json.dumps({"version": 1, "data": ROWS}),
     "\n".join(map(json.dumps, ROWS))],
    ids=["one line", "indented", "in an object", "lines after all"],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_a_json_array_is_read_by_its_rows(suffix: str, text: str, tmp_path: Path):
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(
        gzip.compress(text.encode()) if suffix.endswith("gz") else b"\xef\xbb\xbf" + text.encode()
    )
    assert read(path) == [(1, ROWS[0]), (2, ROWS[1])]


def test_one_object_is_one_row_also_with_a_list_of_messages_in_it(tmp_path: Path):
    row: Row = {"prompt": "x", "chosen": [{"role": "user", "content": "x"}]}
    (tmp_path / "one.json").write_text(json.dumps(row))
    assert read(tmp_path / "one.json") == [(1, row)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[{"q": 1},\n {"q" 2}]', "not a JSON array: Expecting ':' delimiter: line 2 column 7"),
        ('["\\ud83d"]', "holds half a surrogate pair"),
        ('[{"q": 1}, 3]', ":2: the row is 3, expected an object"),
    ],
)
def test_a_broken_array_says_where(text: str, problem: str, tmp_path: Path):
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "rows.json")
    assert problem in str(caught.value)


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".csv.gz", ",")])
def test_a_csv_file_has_texts_alone_and_its_rows_the_last_of_their_lines(
    suffix: str, delimiter: str, tmp_path: Path
):
    path = tmp_path / f"rows{suffix}"
    long = "x" * 200_000
    text = f'q{delimiter}n\nWhy?{delimiter}1\n"How,\n""so""?"{delimiter}\n\n{long}{delimiter}3\n'.encode()
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    assert read(path) == [
        (2, {"q": "Why?", "n": "1"}),
        (4, {"q": 'How,\n"so"?', "n": ""}),
        (6, {"q": long, "n": "3"}),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b\n1\n", "rows.csv:2: 1 cells, expected 2"),
        ("a,a\n1,2\n", "rows.csv:1: column name 'a' comes twice"),
        ('a,b\n"1,2\n', "rows.csv:2: not CSV: unexpected end of data"),
    ],
)
def test_a_csv_file_that_is_shifted_is_refused(text: str, problem: str, tmp_path: Path):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(InputError, match=problem):
        read(tmp_path / "rows.csv")


def test_arrow_files_streams_and_feather_are_read(tmp_path: Path):
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_file(tmp_path / "file.arrow", table.schema) as file:
        file.write_table(table, max_chunksize=1)
    with pa.ipc.new_stream(tmp_path / "stream.arrow", table.schema) as stream:
        stream.write_table(table)
    feather.write_feather(table, tmp_path / "rows.feather", compression="zstd")
    for name in ("file.arrow", "stream.arrow", "rows.feather"):
        assert read(tmp_path / name) == [(1, ROWS[0]), (2, ROWS[1])]
    (tmp_path / "none.arrow").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"none\.arrow: not readable as Arrow after row 0"):
        read(tmp_path / "none.arrow")
