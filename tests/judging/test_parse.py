import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.judging import parse_verdict, up_to_verdict
from ralign.thinking import split_thinking

SPELLINGS = [
    r"\boxed{A}",
    r"\boxed{ A }",
    r"\boxed{a}",
    r"\boxed {A}",
    r"\boxed{\text{A}}",
    r"\boxed{\text{ A }}",
    r"\boxed{\textbf{A}}",
    r"\boxed{\mathbf{\text{A}}}",
    r"\boxed{\bf A}",
    r"\boxed{{A}}",
    r"\boxed{\boxed{A}}",
    r"\boxed{Assistant A}",
    r"\boxed{Assistant~A}",
    r"\boxed{\text{Response }A}",
    r"\boxed{Response_A}",
    r"\boxed{Answer A is better}",
    r"\boxed{The better answer is A}",
    r"\boxed{Verdict: A}",
    r"\boxed{(A)}",
    r"\boxed{[A]}",
    r"\boxed{[[A]]}",
    r"\boxed{**A**}",
    r"\boxed{A.}",
    r'\boxed{"A"}',
    r"\\boxed{A}",
    r"$\boxed{A}$",
    r"$$\boxed{A}$$",
    r"**\boxed{A}**",
    r"\(\boxed{A}\)",
    r"\[\boxed{A}\]",
    "\\boxed{\nA\n}",
]
REASONS = st.text(st.characters(exclude_characters="\\<>", exclude_categories=["Cs"]), max_size=200)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_verdict_is_read_and_cut_from_the_rationale(spelling: str):
    parsed = parse_verdict(f"The first one has the sum right.\n\n{spelling}")
    assert parsed[:3] == ("The first one has the sum right.", "A", None)


@pytest.mark.parametrize(
    "content",
    [
        "A or B",
        "A/B",
        "none",
        "C",
        "42",
        "",
        r"\sqrt{a}",
        r"\frac{a}{b}",
        "AB",
        "not A",
        "Alice",
        "A is worse",
        "A B",
    ],
)
def test_a_box_with_anything_but_one_letter_gives_no_verdict(content: str):
    rationale, verdict, problem, reason, _ = parse_verdict(f"Reasons.\n\\boxed{{{content}}}")
    assert (verdict, reason) == (None, "no_verdict")
    assert problem is not None
    assert problem.startswith("no \\boxed verdict")
    assert rationale.startswith("Reasons.")


def test_two_different_verdicts_are_none_wherever_they_stand():
    """Neither the first nor the last wins."""
    for answer in [r"\boxed{A} then \boxed{B}", "\\boxed{B}\nOn reflection:\n\\boxed{\\text{A}}"]:
        assert parse_verdict(answer).verdict is None
        assert parse_verdict(answer).problem == "two different verdicts: A, B"
    assert parse_verdict(r"\boxed{tie}, or rather \boxed{A}").problem == "two different verdicts: A, tie"


def test_the_same_verdict_twice_is_one_verdict():
    assert parse_verdict("I choose \\boxed{B} here.\nFinal: \\boxed{b}").verdict == "B"


def test_boxed_results_of_the_candidates_are_no_verdicts():
    answer = "A ends with \\boxed{42}, B with \\boxed{\\frac{1}{2}}; 42 is right.\n\\boxed{A}"
    assert parse_verdict(answer)[:3] == (
        "A ends with \\boxed{42}, B with \\boxed{\\frac{1}{2}}; 42 is right.",
        "A",
        None,
    )


def test_the_format_quoted_from_the_prompt_is_no_verdict():
    assert parse_verdict("I must end with \\boxed{A or B}.\nB is right.\n\\boxed{B}").verdict == "B"


@pytest.mark.parametrize("answer", ["", "  \n\t"])
def test_an_empty_answer_says_so(answer: str):
    assert parse_verdict(answer)[:3] == ("", None, "empty answer")


@pytest.mark.parametrize("answer", ["A is better.", "Verdict: A", "[[A]]", r"\boxed A", "boxed{A}"])
def test_a_letter_outside_a_box_is_no_verdict(answer: str):
    assert parse_verdict(answer)[:3] == (answer, None, "no \\boxed verdict")


def test_what_stood_in_the_box_instead_is_named_in_one_line():
    assert parse_verdict("\\boxed{the\nfirst}").problem == "no \\boxed verdict, but 'the first' in its place"


def test_an_answer_that_was_cut_off_gives_no_verdict_whatever_it_says():
    assert parse_verdict("Reasons.\n\\boxed{A}", "length")[:3] == (
        "Reasons.\n\\boxed{A}",
        None,
        "cut off at the token limit",
    )
    assert parse_verdict("\\boxed{A}", "content_filter").problem == "cut off by the content filter"
    assert parse_verdict("\\boxed{A}", "stop").verdict == "A"


@pytest.mark.parametrize(
    "end",
    [
        "Verdict: \\boxed{A}",
        "**Verdict:** \\boxed{A}",
        "**Final verdict: \\boxed{A}**",
        "### Final verdict\n\n\\boxed{A}",
        "Final answer: $\\boxed{A}$",
        "Therefore, my final decision is: \\boxed{A}.",
        "So the better answer is \\boxed{A}",
        "---\n**\\boxed{A}**\n---",
    ],
)
def test_a_heading_left_without_its_verdict_goes_too(end: str):
    assert parse_verdict(f"B invents a source.\n\n{end}")[:3] == ("B invents a source.", "A", None)


