"""Every schema from small rows of our own, as JSONL, gzipped JSONL and Parquet; and what becomes of bad rows."""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ralign.data.convert.command import Converted, convert
from ralign.data.convert.config import ConvertConfig, Format
from ralign.data.gold.comments import human_comments
from ralign.errors import BadRow, InputError
from ralign.files import find_pairs_files, read_pairs
from ralign.records import Message, PreferencePair

HELPSTEER3 = {
    "domain": "general",
    "language": "english",
    "context": [
        {"role": "user", "content": "Name a herb."},
        {"role": "assistant", "content": "Thyme."},
        {"role": "user", "content": "And one that likes shade?"},
    ],
    "response1": "Mint likes shade.",
    "response2": "Rosemary.",
    "overall_preference": -2,
    "individual_preference": [
        {
            "score": -2,
            "reasoning": "@Response 1 is right about shade.",
            "feedback1": "Right.",
            "feedback2": "Rosemary wants sun.",
        }
    ],
}
REWARDBENCH2 = {
    "id": "17",
    "prompt": "Name a herb that likes shade.",
    "chosen": ["Mint."],
    "rejected": ["Rosemary.", "Thyme.", "Lavender."],
    "num_correct": 1,
    "num_incorrect": 3,
    "total_completions": 4,
    "models": ["m1", "m2", "m3", "m4"],
    "subset": "Factuality",
    "additional_metadata": {"method": "by hand"},
}
PPE = {
    "question_id": "q1",
    "model_a": "m1",
    "model_b": "m2",
    "winner": "model_b",
    "prompt": "Name a herb that likes shade.",
    "response_1": "Rosemary.",
    "response_2": "Mint.",
    "language": "English",
    "is_code": False,
}


def talk(*turns: str) -> list[dict[str, str]]:
    return [
        {"role": "assistant" if number % 2 else "user", "content": turn} for number, turn in enumerate(turns)
    ]


SKYWORK = {
    "chosen": talk("A herb for shade?", "Mint."),
    "rejected": talk("A herb for shade?", "Rosemary."),
    "source": "herbs_v1",
}
CODE = {
    "instruction": "You are helpful.",
    "input": "Add two numbers in Python.",
    "accepted": "def add(a, b): return a + b",
    "rejected": "def add(a, b): return a - b",
    "ID": "9",
}
MATH = {
    "dataset": "by hand",
    "prompt": "What is 2 + 3 * 4?",
    "initial_reason_steps": "Step 1: 3 * 4 = 12.\n",
    "chosen": "Step 2: 2 + 12 = 14.",
    "rejected": "Step 2: 2 * 12 = 24.",
    "full_chosen": "Step 2: 2 + 12 = 14.\nIt is 14.",
    "full_rejected": "Step 2: 2 * 12 = 24.\nIt is 24.",
    "answer": "14",
}
EXAMPLES: dict[Format, dict[str, Any]] = {
    "helpsteer3": HELPSTEER3,
    "rewardbench2": REWARDBENCH2,
    "ppe": PPE,
    "skywork": SKYWORK,
    "code-preference-pairs": CODE,
    "math-dpo": MATH,
    "chosen-rejected": {"prompt": "A herb for shade?", "chosen": "Mint.", "rejected": "Rosemary."},
}


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    if path.name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_bytes(gzip.compress(lines.encode()) if path.name.endswith(".gz") else lines.encode())
    return path


def run(
    schema: Format, rows: Sequence[dict[str, Any]], folder: Path, *, suffix: str = ".jsonl", **fields: Any
) -> tuple[list[PreferencePair], Converted]:
    source = write(folder / f"source{suffix}", rows)
    out = folder / fields.pop("out", "out.jsonl")
    converted = convert(ConvertConfig(schema, (str(source),), out=out, **fields))
    return list(read_pairs(find_pairs_files([str(out)]))), converted


def sides(pair: PreferencePair) -> tuple[str, str]:
    """The better answer and the worse."""
    return (pair.response_a, pair.response_b) if pair.label == "A" else (pair.response_b, pair.response_a)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
@pytest.mark.parametrize("schema", EXAMPLES)
def test_every_schema_from_every_kind_of_file(schema: Format, suffix: str, tmp_path: Path) -> None:
    from_file, _ = run(schema, [EXAMPLES[schema]], tmp_path, suffix=suffix)
    (tmp_path / "lines").mkdir()
    from_lines, _ = run(schema, [EXAMPLES[schema]], tmp_path / "lines")
    assert from_file == from_lines
    better, worse = sides(from_file[0])
    assert worse not in better
    assert better not in worse


