from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.errors import BadRow
from ralign.files.pair_rows import KNOWN_COLUMNS, Row, RowLocation, pair_from_row, row_from_pair
from ralign.records import Message

PLACE = RowLocation("pairs.jsonl", 17)


def a_row(**changes: object) -> Row:
    row: Row = {
        "id": "p1",
        "conversations": [{"role": "user", "content": "Name a prime above ten."}],
        "response_A": "Eleven.",
        "response_B": "Twelve.",
        "gt_label": "A",
        "gt_judgment": "<think>12 = 3 x 4</think>Eleven is prime, twelve is not.",
        "source": {"subset": "numbers"},
    }
    return row | changes


def without(column: str) -> Row:
    row = a_row()
    del row[column]
    return row


def problem(row: Row) -> str:
    with pytest.raises(BadRow) as caught:
        pair_from_row(row, PLACE, benchmark="bench")
    assert (caught.value.path, caught.value.line) == ("pairs.jsonl", 17)
    assert str(caught.value) == f"pairs.jsonl:17: {caught.value.problem}"
    return caught.value.problem


def test_a_row_becomes_the_record_it_describes():
    row = a_row(annotator=7, conversations=[{"role": "user", "content": "Hello", "name": "Ada"}])
    pair = pair_from_row(row, PLACE, benchmark="bench")
    assert pair.id == "p1"
    assert pair.conversation == (Message(role="user", content="Hello", unknown={"name": "Ada"}),)
    assert (pair.response_a, pair.response_b, pair.label) == ("Eleven.", "Twelve.", "A")
    assert pair.gold_rationale == "Eleven is prime, twelve is not."
    assert (pair.benchmark, pair.subset) == ("bench", "numbers")
    assert pair.unknown == {"annotator": 7}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (without("id"), "id is missing, expected a string that is not blank, or an integer"),
        (a_row(id=" "), "id is ' ', expected a string that is not blank, or an integer"),
        (a_row(id=True), "id is true, expected a string that is not blank, or an integer"),
        (a_row(id=1.5), "id is 1.5, expected a string that is not blank, or an integer"),
        (without("conversations"), "conversations is missing, expected a list of messages"),
        (a_row(conversations="Hello"), "conversations is 'Hello', expected a list of messages"),
        (a_row(conversations=[]), "conversations is empty, expected at least one message"),
        (
            a_row(conversations=["Hello"]),
            "conversations[0] is 'Hello', expected an object with role and content",
        ),
        (
            a_row(conversations=[{"role": "user", "content": "Hi"}, {"role": "user", "content": None}]),
            "conversations[1].content is null, expected a string",
        ),
        (
            a_row(conversations=[{"content": "Hello"}]),
            "conversations[0].role is missing, expected a string",
        ),
        (
            a_row(conversations=[{"role": "assistant", "content": "Hello"}]),
            "the last message of conversations is from 'assistant', expected 'user'",
        ),
        (without("response_A"), "response_A is missing, expected a string"),
        (a_row(response_B=None), "response_B is null, expected a string"),
        (a_row(gt_judgment=["good"]), "gt_judgment is a list, expected a string or null"),
        (a_row(source=3), "source is 3, expected an object, a string or null"),
        (a_row(source={"benchmark": 3}), "source.benchmark is 3, expected a string or null"),
    ],
)
def test_a_row_that_cannot_be_used_says_what_was_found_and_what_was_expected(row: Row, expected: str):
    assert problem(row) == expected


@pytest.mark.parametrize("label", ["a", "D", " A", "", 1, True, ["A"], "C", "Tie"])
def test_a_label_is_the_letter_itself(label: object):
    assert problem(a_row(gt_label=label)).endswith(", expected 'A', 'B', 'tie' or null")