def test_a_last_line_with_reasons_in_it_stays():
    answer = "B invents a source, so the verdict is \\boxed{A}, for its honest answer."
    assert parse_verdict(answer).rationale == "B invents a source, so the verdict is , for its honest answer."


def test_a_bare_verdict_has_an_empty_rationale():
    """The verdict counts as one, and there is nothing that could be aligned."""
    assert parse_verdict("Verdict: \\boxed{B}")[:3] == ("", "B", None)


def test_thinking_never_decides():
    text = "<think>The format is \\boxed{A}. Perhaps \\boxed{A}?</think>\nB is right.\n\\boxed{B}"
    assert parse_verdict(split_thinking(text).answer)[:3] == ("B is right.", "B", None)
    unfinished = "<think>So it is \\boxed{A}"
    assert parse_verdict(split_thinking(unfinished).answer).problem == "empty answer"


@given(thinking=REASONS, reasons=REASONS, spelling=st.sampled_from(SPELLINGS), opened=st.booleans())
def test_adding_thinking_changes_nothing(thinking: str, reasons: str, spelling: str, opened: bool):
    answer = f"{reasons}\n{spelling}"
    text = f"{'<think>' if opened else ''}{thinking}\\boxed{{B}}</think>{answer}"
    assert parse_verdict(split_thinking(text).answer) == parse_verdict(answer)
    assert parse_verdict(answer).verdict == "A"


def test_a_letter_and_a_brace_without_a_box_are_no_verdict():
    assert parse_verdict("A}").problem == "no \\boxed verdict"


@given(reasons=REASONS, boxes=st.lists(st.sampled_from(SPELLINGS), max_size=4), swapped=st.booleans())
def test_swapping_the_letters_in_the_text_swaps_the_verdict(reasons: str, boxes: list[str], swapped: bool):
    def swap(box: str) -> str:
        # The letter is the last A or a before the closing marks; words such as Answer keep theirs.
        place = max(box.rfind("A"), box.rfind("a")) if "better" not in box else box.rfind("A")
        return f"{box[:place]}{'B' if box[place] == 'A' else 'b'}{box[place + 1 :]}"

    mirrored = [swap(box) for box in boxes]
    if swapped and boxes:
        boxes, mirrored = [*boxes[:-1], mirrored[-1]], [*mirrored[:-1], boxes[-1]]
    one = parse_verdict(reasons + "\n".join(boxes))
    other = parse_verdict(reasons + "\n".join(mirrored))
    assert other.verdict == {"A": "B", "B": "A", None: None}[one.verdict]
    assert (one.verdict is None) == (len(boxes) == 0 or (swapped and len(boxes) > 1))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (r"A says when. \boxed{A}", ("A says when.", " ")),
        ("A says when.\n\n**Final verdict:** $\\boxed{A}$", ("A says when.", "\n\n**Final verdict:** $")),
        ("  A says when.\n\\boxed{A}\nSo \\boxed{A}", ("A says when.", "\n")),
        (r"\boxed{42} is wrong, so B. \boxed{\text{B}}", (r"\boxed{42} is wrong, so B.", " ")),
        (r"\boxed{A} because A says when.", ("", "")),
        (r"\boxed{A or B} was asked for", None),
        ("A says when.", None),
    ],
)
def test_an_answer_is_taken_apart_where_its_first_verdict_begins(answer: str, expected: object):
    assert up_to_verdict(answer) == expected


@given(st.text("\\boxed{}AaBb $*\n", max_size=120))
def test_what_stands_before_the_first_verdict_is_kept_whole(answer: str):
    found = up_to_verdict(answer)
    if found is not None:
        assert answer.lstrip().startswith(f"{found.rationale}{found.lead}\\boxed")


@given(st.text(max_size=300) | st.text("\\boxed{}AaBb $*\n", max_size=120))
def test_any_text_is_parsed_and_has_either_a_verdict_or_a_problem(answer: str):
    rationale, verdict, problem, reason, _ = parse_verdict(answer)
    assert (verdict is None) == (problem is not None) == (reason is not None)
    assert rationale == rationale.strip()


@pytest.mark.parametrize(
    "answer",
    [
        "\\boxed{" * 14_000,
        "\\" * 100_000,
        "\\boxed " * 14_000,
        "\\boxed{A}" * 11_000,
        "\\boxed{" + "{" * 100_000,
        "\\boxed{" + "}" * 100_000,
        "-\n" * 50_000 + "\\boxed{A}",
        "$" * 100_000 + "\\boxed{A}",
        "\\boxed" + " " * 100_000 + "{A}",
        "so the " * 14_000 + "\\boxed{A}",
        "\\boxed{" + "\\text" * 38 + "}",
        "\\boxed{" + "the " * 45 + "}" + " " * 100_000,
    ],
    ids=range(12),
)
def test_no_text_of_100_000_characters_takes_a_second(answer: str):
    start = time.process_time()
    parse_verdict(answer)
    assert time.process_time() - start < 1.0
