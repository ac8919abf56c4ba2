from pathlib import Path

import pytest
from tests.evals.rubric.lighthouse import written

from ralign.errors import BadRow, InputError
from ralign.evals.rubric.config import Columns, Missing
from ralign.evals.rubric.item import RubricItem, read_items
from ralign.records import Message

TURN = {"role": "user", "content": "When is the lamp lit?"}


def read(
    items: str, answers: tuple[str, ...] = (), *, columns: Columns | None = None, missing: Missing = "refuse"
) -> list[RubricItem]:
    return read_items([items], answers, columns or Columns(), missing=missing)[0]


def test_items_and_answers_of_two_files_come_together_by_id(tmp_path: Path) -> None:
    items = written(
        tmp_path / "items.jsonl",
        [
            {
                "id": "a",
                "prompt": "When is the lamp lit?",
                "question": "Does it name a time?",
                "expected": "NO",
            },
            {"id": "b", "conversation": [TURN], "rubric": ["names dusk", "is brief"], "axis": "style"},
            {"id": 3, "conversations": [TURN], "question": ["One?", "Two?"], "expected": True},
        ],
    )
    answers = written(
        tmp_path / "answers.jsonl",
        [
            {"id": "3", "reference_answer": "Never."},
            {"id": "b", "reference_answer": "<think>dusk?</think>At dusk."},
            {"id": "a", "reference_answer": "At six."},
            {"id": "z", "reference_answer": "Of another prompt."},
        ],
    )
    conversation = (Message(role="user", content="When is the lamp lit?"),)
    assert read(items, (answers,), columns=Columns(by="axis")) == [
        RubricItem(
            id="a",
            conversation=conversation,
            answer="At six.",
            kind="question",
            criteria=("Does it name a time?",),
            passes_on=False,
        ),
        RubricItem(
            id="b",
            conversation=conversation,
            answer="At dusk.",
            kind="score",
            criteria=("- names dusk\n- is brief",),
            group="style",
        ),
        RubricItem(
            id="3", conversation=conversation, answer="Never.", kind="question", criteria=("One?", "Two?")
        ),
    ]


def test_a_benchmark_s_own_column_names_are_taken(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "x", "TARGET": "Is it?", "PASS": "NO", "reply": "y", "answer": "not this one"}
    columns = Columns(question_column="TARGET", expected_column="PASS", column="reply")
    (item,) = read(written(tmp_path / "i.jsonl", [row]), columns=columns)
    assert (item.criteria, item.passes_on, item.answer) == (("Is it?",), False, "y")


def test_what_a_missing_answer_counts_as_is_the_user_s_word(tmp_path: Path) -> None:
    rows = [
        {"id": str(number), "prompt": "x", "rubric": "r", "answer": answer}
        for number, answer in enumerate(["fine", "", "<think>on and on", None])
    ]
    items = written(tmp_path / "i.jsonl", rows)
    with pytest.raises(
        InputError, match=r"3 of 4 items have no answer in the column answer \(1, 2, 3\): --missing"
    ):
        read(items)
    assert [item.answer for item in read(items, missing="fail")] == ["fine", "", "", ""]
    kept, left_out = read_items([items], (), Columns(), missing="leave-out")
    assert ([item.id for item in kept], left_out) == (["0"], 3)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"id": "a", "prompt": "x", "answer": "y"}, "has neither, expected one of question"),
        (
            {"id": "a", "prompt": "x", "question": "q", "rubric": "r"},
            "has question and rubric, expected one of",
        ),
        (
            {"id": "a", "question": "q"},
            "has none of them, expected one of conversation, conversations, prompt",
        ),
        ({"id": "a", "prompt": "x", "conversation": [TURN], "question": "q"}, "has conversation and prompt"),
        ({"id": "a", "prompt": " ", "question": "q"}, "prompt is blank, expected"),
        ({"id": "a", "prompt": "x", "question": " "}, "question is ' ', expected a text, or a list of texts"),
        (
            {"id": "a", "prompt": "x", "question": []},
            "question is a list, expected a text, or a list of texts",
        ),
        (
            {"id": "a", "prompt": "x", "question": "q", "expected": "maybe"},
            "expected is 'maybe', expected 'yes' or",
        ),
        (
            {"id": "a", "conversation": [{"role": "assistant", "content": "x"}], "question": "q"},
            "the last message of conversation is",
        ),
        ({"id": "a", "prompt": " ", "question": "q"}, "prompt is blank, expected the user's question"),
        (
            {"id": "a", "conversation": [TURN, {"role": "user", "content": "\n"}], "question": "q"},
            "conversation is blank, expected the user's question",
        ),
        ({"prompt": "x", "question": "q"}, "id is missing"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: dict[str, object], problem: str) -> None:
    with pytest.raises(BadRow) as caught:
        read(
            written(tmp_path / "i.jsonl", [{"id": "ok", "prompt": "x", "question": "q"}, row]), missing="fail"
        )
    assert caught.value.line == 2
    assert caught.value.problem.startswith(problem)


def test_an_id_that_comes_twice_and_answers_to_other_prompts_are_refused(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "x", "question": "q", "answer": "y"}
    items = written(tmp_path / "i.jsonl", [row])
    with pytest.raises(BadRow, match=r"id is 'a', which .*:1 has already"):
        read(written(tmp_path / "twice.jsonl", [row, row]))
    with pytest.raises(InputError, match=r"no id of .* is there"):
        read(items, (written(tmp_path / "others.jsonl", [{"id": "b", "answer": "y"}]),))
    with pytest.raises(InputError, match="no row"):
        read(written(tmp_path / "empty.jsonl", []))
