"""A better and a worse answer, in the shapes that DPO trainers and reward models are fed with."""

from pathlib import Path
from typing import Any

import pytest
from tests.data.convert.test_convert import run, sides, talk

from ralign.data.convert.config import Format
from ralign.errors import BadRow

CHOSEN, REJECTED = talk("A herb?", "Mint."), talk("A herb?", "Moss.")
ULTRAFEEDBACK = {
    "prompt": "A herb?", "prompt_id": "1", "chosen": CHOSEN, "rejected": REJECTED, "messages": CHOSEN,
    "score_chosen": 8.5, "score_rejected": 3.0,
}  # fmt: skip
SAME: list[tuple[Format, dict[str, Any]]] = [
    ("ultrafeedback", ULTRAFEEDBACK),
    ("orpo-mix", {"source": "garden", "chosen": CHOSEN, "rejected": REJECTED, "prompt": "A herb?", "question": ""}),
    ("hh-rlhf", {
        "chosen": "\n\nHuman: A herb?\n\nAssistant: Mint.",
        "rejected": "\n\nHuman: A herb?\n\nAssistant: Moss.",
    }),
    ("sharegpt", {
        "conversations": [{"from": "human", "value": "A herb?"}],
        "chosen": {"from": "gpt", "value": "Mint."}, "rejected": {"from": "gpt", "value": "Moss."},
    }),
    ("rewardbench", {
        "id": 1, "prompt": "A herb?", "chosen": "Mint.", "chosen_model": "x", "rejected": "Moss.",
        "rejected_model": "y", "subset": "garden",
    }),
    ("nectar", {
        "prompt": "\n\nHuman: A herb?\n\nAssistant: ", "num_responses": 2, "turns": 1,
        "answers": [{"answer": "Moss.", "model": "y", "rank": 2.0}, {"answer": "Mint.", "model": "x", "rank": 1.0}],
    }),
    ("rm-bench", {"id": 4, "prompt": "A herb?", "chosen": ["Mint."], "rejected": ["Moss."], "domain": "chat"}),
    ("chosen-rejected", {"prompt": "A herb?", "chosen": CHOSEN[1], "rejected": REJECTED[1]}),
    ("chosen-rejected", {"prompt": CHOSEN[:1], "chosen": CHOSEN, "rejected": REJECTED}),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "row"), SAME)
def test_every_shape_gives_the_same_pair(schema: Format, row: dict[str, Any], tmp_path: Path) -> None:
    (pair,), _ = run(schema, [row], tmp_path)
    assert sides(pair) == ("Mint.", "Moss.")
    assert [(message.role, message.content) for message in pair.conversation] == [("user", "A herb?")]


def test_a_system_text_comes_first(tmp_path: Path) -> None:
    row = {"system": "Be brief.", "prompt": "A herb?", "chosen": "Mint.", "rejected": "Moss."}
    (pair,), _ = run("chosen-rejected", [row], tmp_path)
    assert [(m.role, m.content) for m in pair.conversation] == [("system", "Be brief."), ("user", "A herb?")]


def test_a_prompt_that_is_no_turn_of_the_conversations_stays_beside_them(tmp_path: Path) -> None:
    (pair,), _ = run("ultrafeedback", [ULTRAFEEDBACK | {"prompt": "A spice?"}], tmp_path)
    assert pair.conversation[0].content == "A herb?"
    assert pair.unknown["prompt"] == "A spice?"


def test_equal_scores_are_a_tie_and_scores_the_other_way_round_a_bad_row(tmp_path: Path) -> None:
    (pair,), _ = run("ultrafeedback", [ULTRAFEEDBACK | {"score_rejected": 8.5}], tmp_path)
    assert pair.label == "tie"
    (tmp_path / "bad").mkdir()
    with pytest.raises(BadRow, match=r"score_chosen is 8\.5, expected at least score_rejected, 9"):
        run("ultrafeedback", [ULTRAFEEDBACK | {"score_rejected": 9}], tmp_path / "bad")


def test_transcripts_of_several_turns_that_part_early_are_counted(tmp_path: Path) -> None:
    before = "\n\nHuman: Hi.\n\nAssistant: Hello.\n\nHuman: A herb?"
    long = {"chosen": f"{before}\n\nAssistant: Mint.", "rejected": f"{before}\n\nAssistant: Moss."}
    other = {
        "chosen": long["chosen"],
        "rejected": "\n\nHuman: Hi.\n\nAssistant: Ho.\n\nHuman: A?\n\nAssistant: B.",
    }
    (pair,), converted = run("hh-rlhf", [long, other], tmp_path)
    assert [message.role for message in pair.conversation] == ["user", "assistant", "user"]
    assert converted.left_out == {"the two answers belong to different conversations": 1}


def test_nectar_sets_the_best_against_all_that_rank_lower(tmp_path: Path) -> None:
    answers = [
        {"answer": text, "model": "m", "rank": rank}
        for text, rank in (("c", 3), ("a", 1), ("b", 1), ("d", 7))
    ]
    row = {"prompt": "\n\nHuman: Which?\n\nAssistant: ", "answers": answers, "num_responses": 4}
    pairs, _ = run("nectar", [row], tmp_path)
    assert [sides(pair) for pair in pairs] == [("a", "c"), ("a", "d")]


def test_rm_bench_is_a_matrix_of_styles(tmp_path: Path) -> None:
    row = {
        "id": "k",
        "prompt": "Which?",
        "chosen": ["a", "b", "c"],
        "rejected": ["x", "y", "z"],
        "domain": "chat",
    }
    pairs, _ = run("rm-bench", [row], tmp_path)
    assert {pair.id: sides(pair) for pair in pairs}["k/2-0"] == ("c", "x")
    assert (len(pairs), pairs[0].subset) == (9, "chat")


def test_a_transcript_without_a_prompt_names_the_schema_that_reads_it(tmp_path: Path) -> None:
    row = {"chosen": "\n\nHuman: A?\n\nAssistant: B.", "rejected": "\n\nHuman: A?\n\nAssistant: C."}
    with pytest.raises(BadRow, match="`ralign convert hh-rlhf` reads those"):
        run("chosen-rejected", [row], tmp_path)
