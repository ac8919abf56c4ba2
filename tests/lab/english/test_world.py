from random import Random

import pytest

from ralign.lab.english.domains import DOMAINS
from ralign.lab.english.world import draw_task, quality, read_answer, read_task, values_in

FERRY = (
    "Notes on the ferry to Lund: Departure is at 9:00; it is at sea for 40 minutes. The fare is 14 euros. "
    'It docks at pier 2.\nWhen does it arrive, and what is the fare? End with "Take care."'
)


def test_a_request_is_read_from_its_text_two_steps_included():
    task = read_task(FERRY)
    assert task is not None
    assert task.domain.name == "ferry"
    assert task.truth == {"arrival time": "9:40", "fare": "14 euros", "pier": "pier 2"}
    assert [fact.name for fact in task.asked] == ["arrival time", "fare"]
    assert task.closing == "Take care."
    assert read_task("What is the fare?") is None


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("It arrives at **9:40**! You pay 14 euros one way. Take care.", 1.0),
        ("It arrives at 9:40. You pay 14 euros one way.", 0.7),
        ("It arrives at 9:40. Take care.", 0.8),
        ("It arrives at 9:20. You pay 14 euros one way. Take care!", 0.5),
        ("It arrives at 9:20 or 9:40, I think, for 14 euros. Take care.", 0.5),
        ("Take care. It leaves at 9:00.", 0.0),
        ("", 0.0),
    ],
)
def test_the_quality_of_any_answer_is_exact(answer, value):
    assert quality(FERRY, answer) == pytest.approx(value)


def test_what_is_drawn_is_read_back():
    rng = Random(0)
    for number in range(160):
        domain = DOMAINS[number % len(DOMAINS)]
        drawn, text = draw_task(rng, domain, ("accuracy", "instruction", "completeness")[number % 3])
        assert read_task(text) == drawn
        assert read_answer(drawn, "Nothing.").value is None


def test_no_value_of_a_fact_is_found_in_another_facts_notes_or_values():
    for domain in DOMAINS:
        for fact in domain.facts:
            for other in domain.facts:
                said = " ".join((*other.values, *(part for parts in other.parts for part in parts))).lower()
                if other is not fact:
                    assert values_in(fact, said) == [], (domain.name, fact.name, other.name)
            for value, parts in zip(fact.values, fact.parts, strict=False):
                assert values_in(fact, " ".join(parts)) == [], value
