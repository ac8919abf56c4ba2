"""Which schema a file has: every example of ours is known by its first row, and a label is never passed over."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.data.convert.test_chosen_rejected import SAME
from tests.data.convert.test_convert import EXAMPLES, run, write
from tests.data.convert.test_two_answers import (
    ALPACA,
    ARENA,
    ARENA_55K,
    AUTO_J,
    JUDGEBENCH,
    LLMBAR,
    MT_BENCH,
    PANDALM,
)

from ralign.data.convert.command import convert, detect
from ralign.data.convert.config import ConvertConfig, Format
from ralign.errors import InputError
from ralign.files import find_pairs_files, read_pairs

CASES = Path(__file__).parents[4] / "shared/cases/data"
EVERY: list[tuple[Format, dict[str, Any]]] = [
    *EXAMPLES.items(),
    *SAME,
    ("judgebench", JUDGEBENCH), ("llmbar", LLMBAR), ("pandalm", PANDALM), ("auto-j", AUTO_J), ("alpaca-eval", ALPACA),
    ("arena", ARENA), ("arena", ARENA_55K), ("mt-bench", MT_BENCH),
]  # fmt: skip


def detected(*sources: Path) -> str:
    console = Console(file=io.StringIO(), width=300)
    detect(ConvertConfig("detect", tuple(map(str, sources))), console)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


@pytest.mark.parametrize(("schema", "row"), EVERY)
def test_every_schema_is_known_by_a_row(schema: Format, row: dict[str, Any], tmp_path: Path) -> None:
    first, *pair = detected(write(tmp_path / "some.jsonl", [row])).splitlines()
    assert first.endswith(f": ralign convert {schema} {tmp_path}/some.jsonl --out pairs.jsonl")
    assert any(line.startswith("  label: ") for line in pair)


def test_columns_of_nobodys_are_put_into_flags(tmp_path: Path) -> None:
    row = {"query": "Boil?", "answer A": "Yes.", "answer B": "No.", "better": "A"}
    words = detected(write(tmp_path / "words.jsonl", [row]))
    assert (
        "ralign convert answers --prompt-column query --answer-a-column 'answer A' --answer-b-column 'answer B' "
        "--label-column better " in words
    )
    assert words.splitlines()[1:] == ["  user: 'Boil?'", "  A: 'Yes.'", "  B: 'No.'", "  label: A"]
    numbers = detected(write(tmp_path / "numbers.jsonl", [row | {"better": 0}]))
    assert "--label-a ... --label-b ..." in numbers
    assert "better is 0: say what its values mean" in numbers


def test_a_prompt_by_another_name_is_put_into_a_flag(tmp_path: Path) -> None:
    row = {"instruction": "Which?", "input": "For shade.", "chosen": "Mint.", "rejected": "Moss."}
    said = detected(write(tmp_path / "some.jsonl", [row]))
    assert "ralign convert chosen-rejected --prompt-column instruction " in said
    assert "user: 'Which?\\n\\nFor shade.'" in said
    (pair,), _ = run("chosen-rejected", [row], tmp_path, prompt_column="instruction")
    assert pair.conversation[0].content == "Which?\n\nFor shade."
    assert pair.unknown == {}


def test_the_arena_is_not_taken_for_mt_bench_nor_a_missing_label_for_none(tmp_path: Path) -> None:
    arena = MT_BENCH | {"judge": "arena_user_1", "tstamp": 1.5}
    assert "ralign convert arena " in detected(write(tmp_path / "arena.jsonl", [arena]))
    rows = [ALPACA | {"preference": None}, ALPACA | {"instruction": "Fry?"}]
    assert "ralign convert alpaca-eval " in detected(write(tmp_path / "alpaca.parquet", rows))


def test_pairs_are_pairs_already_and_other_columns_an_error(tmp_path: Path) -> None:
    row = {"id": "1", "conversations": [], "response_A": "x", "response_B": "y", "gt_label": "A"}
    assert "pairs already" in detected(write(tmp_path / "pairs.jsonl", [row]))
    with pytest.raises(
        InputError, match=r"other\.jsonl:1: no two columns look like answers; there are 'text', 'n'"
    ):
        detected(write(tmp_path / "other.jsonl", [{"text": "x", "n": 1}]))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            LLMBAR,
            r"column 'label' \(1\) looks like a label, which chosen-rejected would not read: use llmbar, or",
        ),
        (
            ALPACA | {"input": "x"},
            r"column 'preference' \(1\.0\) .*: use alpaca-eval, or --no-label 'preference'",
        ),
        (
            {"input": "x", "output_1": "a", "output_2": "b", "human": "output_2"},
            r"column 'human' \('output_2'\)",
        ),
        ({"input": "x", "output_1": "a", "output_2": "b", "which_is_better": 2}, "column 'which_is_better'"),
        ({"input": "x", "output_1": "a", "output_2": "b", "gold": "B>A"}, "column 'gold'"),
    ],
)
def test_a_label_stops_a_conversion_that_would_not_read_it(
    row: dict[str, Any], message: str, tmp_path: Path
) -> None:
    flags = {"prompt_column": "input", "chosen_column": "output_1", "rejected_column": "output_2"}
    with pytest.raises(InputError, match=rf"source\.jsonl:1: {message}"):
        # Not one bad row among others.
        run("chosen-rejected", [row], tmp_path, skip_bad_rows=True, **flags)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_column_that_is_none_can_be_named(tmp_path: Path) -> None:
    row = {"prompt": "x", "chosen": "a", "rejected": "b", "label": "harmless"}
    (pair,), _ = run("chosen-rejected", [row], tmp_path, no_label=("label",))
    assert pair.unknown["label"] == "harmless"


@pytest.mark.skipif(not CASES.exists(), reason=f"{CASES} is not on this machine")
@pytest.mark.parametrize(
    ("name", "schema", "labels"),
    [
        ("alpaca_eval.jsonl", "alpaca-eval", ["B"]),
        ("arena_human_preference.jsonl", "arena", ["A"]),
        ("hh_rlhf.jsonl", "hh-rlhf", None),
        ("judgebench.jsonl", "judgebench", ["A"]),
        ("pandalm.json", "pandalm", ["A", "tie"]),
        ("parts.jsonl", "chosen-rejected", None),
        ("sharegpt.jsonl", "sharegpt", None),
        ("ultrafeedback_binarized.jsonl", "ultrafeedback", None),
    ],
)
def test_the_shared_cases_are_known_and_converted(
    name: str, schema: Format, labels: list[str] | None, tmp_path: Path
) -> None:
    assert f"ralign convert {schema} " in detected(CASES / name)
    out = tmp_path / "out.jsonl"
    converted = convert(ConvertConfig(schema, (str(CASES / name),), out=out))
    pairs = list(read_pairs(find_pairs_files([str(out)])))
    # Of Spain's capital each file has the right and the wrong one.
    answers = {"A": pairs[0].response_a, "B": pairs[0].response_b}
    assert answers[pairs[0].label or ""] == "Madrid."
    assert labels is None or [pair.label for pair in pairs] == labels
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert report["rows"] == converted.rows == len(pairs) + sum(report["left_out"].values())


@pytest.mark.skipif(not CASES.exists(), reason=f"{CASES} is not on this machine")
def test_llmbar_as_shared_is_pairs_already() -> None:
    assert "pairs already" in detected(CASES.parents[1] / "data/llmbar/pairs.jsonl")
