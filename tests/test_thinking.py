from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.errors import InputError
from ralign.thinking import (
    SYNTAXES,
    lost_marks,
    marked_decoder,
    opens_thought,
    read_syntaxes,
    retagged,
    split_thinking,
)

MARKS = [tag for syntax in SYNTAXES for tag in syntax] + ["<|channel|>", "analysis", "commentary", "<|START"]
plain = st.text().filter(lambda text: not any(mark in text for mark in MARKS))


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


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.opener)
def test_the_thought_of_every_family_is_parted(syntax):
    opener, closer = syntax
    thought = "The format is \\boxed{A} or \\boxed{B}; B?"
    assert split_thinking(f"{opener}\n{thought}\n{closer}\n\nA wins.") == (thought, "A wins.")
    assert split_thinking(f"{thought}{closer}A wins.") == (thought, "A wins.")  # the template opened it
    assert split_thinking(f" {opener}{thought}") == (thought, "")  # cut off
    spoken_of = f"Answer A shows {opener} to the user."
    assert split_thinking(spoken_of) == (None, spoken_of)


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        (
            "<|channel|>analysis<|message|>Is it B?<|end|><|start|>assistant<|channel|>final<|message|>It is A."
            "<|return|>",
            "Is it B?",
            "It is A.",
        ),
        ("<|channel|>final<|message|>It is A.", None, "It is A."),
        ("<|start|>assistant<|channel|>final <|constrain|>json<|message|>{}", None, "{}"),
        ("<|channel|>analysis<|message|>Is it B? Perh", "Is it B? Perh", ""),
        (
            "<|channel|>analysis<|message|>B?<|end|><|start|>assistant<|channel|>commentary<|message|>Hm.<|end|>"
            "<|start|>assistant<|channel|>final<|message|>It is A.",
            "B?\nHm.",
            "It is A.",
        ),
        # The template has opened the channel.
        ("Is it B?<|end|><|start|>assistant<|channel|>final<|message|>It is A.", "Is it B?", "It is A."),
        # Decoded without special tokens, as verl, TRL and vLLM do by default.
        ("analysisIs it B?assistantfinalIt is A.", "Is it B?", "It is A."),
        ("analysiswe need B?assistantanalysisHm.assistantfinalIt is A.", "we need B?\nHm.", "It is A."),
        ("analysisWe need to compare. Is it \\boxed{B}", "We need to compare. Is it \\boxed{B}", ""),
        ("analysis of both answers: A.", None, "analysis of both answers: A."),
        ("Answer B leaks <|channel|> marks.", None, "Answer B leaks <|channel|> marks."),
        # Two syntaxes one after the other, a mark in backticks, Cohere's marks around the answer.
        ("<think>one</think><thinking>two</thinking>A", "one\ntwo", "A"),
        (
            "<think>one</think>B leaks `</think>` and </thinking>.",
            "one",
            "B leaks `</think>` and </thinking>.",
        ),
        ("B leaks `</thinking>` there.", None, "B leaks `</thinking>` there."),
        ("`x`</think>```json\n{}\n```", "`x`", "```json\n{}\n```"),
        (
            "<|START_THINKING|>B?<|END_THINKING|><|START_RESPONSE|>It is A.<|END_RESPONSE|>",
            "B?",
            "It is A.",
        ),
        ("[THINK]one[/THINK]\\boxed{A}", "one", "\\boxed{A}"),
    ],
)
def test_what_the_families_write_besides(text, thinking, answer):
    assert split_thinking(text) == (thinking, answer)


def test_tags_that_the_user_names_count_beside_the_known_ones():
    more = read_syntaxes("--judge-thought-tags", ["<scratchpad> </scratchpad>", "BEGIN END"])
    assert split_thinking("<scratchpad>B?</scratchpad>A", more) == ("B?", "A")
    assert split_thinking("BEGIN B? END A", more) == ("B?", "A")
    assert split_thinking("<think>B?</think>A", more) == ("B?", "A")
    assert split_thinking("<scratchpad>B?</scratchpad>A") == (None, "<scratchpad>B?</scratchpad>A")


@pytest.mark.parametrize("given", ["", "<a>", "<a> <b> <c>", "<a> <a>"])
def test_tags_that_are_no_pair_are_refused(given):
    with pytest.raises(InputError, match=r"--tags is .* expected an opening and a closing tag"):
        read_syntaxes("--tags", [given])


class Token(NamedTuple):
    content: str
    special: bool

    def __str__(self) -> str:
        return self.content


class Tokenizer:
    """Decodes as Hugging Face's do: special tokens by their flag, words with blanks between them."""

    def __init__(self, *tokens: tuple[str, bool]) -> None:
        self.added_tokens_decoder = {number: Token(*token) for number, token in enumerate(tokens)}

    def decode(self, tokens: list[int], skip_special_tokens: bool) -> str:
        shown = [self.added_tokens_decoder.get(token, Token(f"w{token}", False)) for token in tokens]
        return "".join(token.content for token in shown if not (skip_special_tokens and token.special))


@pytest.mark.parametrize(
    ("tokens", "row", "kept"),
    [
        ((("</s>", True), ("[THINK]", True), ("[/THINK]", True)), [1, 7, 2, 8, 0], "[THINK]w7[/THINK]w8"),
        (
            (("<|return|>", True), ("<|channel|>", True), ("<|message|>", True), ("<|end|>", True)),
            [1, 7, 2, 8, 3, 0],
            "<|channel|>w7<|message|>w8<|end|>",
        ),
    ],
)
def test_marks_that_are_special_tokens_are_kept_and_other_special_tokens_are_not(tokens, row, kept):
    decode = marked_decoder(Tokenizer(*tokens))
    assert decode is not None
    assert decode(row) == kept


def test_a_tokenizer_that_loses_no_mark_decodes_as_ever():
    """Qwen's tags are tokens and not special; without channels `<|end|>` only ends a turn."""
    assert marked_decoder(Tokenizer(("<think>", False), ("<|end|>", True))) is None
    assert marked_decoder(object()) is None
    assert lost_marks(Tokenizer(("<think>", False), ("<|channel|>", True))) == []
    assert lost_marks(Tokenizer(("</s>", True), ("[THINK]", True))) == ["[THINK]"]


def test_a_prompt_that_opens_a_thought_is_seen_in_every_syntax():
    assert opens_thought("<|im_start|>assistant\n<think>\n")
    assert opens_thought("[/INST][THINK]")
    assert not opens_thought("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_a_users_tags_become_the_commonest():
    text = retagged("<plan>B?</plan>A", read_syntaxes("--thought-tags", ["<plan> </plan>"]))
    assert text == "<think>B?</think>A"
