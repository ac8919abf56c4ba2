import pytest

from ralign.errors import BadRow
from ralign.files.pair_rows import RowLocation, parse_row, shown

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
