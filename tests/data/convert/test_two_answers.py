"""Two answers with a label: each data set's own spelling of first, second and tie, worked by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.data.convert.test_convert import run, talk

from ralign.data.convert.config import Format
from ralign.errors import BadRow, InputError

ASKED = {"prompt": "Boil or bake?"}
JUDGEBENCH = {
    "pair_id": "k1", "original_id": "7", "source": "kitchen", "question": "Boil or bake?", "response_model": "m",
    "response_A": "Boil.", "response_B": "Bake.", "label": "A>B",
}  # fmt: skip
LLMBAR = {"input": "Boil or bake?", "output_1": "Boil.", "output_2": "Bake.", "label": 1}
PANDALM = {
    "idx": 3, "instruction": "Boil or bake?", "input": "", "response1": "Boil.", "response2": "Bake.",
    "annotator1": 1, "annotator2": 1, "annotator3": 1,
}  # fmt: skip
AUTO_J = {**ASKED, "response 1": "Boil.", "response 2": "Bake.", "label": 0, "scenario": "advice"}
ALPACA = {"instruction": "Boil or bake?", "output_1": "Boil.", "output_2": "Bake.", "preference": 1.0}
ARENA_55K = {
    "id": 5, "model_a": "x", "model_b": "y", "prompt": '["Boil or bake?"]', "response_a": '["Boil."]',
    "response_b": '["Bake."]', "winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0,
}  # fmt: skip
ARENA = {
    "question_id": "q5", "model_a": "x", "model_b": "y", "winner": "model_a", "language": "English",
    "conversation_a": talk("Boil or bake?", "Boil."), "conversation_b": talk("Boil or bake?", "Bake."),
}  # fmt: skip
MT_BENCH = ARENA | {"question_id": 81, "judge": "expert_1", "turn": 1}


def one_hot(won: str) -> dict[str, int]:
    return {key: int(key == won) for key in ("winner_model_a", "winner_model_b", "winner_tie")}


LABELS: list[tuple[Format, dict[str, Any], str | None]] = [
    *[("judgebench", JUDGEBENCH | {"label": text}, label)
      for text, label in (("A>B", "A"), ("B>A", "B"), ("A=B", "tie"))],
    *[("llmbar", LLMBAR | {"label": value}, label)
      for value, label in ((1, "A"), (2, "B"), ("2", "B"), (1.0, "A"))],
    *[("auto-j", AUTO_J | {"label": value}, label) for value, label in ((0, "A"), (1, "B"), (2, "tie"))],
    *[("pandalm", PANDALM | dict(zip(("annotator1", "annotator2", "annotator3"), votes, strict=True)), label)
      for votes, label in (((1, 1, 0), "A"), ((2, 1, 2), "B"), ((0, 0, 2), "tie"), ((0, 1, 2), None))],
    # Weighted annotators give 1 and the probability of the second output.
    *[("alpaca-eval", ALPACA | {"preference": value}, label)
      for value, label in ((1.0, "A"), (2.0, "B"), (1.5, "tie"), (0, "tie"), (1.49, "A"), (1.9997, "B"), (None, None))],
    *[("arena", ARENA_55K | one_hot(won), label)
      for won, label in (("winner_model_a", "A"), ("winner_model_b", "B"), ("winner_tie", "tie"))],
    *[("arena", ARENA | {"winner": won}, label)
      for won, label in (("model_a", "A"), ("model_b", "B"), ("tie", "tie"), ("tie (bothbad)", "tie"),
                         ("both_bad", "tie"))],
    ("mt-bench", MT_BENCH | {"winner": "model_b"}, "B"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "row", "label"), LABELS)
def test_the_label_is_the_data_sets_and_the_answers_stay_in_their_places(
    schema: Format, row: dict[str, Any], label: str | None, tmp_path: Path
) -> None:
    # A second row with a label: a file in which none has one is refused.
    examples = {
        "judgebench": JUDGEBENCH,
        "llmbar": LLMBAR,
        "auto-j": AUTO_J,
        "pandalm": PANDALM,
        "alpaca-eval": ALPACA,
    }
    other = examples.get(schema, ARENA)
    names = {"pair_id": "k2", "idx": 9, "question_id": "q9"}
    spoken = {key: "Grill?" for key in ("question", "input", "prompt", "instruction") if key in other}
    other = other | {key: value for key, value in names.items() if key in other} | spoken
    (pair, *_), converted = run(schema, [row, other], tmp_path)
    assert (pair.response_a, pair.response_b, pair.label) == ("Boil.", "Bake.", label)
    assert pair.conversation[0].content == "Boil or bake?"
    assert converted.pairs == converted.rows == converted.labels.total() == 2


def test_kept_answers_can_be_drawn_and_drawn_ones_kept(tmp_path: Path) -> None:
    rows = [LLMBAR | {"input": f"Dish {n}?"} for n in range(40)]
    pairs, converted = run("llmbar", rows, tmp_path, positions="drawn")
    assert 8 < converted.labels["A"] < 32
    assert all((pair.response_a if pair.label == "A" else pair.response_b) == "Boil." for pair in pairs)
    (tmp_path / "kept").mkdir()
    chosen = [{"prompt": f"Dish {n}?", "chosen": "Boil.", "rejected": "Bake."} for n in range(9)]
    _, converted = run("chosen-rejected", chosen, tmp_path / "kept", positions="kept")
    assert converted.labels == {"A": 9}


def test_each_person_who_judged_two_answers_of_mt_bench_counts(tmp_path: Path) -> None:
    rows = [MT_BENCH, MT_BENCH | {"judge": "expert_2", "winner": "model_b"}]
    pairs, _ = run("mt-bench", rows, tmp_path)
    assert [(pair.id, pair.label) for pair in pairs] == [
        ("81/1/x/y/expert_1", "A"),
        ("81/1/x/y/expert_2", "B"),
    ]


def test_a_battle_of_several_turns_is_counted_where_the_earlier_answers_differ(tmp_path: Path) -> None:
    differ = {
        side: talk("Hi.", side, "Boil or bake?", "Boil.") for side in ("conversation_a", "conversation_b")
    }
    same = {
        "conversation_a": talk("Hi.", "Hello.", "Boil or bake?", "Boil."),
        "conversation_b": talk("Hi.", "Hello.", "Boil or bake?", "Bake."),
    }
    # MT-bench's first turn is judged by itself, whatever came after it.
    rows = [MT_BENCH | differ | {"turn": 2}, MT_BENCH | same | {"turn": 2}, MT_BENCH | same | {"turn": 1}]
    pairs, converted = run("mt-bench", rows[:2], tmp_path)
    assert [len(pair.conversation) for pair in pairs] == [3]
    assert converted.left_out == {"several turns, in which the models' earlier answers differ": 1}
    (tmp_path / "first").mkdir()
    none, converted = run("mt-bench", rows[2:], tmp_path / "first")
    assert (none, converted.left_out) == ([], {"the two answers are the same": 1})


def test_pandalm_and_alpaca_put_the_input_under_the_instruction(tmp_path: Path) -> None:
    (pair,), _ = run("pandalm", [PANDALM | {"input": "An egg."}], tmp_path)
    assert (pair.id, pair.conversation[0].content) == ("3", "Boil or bake?\n\nAn egg.")


def test_two_equal_answers_that_tie_are_a_pair(tmp_path: Path) -> None:
    equal = {"response1": "Boil.", "response2": "Boil."}
    votes = {"annotator1": 0, "annotator2": 0}
    pairs, converted = run("pandalm", [PANDALM | equal | votes, PANDALM | equal | {"idx": 4}], tmp_path)
    assert [pair.label for pair in pairs] == ["tie"]
    assert converted.left_out == {"the two answers are the same": 1}


def test_the_same_answers_with_two_opinions_are_counted(tmp_path: Path) -> None:
    pairs, converted = run("llmbar", [LLMBAR, LLMBAR, LLMBAR | {"label": 2}], tmp_path)
    assert [pair.label for pair in pairs] == ["A"]
    assert converted.left_out == {
        "the same pair again": 1,
        "the same answers again, with another label: the first one stands": 1,
    }


MINE = {
    "q": "Boil or bake?",
    "left": "Boil.",
    "right": talk("", "Bake.")[1:],
    "who": "B",
    "n": 8,
    "kind": "eggs",
}
FLAGS = {"prompt_column": "q", "answer_a_column": "left", "answer_b_column": "right", "label_column": "who"}


@pytest.mark.parametrize(
    ("value", "label"),
    [("A", "A"), ("b", "B"), ("Response 2", "B"), ("[[A>>B]]", "A"), ("tie", "tie"), ("second", "B")],
)
def test_any_columns_will_do_with_a_label_in_words(value: str, label: str, tmp_path: Path) -> None:
    columns = {"id_column": "n", "subset_column": "kind"}
    (pair,), _ = run("answers", [MINE | {"who": value}], tmp_path, **FLAGS, **columns)
    assert (pair.response_a, pair.response_b, pair.label) == ("Boil.", "Bake.", label)
    assert (pair.id, pair.subset) == ("8", "eggs")


def test_a_label_in_numbers_needs_a_word_about_them(tmp_path: Path) -> None:
    rows = [MINE | {"who": value} for value in (1, 0, -1)]
    with pytest.raises(InputError, match=r"source\.jsonl:1: who is 1, .* --label-a 1 --label-b 2"):
        run("answers", rows, tmp_path, **FLAGS)
    meanings = {"label_a": ("-1",), "label_b": ("1",), "label_tie": ("0",)}
    for row, text in zip(rows, "xyz", strict=True):
        row["q"] = text
    pairs, _ = run("answers", rows, tmp_path, **FLAGS, **meanings)
    assert [pair.label for pair in pairs] == ["B", "tie", "A"]


def test_a_pair_may_have_no_label_and_a_file_not_without_a_word(tmp_path: Path) -> None:
    pairs, converted = run("answers", [MINE, MINE | {"who": None, "q": "Grill?"}], tmp_path, **FLAGS)
    assert [pair.label for pair in pairs] == ["B", None]
    assert converted.labels == {"B": 1, "none": 1}
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no row has a label"):
        run("answers", [MINE], tmp_path / "none", **FLAGS | {"label_column": "wh"})
    assert not (tmp_path / "none/out.jsonl").exists()


BAD: list[tuple[Format, dict[str, Any], str]] = [
    ("judgebench", JUDGEBENCH | {"label": 1}, "label is 1, expected 'A', 'B' or 'tie'"),
    ("llmbar", LLMBAR | {"label": 0}, r"label is 0, expected 1 \(A\) or 2 \(B\)"),
    ("auto-j", AUTO_J | {"label": 3}, r"label is 3, expected 0 \(A\) or 1 \(B\) or 2 \(tie\)"),
    ("pandalm", PANDALM | {"annotator2": None}, "annotator2 is null"),
    ("alpaca-eval", ALPACA | {"preference": 3}, "preference is 3, expected 1 to 2"),
    ("arena", ARENA_55K | {"winner_tie": 1}, "winner_model_a 1, .* expected a 1 in one of them"),
    ("arena", ARENA_55K | {"response_b": '["one", "two"]'}, "response_b has 2 turns, expected 1"),
    ("arena", ARENA_55K | {"response_b": '["half'}, "response_b is .*, expected a list, or the JSON of one"),
    ("arena", ARENA_55K | {"response_b": json.dumps(["\ud83d"])}, "response_b holds half a surrogate pair"),
    ("arena", ARENA | {"conversation_a": talk("Boil?")}, "conversation_a does not end in an answer"),
]


@pytest.mark.parametrize(("schema", "row", "problem"), BAD)
def test_what_a_data_set_does_not_say_is_a_bad_row(
    schema: Format, row: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(BadRow, match=rf"source\.jsonl:1: {problem}"):
        run(schema, [row], tmp_path)