@pytest.mark.parametrize("seed", range(6))
def test_helpsteer3_has_its_subset_and_its_comments_in_the_right_letters(seed: int, tmp_path: Path) -> None:
    (pair,), _ = run("helpsteer3", [HELPSTEER3], tmp_path, seed=seed)
    assert sides(pair) == ("Mint likes shade.", "Rosemary.")
    assert [message.content for message in pair.conversation][-1] == "And one that likes shade?"
    assert (pair.benchmark, pair.subset) == ("HelpSteer3", "general")
    assert "context" not in pair.unknown
    assert human_comments(pair) == (
        f"Person 1\nFound answer {pair.label} better.\nReason: answer {pair.label} is right about shade.\n"
        f"On answer {pair.label}: Right.\nOn answer {'B' if pair.label == 'A' else 'A'}: Rosemary wants sun."
    )


def test_helpsteer3_prefers_response_2_above_0_and_has_ties_at_0(tmp_path: Path) -> None:
    rows = [HELPSTEER3 | {"overall_preference": score, "response1": f"Mint {score}."} for score in (1, 0)]
    (pair, tie), _ = run("helpsteer3", rows, tmp_path)
    assert sides(pair) == ("Rosemary.", "Mint 1.")
    assert tie.label == "tie"
    (tmp_path / "again").mkdir()
    (_,), converted = run("helpsteer3", rows, tmp_path / "again", ties="leave-out")
    assert converted.left_out == {"tie": 1}


def test_rewardbench2_gives_a_pair_for_every_rejected_answer(tmp_path: Path) -> None:
    pairs, _ = run("rewardbench2", [REWARDBENCH2], tmp_path)
    assert [sides(pair) for pair in pairs] == [
        ("Mint.", "Rosemary."),
        ("Mint.", "Thyme."),
        ("Mint.", "Lavender."),
    ]
    assert [pair.id for pair in pairs] == ["17/0", "17/1", "17/2"]
    assert {pair.unknown["row_id"] for pair in pairs} == {"17"}
    assert {pair.subset for pair in pairs} == {"Factuality"}


def test_rewardbench2_gives_ties_no_more_weight_than_their_rejected_answers(tmp_path: Path) -> None:
    ties = REWARDBENCH2 | {"id": "ties:1", "subset": "Ties", "chosen": [f"Herb {n}" for n in range(7)]}
    pairs, _ = run("rewardbench2", [ties], tmp_path)
    assert [sides(pair)[1] for pair in pairs] == ["Rosemary.", "Thyme.", "Lavender."]
    assert all(sides(pair)[0].startswith("Herb ") for pair in pairs)
    (tmp_path / "again").mkdir()
    none, converted = run("rewardbench2", [ties], tmp_path / "again", leave_out=("Ties",))
    assert none == []
    assert converted.left_out == {"subset Ties": 3}


@pytest.mark.parametrize(
    ("winner", "better"),
    [("model_a", "Rosemary."), ("model_b", "Mint."), ("tie", None), ("tie (bothbad)", None)],
)
def test_ppe_reads_its_winner(winner: str, better: str | None, tmp_path: Path) -> None:
    (pair,), _ = run("ppe", [PPE | {"winner": winner}], tmp_path)
    assert pair.label == "tie" if better is None else sides(pair)[0] == better


def test_ppe_takes_a_conversation_for_a_prompt(tmp_path: Path) -> None:
    (pair,), _ = run("ppe", [PPE | {"prompt": talk("Hello.", "Hello!", "A herb for shade?")}], tmp_path)
    assert [message.role for message in pair.conversation] == ["user", "assistant", "user"]


def test_skywork_keeps_its_source_as_the_subset_and_leaves_out_what_does_not_belong_together(
    tmp_path: Path,
) -> None:
    longer = SKYWORK | {"rejected": talk("A herb for shade?", "Mint.", "Sure?", "No.")}
    (pair,), converted = run("skywork", [SKYWORK, longer], tmp_path)
    assert pair.subset == "herbs_v1"
    assert pair.conversation == (Message(role="user", content="A herb for shade?"),)
    assert converted.left_out == {"the two answers belong to different conversations": 1}


def test_code_asks_the_instruction_where_the_input_is_blank(tmp_path: Path) -> None:
    (first, second), _ = run("code-preference-pairs", [CODE, CODE | {"input": " ", "ID": "10"}], tmp_path)
    assert first.conversation[0].content == "Add two numbers in Python."
    assert second.conversation[0].content == "You are helpful."
    assert first.unknown == {"instruction": "You are helpful.", "ID": "9"}


