"""The reader: the judge's own prompt, the letters of the pairs file, failures as data."""

import math

import pytest

from ralign.errors import CallFailed
from ralign.evals.probe.interventions import Written
from ralign.evals.probe.verdict_probabilities import ChatReader, Reading
from ralign.files import RowLocation, decode, encode
from ralign.judging import JUDGE_PROMPT, Prompt
from ralign.records import Message, PreferencePair

PAIR = PreferencePair(
    id="Leith",
    conversation=(Message(role="user", content="When is high water?"),),
    response_a="At six.",
    response_b="Late.",
    label="A",
    benchmark="harbour",
)
TEXT = Written(thinking="Hm.", rationale="A names the hour.", lead=" ")


class Model:
    """Prefers what is called A nine to one, or has no room."""

    name = "tide"

    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.asked: list[tuple] = []

    async def choice_log_probs(self, messages, text, continuations, *, thinking=None):
        self.asked.append((messages[-1].content, text, continuations, thinking))
        if self.full:
            raise CallFailed("the text has 900 tokens, 'tide' takes fewer than 800")
        return math.log(0.9), math.log(0.1)


@pytest.mark.parametrize(("order", "first", "prob_a"), [("ab", "At six.", 0.9), ("ba", "Late.", 0.1)])
async def test_the_verdict_is_read_as_shown_and_recorded_in_the_letters_of_the_file(order, first, prob_a):
    model = Model()
    reader = ChatReader(model=model, prompt=Prompt("{response_a}|{response_b}|{conversation}", JUDGE_PROMPT))
    reading = await reader.read(PAIR, order, "own", TEXT)
    assert reading.prob_a == pytest.approx(prob_a)
    assert reading.mass == pytest.approx(1)
    assert (reading.pair_id, reading.benchmark, reading.order, reading.version) == (
        "Leith",
        "harbour",
        order,
        "own",
    )
    [(prompt, text, continuations, thinking)] = model.asked
    assert prompt.startswith(first)
    assert (text, continuations, thinking) == (TEXT.text, ("\\boxed{A}", "\\boxed{B}"), "Hm.")


async def test_a_text_without_room_is_a_failed_call_and_no_probability():
    reader = ChatReader(
        model=Model(full=True), prompt=Prompt("{response_a}{response_b}{conversation}", JUDGE_PROMPT)
    )
    reading = await reader.read(PAIR, "ab", "drop", TEXT)
    assert (reading.failure, reading.log_prob_a, reading.log_prob_b) == ("call", None, None)
    assert reading.detail == "the text has 900 tokens, 'tide' takes fewer than 800"
    assert math.isnan(reading.prob_a)
    assert math.isnan(reading.mass)


@pytest.mark.parametrize(("a", "b", "prob_a"), [(0.0, -2000.0, 1.0), (-2000.0, 0.0, 0.0), (-1.0, -1.0, 0.5)])
def test_probabilities_far_apart_do_not_overflow(a, b, prob_a):
    reading = Reading(pair_id="Leith", version="own", log_prob_a=a, log_prob_b=b)
    assert reading.prob_a == pytest.approx(prob_a)


def test_a_reading_comes_back_as_it_was():
    reading = Reading(pair_id="Leith", version="swap", log_prob_a=-0.1, log_prob_b=-2.25)
    assert decode(Reading, encode(reading), RowLocation("readings.jsonl", 1)) == reading
