import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.thinking import split_thinking

plain = st.text().filter(lambda text: "think>" not in text)


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("Just an answer.", None, "Just an answer."),
        ("<think>why</think>\n\nB", "why", "B"),
        ("  \n<think>\nwhy\n</think>B", "why", "B"),
        ("why</think>\n\nB", "why", "B"),
        ("<think>why, oh wh", "why, oh wh", ""),
        ("<think>\n\n</think>\n\nB", None, "B"),
        ("<think>", None, ""),
        ("<think>a</think>b<think>c</think>d", "ab" + "c", "d"),
        ("<think>a</think><think>b", "a\nb", ""),
        ("B leaks a <think> tag.", None, "B leaks a <think> tag."),
        ("<think>why</think>B leaks a <think> tag.", "why", "B leaks a <think> tag."),
        ("", None, ""),
    ],
)
def test_thinking_and_answer_are_parted(text, thinking, answer):
    assert split_thinking(text) == (thinking, answer)


def test_a_verdict_inside_a_cut_off_thought_is_no_answer():
    assert split_thinking("<think>The format is \\boxed{A}").answer == ""


def test_what_a_thought_quotes_never_reaches_the_answer():
    """The last closer counts."""
    text = "<think>They wrote </think> \\boxed{A}, wrongly.</think>\\boxed{B}"
    assert split_thinking(text).answer == "\\boxed{B}"


@given(plain)
def test_text_without_tags_is_untouched(text):
    assert split_thinking(text) == (None, text)


@given(plain, plain, st.booleans())
def test_a_thought_and_an_answer_come_back(thought, answer, opened):
    text = ("<think>" if opened else "") + thought + "</think>" + answer
    assert split_thinking(text) == (thought.strip() or None, answer.lstrip())


@given(st.lists(st.sampled_from(["<think>", "</think>", " ", "a", "\n", "b"]), max_size=12).map("".join))
def test_an_answer_is_a_tail_of_the_text_and_holds_no_closer(text):
    answer = split_thinking(text).answer
    assert text.endswith(answer)
    assert "</think>" not in answer


@given(st.lists(st.sampled_from(["<think>", "</think>", " ", "a", "\n", "b"]), max_size=12).map("".join))
def test_an_answer_has_nothing_left_to_part(text):
    answer = split_thinking(text).answer
    assert split_thinking(answer).answer == answer
