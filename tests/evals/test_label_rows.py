"""Rows of people's labels: cells in any spelling, CSV as spreadsheets leave it."""

from pathlib import Path

import pytest

from ralign.errors import BadRow
from ralign.evals.label_rows import (
    JudgmentKey,
    hashed,
    read_decision,
    read_key,
    read_label_rows,
    same_rationale,
)


@pytest.mark.parametrize(
    ("cell", "aligned"),
    [
        (True, True), ("TRUE", True), (" yes ", True), ("1", True), (1, True), ("- Correct", True), ("[Correct]", True),
        (False, False), ("False", False), ("no", False), (0, False), ("Wrong", False), ("VERDICT: Incorrect", False),
        (None, None), ("", None), ("  ", None),
    ],
)  # fmt: skip
def test_a_cell_is_read_in_any_spelling(cell: object, aligned: bool | None) -> None:
    assert read_decision(cell) is aligned


@pytest.mark.parametrize("cell", ["perhaps", "not sure", 2, ["yes"]])
def test_a_cell_that_says_neither_is_no_decision(cell: object) -> None:
    with pytest.raises(ValueError, match="says neither aligned nor misaligned"):
        read_decision(cell)


def test_a_csv_file_gives_the_rows_that_jsonl_would(tmp_path: Path) -> None:
    """With a byte-order mark, a cell of two lines, an empty one, and an id that is a number."""
    path = tmp_path / "sheet.csv"
    path.write_text(
        '\ufeffpair_id,order,draw,rationale,aligned\n7,ba,2,"one\ntwo",TRUE\n8,,,x,\n', encoding="utf-8"
    )
    (first, row), (_, other) = read_label_rows([str(path)])
    assert str(first) == f"{path}:3"
    assert read_key(row, first) == JudgmentKey("", "7", "ba", 2)
    assert read_key(other, first) == JudgmentKey("", "8", "ab", 0)
    assert row["rationale"] == "one\ntwo"
    assert "aligned" not in other


def test_a_row_without_an_id_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"aligned": true}\n')
    ((location, row),) = read_label_rows([str(path)])
    with pytest.raises(BadRow, match=r"labels\.jsonl:1: id is missing"):
        read_key(row, location)


def test_a_rationale_survives_a_spreadsheet() -> None:
    assert same_rationale("One.\n\nTwo. ", "One.\r\nTwo.")
    assert not same_rationale("One.", "One. Two.")


def test_the_hash_of_a_judgment_depends_on_its_name_alone() -> None:
    key = JudgmentKey("harbour", "lock-1", "ab", 0)
    assert hashed(key) == hashed(JudgmentKey(*key))
    assert len({hashed(key._replace(draw=draw)) for draw in range(100)}) == 100
