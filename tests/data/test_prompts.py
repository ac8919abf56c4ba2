import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ralign.data.prompts import prompts_digest, read_prompts, write_rows
from ralign.errors import BadRow, InputError
from ralign.records import Message

TURN = {"role": "user", "content": "How deep do I plant garlic?"}


def lines(tmp_path: Path, *rows: dict[str, Any]) -> str:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize(
    "columns",
    [
        {"prompt": TURN["content"]},
        {"prompt": [TURN]},
        {"conversation": [TURN]},
        {"conversations": [TURN], "response_A": "A thumb deep.", "gt_label": "A"},
    ],
)
def test_a_prompt_is_read_from_each_of_its_columns_and_its_row_is_kept(tmp_path: Path, columns) -> None:
    row = {"id": 7, **columns, "category": "garden"}
    (prompt,) = read_prompts([lines(tmp_path, row)])
    assert prompt.id == "7"
    assert prompt.conversation == (Message(**TURN),)
    assert prompt.row == row


def test_parquet_reads_as_jsonl_does(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"], "prompt": [[TURN]], "n": [3]}), tmp_path / "p.parquet")
    (prompt,) = read_prompts([str(tmp_path / "p.parquet")])
    assert prompt.conversation == (Message(**TURN),)
    assert prompt.row["n"] == 3


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"prompt": "x"}, "id is missing"),
        ({"id": "a"}, "has none of them, expected one of conversation, conversations, prompt"),
        ({"id": "a", "prompt": "x", "conversation": [TURN]}, "has conversation and prompt, expected one of"),
        ({"id": "a", "prompt": "  "}, "prompt is blank"),
        ({"id": "a", "prompt": 3}, "prompt is 3, expected a list of messages"),
        ({"id": "a", "conversation": []}, "conversation is empty"),
        (
            {"id": "a", "prompt": [{"role": "assistant", "content": "Hm."}]},
            "the last message of prompt is from 'assistant'",
        ),
        (
            {"id": "a", "conversations": [{"role": "user", "content": " \n"}]},
            "conversations is blank, expected the user's question",
        ),
        ({"id": "good", "prompt": "again"}, "id is 'good', which"),
    ],
)
def test_a_bad_row_is_named_and_can_be_left_out(tmp_path: Path, row, problem: str) -> None:
    source = lines(tmp_path, {"id": "good", "prompt": "x"}, row)
    with pytest.raises(BadRow, match=problem) as raised:
        read_prompts([source])
    assert str(raised.value).startswith(f"{source}:2: ")
    left_out: list[BadRow] = []
    assert [prompt.id for prompt in read_prompts([source], skip_bad_rows=left_out)] == ["good"]
    assert [row.line for row in left_out] == [2]


def test_files_without_a_prompt_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no usable prompt"):
        read_prompts([lines(tmp_path)])


def test_an_answer_that_is_not_there_names_its_row(tmp_path: Path) -> None:
    source = lines(tmp_path, {"id": "a", "prompt": "x", "reference_answer": " "})
    (prompt,) = read_prompts([source])
    with pytest.raises(BadRow, match=r"prompts.jsonl:1: reference_answer is ' ', expected an answer"):
        prompt.answer("reference_answer")


def test_the_digest_names_prompts_and_the_answers_asked_for(tmp_path: Path) -> None:
    def digest(*columns: str, **row: Any) -> str:
        return prompts_digest(read_prompts([lines(tmp_path, {"id": "a", "prompt": "x", **row})]), columns)

    assert digest() == digest(other=1)
    assert digest("answer", answer="y") != digest("answer", answer="z")
    assert digest() != digest(id="b")


def test_rows_are_written_as_they_came(tmp_path: Path) -> None:
    row = {"id": "ä", "n": 2**70, "prompt": "x"}
    write_rows(tmp_path / "rows.jsonl", [row])
    assert json.loads((tmp_path / "rows.jsonl").read_text()) == row
    assert "ä" in (tmp_path / "rows.jsonl").read_text()
