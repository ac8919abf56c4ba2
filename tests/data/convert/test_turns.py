"""Turns in anybody's words, and what becomes of a part that is no text."""

import pytest

from ralign.data.convert.turns import (
    LeftOut,
    answer_of,
    conversation_of,
    list_in_text,
    messages_of,
    transcript_of,
)
from ralign.errors import BadRow
from ralign.files.pair_rows import RowLocation

HERE = RowLocation("file", 1)


def said(turns: object) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages_of({"x": turns}, "x", HERE)]


def test_roles_of_other_programs_are_ours() -> None:
    turns = [{"from": "system", "value": "s"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"},
             {"from": "function_call", "value": "f()"}, {"from": "observation", "value": "1"},
             {"role": "model", "content": "b"}, {"role": "critic", "content": "c"}]  # fmt: skip
    assert [role for role, _ in said(turns)] == [
        "system", "user", "assistant", "assistant", "tool", "assistant", "critic",
    ]  # fmt: skip


def test_parts_of_text_are_joined() -> None:
    parts = [
        {"type": "text", "text": "one"},
        "two",
        {"text": "three"},
        {"type": "input_text", "text": "four"},
    ]
    assert said([{"role": "user", "content": parts}]) == [("user", "one\ntwo\nthree\nfour")]


@pytest.mark.parametrize("kind", ["image_url", "image", "input_audio", "video"])
def test_what_is_no_text_leaves_the_row_out_by_its_kind(kind: str) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": kind, kind: {"url": "data:"}}]
    with pytest.raises(LeftOut) as left_out:
        said([{"role": "user", "content": parts}])
    assert left_out.value.reason == f"a message has a part that is no text: {kind}"


def test_calls_of_tools_are_in_words_and_their_results_may_be_the_last_turn() -> None:
    call = {"type": "function", "id": "1", "function": {"name": "add", "arguments": '{"x": 1}'}}
    turns = [
        {"role": "user", "content": "Add."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "2", "tool_call_id": "1"},
    ]
    conversation = conversation_of({"x": turns}, "x", HERE)
    assert conversation[1].content == '[calls add({"x": 1})]'
    assert conversation[1].unknown == {"tool_calls": [call]}
    assert (conversation[2].role, conversation[2].content) == ("tool", "2")
    parts = [{"type": "text", "text": "So:"}, {"type": "tool_use", "name": "add", "input": {"x": 1}}]
    assert (
        answer_of({"x": {"role": "assistant", "content": parts}}, "x", HERE) == 'So:\n[calls add({"x": 1})]'
    )


@pytest.mark.parametrize(
    ("turns", "problem"),
    [
        (
            [{"role": "user", "content": None}],
            r"x\[0\]\.content is null, expected a string or a list of parts",
        ),
        ([{"content": "q"}], r"x\[0\]\.role is missing"),
        (["q"], r"x\[0\] is 'q', expected an object"),
        ([{"role": "user", "content": [3]}], r"x\[0\]\.content\[0\] is 3"),
        ([], "x is empty"),
        (3, "x is 3, expected a list of messages"),
    ],
)
def test_what_is_no_turn_is_a_bad_row(turns: object, problem: str) -> None:
    with pytest.raises(BadRow, match=f"file:1: {problem}"):
        said(turns)


def test_a_transcript_is_taken_apart_and_what_only_looks_like_a_turn_is_not() -> None:
    text = "\n\nHuman: Who said 'Human: all too human'?\n\nAssistant: Nietzsche.\nAssistant: no turn.\n\nHuman: Ah."
    assert [(m.role, m.content) for m in transcript_of({"x": text}, "x", HERE)] == [
        ("user", "Who said 'Human: all too human'?"),
        ("assistant", "Nietzsche.\nAssistant: no turn."),
        ("user", "Ah."),
    ]
    with pytest.raises(BadRow, match=r"x is 'Ah\.', expected a transcript"):
        transcript_of({"x": "Ah."}, "x", HERE)


def test_lists_may_stand_as_json() -> None:
    assert list_in_text({"x": '["a", null]'}, "x", HERE) == ["a", None]
    with pytest.raises(BadRow, match="or the JSON of one"):
        list_in_text({"x": "a"}, "x", HERE)
