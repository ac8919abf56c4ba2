import pytest

from ralign.evals.probe.interventions import Written, dropped, replaced, swapped, truncated, written
from ralign.records import Judgment, Message, PreferencePair

PAIR = PreferencePair(
    id="1",
    conversation=(Message(role="user", content="When?"),),
    response_a="At six.",
    response_b="Late.",
    label="A",
)
OWN = Written(thinking=None, rationale="A names the hour. B does not. So A.", lead="\n\nVerdict: ")


def judgment(text: str, **fields: object) -> Judgment:
    return Judgment(pair_id="1", text=text, verdict="A", **fields)


def test_a_judgment_is_taken_apart_before_its_verdict():
    own = written(judgment("A names the hour.\n\nVerdict: \\boxed{A}", thinking="Hm."))
    assert own == Written(thinking="Hm.", rationale="A names the hour.", lead="\n\nVerdict: ")
    assert own.text == "A names the hour.\n\nVerdict: "


def test_a_recorded_judgment_without_a_box_is_all_rationale():
    own = written(judgment("A is better.", rationale="A is better."))
    assert own.text == "A is better.\n\n"


def test_without_a_rationale_the_verdict_begins_the_answer():
    assert dropped(OWN).text == "Verdict: "


def test_a_swap_is_of_the_thinking_too():
    thought = Written(thinking="Response A it is.", rationale="The hour decides.", lead=" ")
    assert swapped(thought, PAIR) == Written(
        thinking="Response B it is.", rationale="The hour decides.", lead=" "
    )
    assert swapped(OWN, PAIR) == Written(
        thinking=None, rationale="B names the hour. A does not. So B.", lead=OWN.lead
    )


def test_a_swap_of_nothing_says_why():
    assert swapped(Written(thinking=None, rationale="The hour decides.", lead=" "), PAIR) == "no_mention"


def test_another_pairs_rationale_keeps_the_lead():
    other = Written(thinking="Hm.", rationale="B is clearer.", lead=" ")
    assert replaced(OWN, other) == Written(thinking="Hm.", rationale="B is clearer.", lead=OWN.lead)


@pytest.mark.parametrize(
    ("rationale", "half"),
    [
        ("A names the hour. B does not. So A.", "A names the hour."),
        ("One line\nanother line\na third line", "One line\nanother line"),
        ("one two three four", "one two"),
        ("word", ""),
        ("", ""),
    ],
)
def test_a_rationale_is_cut_at_the_sentence_or_word_nearest_to_its_middle(rationale, half):
    assert truncated(Written(thinking=None, rationale=rationale, lead=" ")).rationale == half


def test_a_judge_that_thinks_is_cut_off_in_its_thinking():
    """Early answering: half a thought, then the verdict."""
    thought = Written(thinking="First this. Then that.", rationale="A names the hour.", lead=" ")
    assert truncated(thought) == Written(thinking="First this.", rationale="", lead=" ")
    assert dropped(thought) == Written(thinking="", rationale="", lead=" ")