def test_a_tie_is_a_label_and_a_pair_may_have_none():
    assert pair_from_row(a_row(gt_label="tie"), PLACE, benchmark="b").label == "tie"
    assert pair_from_row(a_row(gt_label=None), PLACE, benchmark="b").label is None
    without = {key: value for key, value in a_row().items() if key != "gt_label"}
    assert pair_from_row(without, PLACE, benchmark="b").label is None


def test_a_conversation_may_end_with_what_a_tool_gave_back():
    turns = [{"role": "user", "content": "Time?"}, {"role": "tool", "content": "09:15"}]
    assert pair_from_row(a_row(conversations=turns), PLACE, benchmark="b").conversation[-1].role == "tool"


def test_one_empty_answer_is_a_poor_answer_and_two_are_nothing_to_compare():
    assert pair_from_row(a_row(response_B=""), PLACE, benchmark="b").response_b == ""
    expected = "response_A and response_B are both empty, expected at least one answer"
    assert problem(a_row(response_A=" \n", response_B="")) == expected


@pytest.mark.parametrize("row", [without("gt_judgment"), a_row(gt_judgment=None), a_row(gt_judgment=" ")])
def test_a_missing_gold_judgment_is_none_and_is_written_as_it_came(row: Row):
    pair = pair_from_row(row, PLACE, benchmark="b")
    assert pair.gold_judgment is None
    assert row_from_pair(pair) == row


def test_a_gold_judgment_given_later_replaces_what_the_file_had():
    pair = pair_from_row(a_row(gt_judgment=""), PLACE, benchmark="b")
    assert row_from_pair(replace(pair, gold_judgment="Because."))["gt_judgment"] == "Because."


def test_an_integer_id_is_read_as_its_digits_and_written_as_an_integer():
    pair = pair_from_row(a_row(id=17), PLACE, benchmark="b")
    assert pair.id == "17"
    assert row_from_pair(pair)["id"] == 17
    assert row_from_pair(replace(pair, id="18"))["id"] == "18"


def test_a_string_id_stays_a_string():
    for pair_id in ("17", "None"):
        assert row_from_pair(pair_from_row(a_row(id=pair_id), PLACE, benchmark="b"))["id"] == pair_id


@pytest.mark.parametrize(
    ("source", "benchmark", "subset"),
    [
        ({"benchmark": "primes", "subset": "small"}, "primes", "small"),
        ({"benchmark": "", "subset": None}, "file", None),
        ("small", "file", "small"),
        (None, "file", None),
    ],
)
def test_the_source_names_benchmark_and_subset(source: object, benchmark: str, subset: str | None):
    pair = pair_from_row(a_row(source=source), PLACE, benchmark="file")
    assert (pair.benchmark, pair.subset) == (benchmark, subset)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
unknown_columns = st.dictionaries(
    st.text(max_size=8).filter(lambda column: column not in KNOWN_COLUMNS), json_values, max_size=3
)
messages = st.builds(
    lambda unknown, content: {**unknown, "role": "user", "content": content},
    st.dictionaries(st.text(max_size=6), json_values, max_size=2),
    st.text(max_size=20),
)
rows = st.builds(
    lambda unknown, known, optional: {**unknown, **known, **optional},
    unknown_columns,
    st.fixed_dictionaries(
        {
            "id": st.integers() | st.text(min_size=1, max_size=9).filter(str.strip),
            "conversations": st.lists(messages, min_size=1, max_size=3),
            "response_A": st.text(max_size=20),
            "response_B": st.just("An answer."),
            "gt_label": st.sampled_from("AB"),
        }
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "gt_judgment": st.none() | st.text(max_size=20),
            "source": st.none() | st.text(max_size=5) | unknown_columns.map(lambda s: {**s, "subset": "x"}),
        },
    ),
)


@given(row=rows.filter(lambda row: "benchmark" not in str(row.get("source"))))
def test_every_usable_row_is_written_as_it_was_read(row: Row):
    pair = pair_from_row(row, PLACE, benchmark="b")
    assert row_from_pair(pair) == row
    assert pair_from_row(row_from_pair(pair), PLACE, benchmark="b") == pair
