import re
import time
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.evals.probe.response_references import Swapped, swap_mentions
from ralign.files import find_pairs_files, read_pairs
from ralign.records import Message, PreferencePair

LLMBAR = Path(__file__).parents[4] / "shared" / "data" / "llmbar"


def pair(
    question: str = "When is high water?", a: str = "At six, as the table says.", b: str = "Later, I think."
):
    return PreferencePair(
        id="1", conversation=(Message(role="user", content=question),), response_a=a, response_b=b, label="A"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Response A says when; Response B does not.", "Response B says when; Response A does not."),
        ("**Answer B** wins, answer A's hour is off.", "**Answer A** wins, answer B's hour is off."),
        ("Output (a) is exact, Output (b) vague.", "Output (b) is exact, Output (a) vague."),
        ("response_a guesses, <answer_B> does not", "response_b guesses, <answer_A> does not"),
        ("Assistant 1 beats Assistant 2.", "Assistant 2 beats Assistant 1."),
        (
            "The first answer guesses. Second response: exact.",
            "The second answer guesses. First response: exact.",
        ),
        ("A names the hour, B doesn't.", "B names the hour, A doesn't."),
        ("A clearly states it. A is better than B.", "B clearly states it. B is better than A."),
        ("**A**: exact.\n**B**: vague.", "**B**: exact.\n**A**: vague."),
        ("I prefer A, for B’s hour is wrong.", "I prefer B, for A’s hour is wrong."),
        ("I would say A > B: A=7/10, B=3/10.", "I would say B > A: B=7/10, A=3/10."),
        ("'A' beats 'B', so the winner is \"A\".", "'B' beats 'A', so the winner is \"B\"."),
        (
            "### Response A\nA fine hour.\n### Response B\nNone.",
            "### Response B\nA fine hour.\n### Response A\nNone.",
        ),
        ("Both A and B are late, but (B) less so.", "Both B and A are late, but (A) less so."),
    ],
)
def test_every_way_to_name_an_answer_is_exchanged(text, expected):
    swapped = swap_mentions(text, pair())
    assert isinstance(swapped, Swapped)
    assert swapped.text == expected


@pytest.mark.parametrize(
    "text",
    [
        "A good answer names the hour. A vague one does not.",
        "It is an answer a sailor can use.",
        "Plan B is to wait; vitamin A does not help, nor does point B.",
        "The code `A = B` and the formula $A + B$ are right.",
        "```\nprint(A, B)\n```\nruns.",
        "Response A/B testing is beside the point, and so is A/B.",
        "It gets an A+ and 2 B-grade marks; A/B tests are beside the point.",
        "It costs 1 or 2 pounds, response 12 of many.",
        "",
    ],
)
def test_what_names_no_answer_stays(text):
    assert swap_mentions(text, pair()) == "no_mention"


def test_words_quoted_from_the_pair_stay_and_the_judges_own_quotes_do_not():
    quoting = pair(a="As they say, “ask response B for the hour” and be done.")
    text = "Response A writes “ask response B for the hour”, which “makes response A useless”."
    swapped = swap_mentions(text, quoting)
    assert isinstance(swapped, Swapped)
    assert (
        swapped.text == "Response B writes “ask response B for the hour”, which “makes response B useless”."
    )


def test_two_prices_on_one_line_are_no_formula():
    swapped = swap_mentions("One bill is $10, but answer A counts $20.", pair())
    assert isinstance(swapped, Swapped)
    assert swapped.text == "One bill is $10, but answer B counts $20."


CHOICES = "Which is it?\nOption A: high water\nOption B: low water\n(A) or (B)?"


def test_bare_letters_are_not_swapped_where_the_question_has_letters_of_its_own():
    assert swap_mentions("B is right, since the tide is out.", pair(CHOICES)) == "ambiguous"
    assert swap_mentions("Response A takes the alternative B.", pair(CHOICES)) == "ambiguous"


def test_a_noun_tells_the_answer_from_the_questions_items():
    swapped = swap_mentions("Response A takes Option B, which is right.", pair(CHOICES))
    assert isinstance(swapped, Swapped)
    assert swapped.text == "Response B takes Option B, which is right."


@given(st.text("AB ab.,*`$\"'()\n12_", max_size=80) | st.text(max_size=80))
def test_any_text_is_taken_and_only_names_change(text):
    swapped = swap_mentions(text, pair())
    if isinstance(swapped, Swapped):
        assert len(swapped.text) == len(text)
        differing = [(one, other) for one, other in zip(text, swapped.text, strict=True) if one != other]
        assert all({one, other} in ({"A", "B"}, {"a", "b"}, {"1", "2"}) for one, other in differing)
        assert len(differing) == swapped.mentions


@pytest.mark.parametrize(
    "text", ["\\(" * 10_000, "$$ " * 10_000, "`" * 40_000, "A " * 10_000, '"A" > ' * 8_000]
)
def test_no_long_text_takes_seconds(text):
    start = time.process_time()
    swap_mentions(text, pair())
    assert time.process_time() - start < 3


@pytest.mark.skipif(not LLMBAR.exists(), reason="the public data is not beside this checkout")
@pytest.mark.parametrize("judge", ["gpt-4", "chatgpt", "palm2"])
def test_nearly_all_real_judgments_can_be_swapped_and_back(judge):
    """They name the answers `Output (a)` and `Output (b)`; the few left are empty or about lettered items."""
    pairs = {pair.id: pair for pair in read_pairs(find_pairs_files([str(LLMBAR / "pairs.jsonl")]))}
    rows = [orjson.loads(line) for line in (LLMBAR / f"judgments_{judge}.jsonl").read_bytes().splitlines()]
    swapped = 0
    for row in rows:
        found = swap_mentions(row["text"], pairs[row["pair_id"]])
        if isinstance(found, Swapped):
            swapped += 1
            there = re.findall(r"\bOutput \(([ab])\)", row["text"])
            back = re.findall(r"\bOutput \(([ab])\)", found.text)
            assert all({one, other} == {"a", "b"} for one, other in zip(there, back, strict=True))
            again = swap_mentions(found.text, pairs[row["pair_id"]])
            assert isinstance(again, Swapped)
            assert again.text == row["text"]
    assert swapped / len(rows) > 0.99