def test_math_has_the_common_steps_once_in_each_solution(tmp_path: Path) -> None:
    steps = MATH["initial_reason_steps"]
    repeating = MATH | {
        "full_chosen": steps + MATH["full_chosen"],
        "full_rejected": steps + MATH["full_rejected"],
    }
    (pair,), converted = run("math-dpo", [MATH, repeating], tmp_path)
    assert sides(pair)[0] == "Step 1: 3 * 4 = 12.\nStep 2: 2 + 12 = 14.\nIt is 14."
    assert converted.left_out == {"the same pair again": 1}
    assert (pair.subset, pair.unknown) == ("by hand", {"answer": "14"})


def test_any_column_names_will_do(tmp_path: Path) -> None:
    row = {
        "question": "A herb?",
        "win": "Mint.",
        "lose": "Moss.",
        "key": 4,
        "topic": "shade",
        "source": "ours",
    }
    names = {"prompt_column": "question", "chosen_column": "win", "rejected_column": "lose"}
    (pair,), _ = run(
        "chosen-rejected", [row], tmp_path, out="herbs.jsonl", id_column="key", subset_column="topic", **names
    )
    assert sides(pair) == ("Mint.", "Moss.")
    assert (pair.id, pair.benchmark, pair.subset) == ("4", "herbs", "shade")
    assert pair.unknown == {"original_source": "ours"}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "A herb?", "chosen": "Mint.", "rejected": "Moss."},
        {"prompt": talk("A herb?"), "chosen": talk("", "Mint.")[1:], "rejected": talk("", "Moss.")[1:]},
        {"chosen": talk("A herb?", "Mint."), "rejected": talk("A herb?", "Moss.")},
    ],
    ids=["texts", "explicit prompt", "whole conversations"],
)
def test_texts_and_messages_come_to_the_same(row: dict[str, Any], tmp_path: Path) -> None:
    (pair,), _ = run("chosen-rejected", [row], tmp_path)
    assert sides(pair) == ("Mint.", "Moss.")
    assert pair.conversation == (Message(role="user", content="A herb?"),)


BAD_ROWS: list[tuple[Format, dict[str, Any], str]] = [
    (
        "helpsteer3",
        HELPSTEER3 | {"overall_preference": 4},
        "overall_preference is 4, expected a whole number from -3",
    ),
    ("helpsteer3", HELPSTEER3 | {"context": talk("x", "y")}, "last message of context is from 'assistant'"),
    ("helpsteer3", HELPSTEER3 | {"response2": None}, "response2 is null, expected a string"),
    ("rewardbench2", REWARDBENCH2 | {"rejected": []}, "rejected is a list, expected a list of one or more"),
    ("rewardbench2", REWARDBENCH2 | {"chosen": [3]}, r"chosen\[0\] is not a string"),
    ("ppe", PPE | {"winner": "m1"}, "winner is 'm1', expected 'A', 'B' or 'tie'"),
    ("ppe", PPE | {"prompt": " "}, "prompt is blank"),
    (
        "skywork",
        SKYWORK | {"chosen": talk("x")},
        "last message of chosen is from 'user', expected 'assistant'",
    ),
    ("skywork", {"chosen": "Mint.", "rejected": "Moss."}, "prompt is missing, expected the prompt too"),
    (
        "skywork",
        SKYWORK | {"rejected": talk("", "x")[1:]},
        "rejected is one answer and chosen a conversation",
    ),
    ("code-preference-pairs", CODE | {"input": "", "instruction": ""}, "input is blank"),
    ("math-dpo", {"prompt": "x", "full_chosen": "y"}, "full_rejected is missing, expected a string"),
    ("chosen-rejected", {"prompt": "x", "chosen": "", "rejected": " "}, "both answers are empty"),
    (
        "chosen-rejected",
        {"prompt": "x", "chosen": talk("a", "b"), "rejected": "c"},
        "rejected is one answer and chosen a conversation",
    ),
]


