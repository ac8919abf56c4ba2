from dataclasses import replace

import pytest

from ralign.judging import parse_verdict
from ralign.lab.english import meta_judge
from ralign.lab.english.pairs import draw_pairs
from ralign.records import Judgment, Message, PreferencePair

FERRY = (
    "Notes on the ferry to Lund: Departure is at 9:00; it is at sea for 40 minutes. The fare is 14 euros. "
    "It docks at pier 2.\n"
)


def pair(request: str, a: str, b: str, label: str) -> PreferencePair:
    turn = Message(role="user", content=FERRY + request)
    return PreferencePair(id="p", conversation=(turn,), response_a=a, response_b=b, label=label)


WRONG = pair("When does it arrive?", "It arrives at 9:40.", "**It arrives at 9:20!**", "A")
UNENDED = pair(
    'Which pier does it use? End with "Take care."', "It uses pier 2.", "Go to pier 2. Take care.", "B"
)
PARTIAL = pair(
    "When does it arrive, and what is the fare?",
    "It arrives at 9:40. The fare is 14 euros.",
    "It arrives at 9:40.",
    "A",
)


def said(about: PreferencePair, rationale: str, order: str = "ab") -> bool | None:
    return meta_judge(
        about, Judgment(pair_id="p", order=order, rationale=rationale, verdict=about.label)
    ).aligned


@pytest.mark.parametrize(
    ("about", "rationale", "aligned"),
    [
        (WRONG, "The answers are 9:40 (A) and 9:20 (B); the notes say 9:40. A is right.", True),
        (WRONG, "B's arrival time is off: 9:20 instead of 9:40. It is friendlier, though.", True),
        (WRONG, "The answers are 9:20 (A) and 9:40 (B); the notes say 9:40.", False),
        (WRONG, "The answers are 9:40 (A) and 9:20 (B); the notes say 9:20.", False),
        (WRONG, "A is right.", False),  # a guess: no value is named
        (WRONG, "A is warmer and better laid out.", False),
        (WRONG, "A says 9:40 as the notes do and B says 9:20, but what decides is A's warmer tone.", False),
        (WRONG, "B says 9:20 and not 9:40, and it leaves out the closing words.", False),  # none were asked for
        (UNENDED, "A leaves out the closing words; B has them.", True),
        (UNENDED, "Both say pier 2, as the notes do. Only B ends with \"Take care.\"", True),
        (UNENDED, "A ends with \"Take care.\" and B does not.", False),
        (UNENDED, "Both say pier 2, as the notes do.", False),  # true, and not what decides
        (PARTIAL, "B never mentions the fare, A does.", True),
        (PARTIAL, "B never mentions the arrival time, A does.", False),
        (PARTIAL, "Both give the arrival time, 9:40.", False),
        (PARTIAL, "A gives 14 euros for the fare; B gives no fare at all.", True),
    ],
)  # fmt: skip
def test_what_decides_has_to_be_stated_and_nothing_false(about, rationale, aligned):
    assert said(about, rationale) is aligned


def test_the_letters_are_those_of_the_order_shown():
    assert said(WRONG, "A says 9:20, the notes say 9:40 like B.", "ba") is True
    assert said(WRONG, "A says 9:20, the notes say 9:40 like B.", "ab") is False


def test_every_gold_rationale_is_aligned_and_none_with_its_letters_exchanged():
    for drawn in draw_pairs("hard", 120, preset="graded", seed=5):
        gold = parse_verdict(drawn.gold_judgment).rationale
        told = Judgment(pair_id=drawn.id, rationale=gold)
        assert meta_judge(drawn, told).aligned is True, gold
        assert meta_judge(drawn, replace(told, order="ba")).aligned is False, gold


def test_a_pair_of_another_world_is_a_failure():
    other = replace(WRONG, conversation=(Message(role="user", content="What is a tide?"),))
    told = meta_judge(other, Judgment(pair_id="p", rationale="A is right."))
    assert (told.aligned, told.failure) == (None, "parse")
