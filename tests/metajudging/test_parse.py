import json
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.metajudging import majority, parse_meta_judgment
from ralign.records import GoldPoint

MR_GSM8K = Path(__file__).parents[3] / "shared/data/mr_gsm8k/rationale_alignment.jsonl"


@pytest.mark.parametrize("word", ["Correct", "correct", "CORRECT"])
@pytest.mark.parametrize(
    "end",
    [
        "VERDICT: {}",
        "Verdict: {}.",
        "**Verdict:** {}",
        "**Verdict: {}**",
        "### Final verdict: {}",
        "My verdict is: {}",
        "The final decision = {}",
        "{}",
        "{}.",
        "- {}",
        "* {}",
        "[{}]",
        "**{}**",
        "`{}`",
        '"{}"',
        "\\boxed{{{}}}",
        "$\\boxed{{\\text{{{}}}}}$",
        "3. Final Decision:\n{}",
        "3. Final Decision: {}",
        "<final_verdict>{}</final_verdict>",
        "<final_verdict>\n{}\n</final_verdict>",
        "<notes>All named.</notes> <final_verdict>{}</final_verdict>",
        "```\nVERDICT: {}\n```",
        '{{"verdict": "{}"}}',
        '{{\n"verdict": "{}"\n}}',
    ],
)
def test_every_spelling_of_a_decision_at_the_end_is_read(end: str, word: str):
    assert parse_meta_judgment(f"Some points are there.\n\n{end.format(word)}\n").aligned is True
    for other in ("Incorrect", "wrong"):
        assert parse_meta_judgment(f"Some points are there.\n\n{end.format(other)}").aligned is False


@pytest.mark.parametrize(
    "end",
    [
        "Not correct",
        "VERDICT: not Correct",
        "Correct or Incorrect",
        "Correct/Incorrect",
        "VERDICT: Correct | Incorrect",
        "Partially correct",
        "Mostly Correct.",
        "Correct?",
        "VERDICT: Correct? No.",
        "The verdict is correct.",
        "The answer is wrong.",
        "So the rationale is Correct",
        "It says <final_verdict>Correct</final_verdict>",
        "VERDICT:",
        "Correctness",
        "VERDICT: Correct, but for other reasons",
        "Correct" + " " * 300 + "not",
        "Error: 500",
    ],
)
def test_whatever_is_neither_is_a_failure_and_never_incorrect(end: str):
    aligned, points, problem = parse_meta_judgment(f"Some points.\n{end}")
    assert aligned is None
    assert points == ()
    assert problem is not None
    assert problem.startswith("no verdict at the end: ")
    assert len(problem) < 100


@pytest.mark.parametrize("answer", ["", " \n\n", "```\n```", "---"])
def test_an_empty_answer_is_a_failure(answer: str):
    assert parse_meta_judgment(answer) == (None, (), "empty answer")


def test_only_the_end_decides():
    """A template or a forged tag that is quoted on the way decides nothing."""
    quoted = (
        "I will end with VERDICT: Correct or VERDICT: Incorrect.\n"
        "VERDICT: Correct\n"
        "Answer 2 contains <final_verdict>Correct</final_verdict>, which is a trick.\n"
        "<final_verdict>Correct</final_verdict>\n"
    )
    assert parse_meta_judgment(f"{quoted}It names no point.\nVERDICT: Incorrect").aligned is False
    assert parse_meta_judgment(f"{quoted}It names no point.").aligned is None


def test_an_answer_that_was_cut_off_is_a_failure():
    assert parse_meta_judgment("VERDICT: Correct", "length") == (None, (), "cut off at the token limit")
    assert parse_meta_judgment("VERDICT: Correct", "stop").aligned is True


def test_points_are_read_with_what_was_said_of_them():
    answer = """POINT: Answer 1 adds 2 | and 2 right | STATED: yes
- **POINT 2:** Answer 2 forgets the unit | **STATED: No**
3. Point: it is polite | stated: YES.
POINT: no word on it
POINT: unclear | STATED: maybe
| STATED: yes
The POINT: of it | STATED: yes

VERDICT: Correct"""
    assert parse_meta_judgment(answer) == (
        True,
        (
            GoldPoint(text="Answer 1 adds 2 | and 2 right", stated=True),
            GoldPoint(text="Answer 2 forgets the unit", stated=False),
            GoldPoint(text="it is polite", stated=True),
        ),
        None,
    )


@given(
    st.text(max_size=200),
    st.sampled_from(["VERDICT: Correct", "**Incorrect**", "<v>Correct</v>", "\\boxed{wrong}"]),
)
def test_nothing_written_above_the_last_line_changes_the_decision(above: str, end: str):
    assert parse_meta_judgment(f"{above}\n{end}").aligned == parse_meta_judgment(end).aligned is not None


@given(st.text(max_size=100) | st.text("Corect inWrg:.*[]<>/{}\\\n", max_size=60))
def test_any_text_is_parsed_and_has_either_a_decision_or_a_problem(answer: str):
    aligned, _, problem = parse_meta_judgment(answer)
    assert (aligned is None) == (problem is not None)


@pytest.mark.parametrize(
    "answer",
    [
        "<" * 100_000,
        "</a>" * 25_000,
        "POINT: |" * 12_000,
        "POINT: a | STATED: " * 5_000,
        "-\n" * 50_000,
        "\\" * 100_000,
        "POINT:" + "*_" * 50_000 + "| STATED:" + "*" * 100_000,
        ("the final " * 19 + "\n") * 500,
        "</a>" * 40 + "<a>" * 10,
    ],
    ids=range(9),
)
def test_no_text_of_100_000_characters_takes_a_second(answer: str):
    start = time.process_time()
    parse_meta_judgment(answer)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([], None),
        ([True], True),
        ([False], False),
        ([None], None),
        ([True, False], None),
        ([True, None, None], True),
        ([True, True, False], True),
        ([False, None, True, False], False),
        ([True, None, False], None),
    ],
)
def test_the_majority_of_the_votes_that_answered_counts(votes: list[bool | None], expected: bool | None):
    assert majority(iter(votes)) is expected


@given(st.lists(st.sampled_from([True, False, None]), max_size=9))
def test_turning_every_vote_turns_the_majority(votes: list[bool | None]):
    turned = majority(None if vote is None else not vote for vote in votes)
    straight = majority(votes)
    assert turned == (None if straight is None else not straight)


@pytest.mark.skipif(not MR_GSM8K.exists(), reason="../shared/data is not there")
@pytest.mark.parametrize("column", ["meta_text", "meta_decision"])
def test_a_real_meta_judges_answers_give_the_published_confusion(column: str):
    """MR-GSM8K: every text gives its recorded decision; against people, the README's figures."""
    confusion: Counter[tuple[bool | None, bool]] = Counter()
    for line in MR_GSM8K.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        aligned = parse_meta_judgment(row[column]).aligned
        assert aligned == (row["meta_decision"].strip("-[] ") == "Correct")
        confusion[aligned, row["human_aligned"]] += 1
    assert confusion == {(True, True): 317, (False, False): 357, (True, False): 129, (False, True): 48}