@pytest.mark.parametrize(("schema", "row", "problem"), BAD_ROWS)
def test_a_bad_row_is_named_by_file_and_line_and_nothing_is_written(
    schema: Format, row: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(BadRow, match=rf"source\.jsonl:2: .*{problem}"):
        run(schema, [EXAMPLES[schema], row], tmp_path)
    assert not (tmp_path / "out.jsonl").exists()


def test_bad_rows_can_be_skipped_and_are_listed(tmp_path: Path) -> None:
    source = tmp_path / "source.jsonl"
    source.write_text(f"not JSON\n{json.dumps(PPE)}\n{json.dumps(PPE | {'winner': 'nobody'})}\n")
    config = ConvertConfig("ppe", (str(source),), out=tmp_path / "out.jsonl", skip_bad_rows=True)
    converted = convert(config)
    assert (converted.rows, converted.pairs) == (2, 1)
    assert [bad.line for bad in converted.bad_rows] == [1, 3]


def test_a_row_twice_is_one_pair_and_an_id_twice_is_a_bad_row(tmp_path: Path) -> None:
    _, converted = run("rewardbench2", [REWARDBENCH2, REWARDBENCH2], tmp_path)
    assert (converted.pairs, converted.left_out) == (3, {"the same pair again": 3})
    (tmp_path / "other").mkdir()
    other = REWARDBENCH2 | {"prompt": "Name a tree."}
    with pytest.raises(BadRow, match=r"id is '17/0', which .*source\.jsonl:1 has already"):
        run("rewardbench2", [REWARDBENCH2, other], tmp_path / "other")


def test_equal_answers_are_no_preference(tmp_path: Path) -> None:
    pairs, converted = run("chosen-rejected", [{"prompt": "x", "chosen": "y", "rejected": "y"}], tmp_path)
    assert (pairs, converted.left_out) == ([], {"the two answers are the same": 1})


def test_the_order_of_the_rows_changes_no_pair(tmp_path: Path) -> None:
    rows = [{"prompt": f"Herb {n}?", "chosen": "Mint.", "rejected": "Moss."} for n in range(40)]
    (tmp_path / "back").mkdir()
    forwards, converted = run("chosen-rejected", rows, tmp_path)
    backwards, _ = run("chosen-rejected", rows[::-1], tmp_path / "back")
    assert forwards == backwards[::-1]
    assert converted.labels["A"] == sum(pair.label == "A" for pair in forwards)
    assert 8 < converted.labels["A"] < 32


def test_limit_counts_pairs(tmp_path: Path) -> None:
    pairs, _ = run("rewardbench2", [REWARDBENCH2], tmp_path, limit=2)
    assert [pair.id for pair in pairs] == ["17/0", "17/1"]


def test_pairs_are_written_as_parquet_too(tmp_path: Path) -> None:
    (pair,), _ = run("helpsteer3", [HELPSTEER3], tmp_path, out="out.parquet")
    assert sides(pair)[0] == "Mint likes shade."
    assert "Rosemary wants sun." in human_comments(pair)


def test_a_file_that_exists_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("mine\n")
    with pytest.raises(InputError, match=r"out\.jsonl: exists already"):
        run("ppe", [PPE], tmp_path)
    assert (tmp_path / "out.jsonl").read_text() == "mine\n"


def test_another_benchmark_name_can_be_given(tmp_path: Path) -> None:
    (pair,), _ = run("ppe", [PPE], tmp_path, benchmark="arena")
    assert pair.benchmark == "arena"


def test_nothing_is_left_out_without_being_counted_in_the_report(tmp_path: Path) -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}
    plain = {"prompt": "Which?", "chosen": "Mint.", "rejected": "Moss."}
    rows = [plain, plain, plain | {"prompt": [image]}, plain | {"rejected": "Mint."}, plain | {"prompt": 3}]
    _, converted = run("chosen-rejected", rows, tmp_path, skip_bad_rows=True)
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert report["left_out"] == {
        "the same pair again": 1,
        "a message has a part that is no text: image_url": 1,
        "the two answers are the same": 1,
    }
    assert len(report["bad_rows"]) == 1
    assert report["rows"] == 5 == report["pairs"] + sum(report["left_out"].values()) + len(report["bad_rows"])
    assert report["labels"]["A"] + report["labels"]["B"] == converted.pairs == 1


def test_a_date_of_a_parquet_file_is_written_as_text(tmp_path: Path) -> None:
    (pair,), _ = run("ppe", [PPE | {"when": datetime(2026, 1, 2, tzinfo=UTC)}], tmp_path, suffix=".parquet")
    assert str(pair.unknown["when"]).startswith("2026-01-02 00:00:00")


def test_a_csv_file_is_converted_with_lists_and_labels_as_text(tmp_path: Path) -> None:
    (tmp_path / "arena.csv").write_text(
        "id,model_a,model_b,prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie\n"
        '7,x,y,"[""Which?""]","[""Mint.""]","[""Moss.""]",0,0,1\n'
        '8,x,y,"[""Which?""]","[null]","[""Moss.""]",0,1,0\n'
    )
    converted = convert(ConvertConfig("arena", (str(tmp_path / "arena.csv"),), out=tmp_path / "out.jsonl"))
    pairs = list(read_pairs(find_pairs_files([str(tmp_path / "out.jsonl")])))
    assert [(pair.id, pair.label, pair.response_a) for pair in pairs] == [
        ("7", "tie", "Mint."),
        ("8", "B", ""),
    ]
    assert converted.labels == {"tie": 1, "B": 1}
