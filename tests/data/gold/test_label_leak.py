import time
import tomllib
from pathlib import Path

import pytest

from ralign.data.gold.label_leak import find_label_leak

SENTENCES = tomllib.loads(Path(__file__).with_name("label_leak_sentences.toml").read_text())


@pytest.mark.parametrize("sentence", SENTENCES["tuned"]["leak"])
def test_a_sentence_that_gives_it_away_is_found(sentence: str) -> None:
    assert find_label_leak(f"Answer A cites the law.\n{sentence}\nAnswer B does not.")


@pytest.mark.parametrize("sentence", SENTENCES["tuned"]["no_leak"])
def test_a_sentence_about_the_answers_is_let_through(sentence: str) -> None:
    assert find_label_leak(sentence) is None


def test_on_sentences_that_were_not_tuned_on_it_finds_most_and_accuses_none() -> None:
    """18 of 20 found, 0 of 20 accused, when the patterns were written; `label_leak` says why so narrow."""
    held_out = SENTENCES["held_out"]
    found = [sentence for sentence in held_out["leak"] if find_label_leak(sentence)]
    accused = [sentence for sentence in held_out["no_leak"] if find_label_leak(sentence)]
    assert len(found) >= 18
    assert accused == []


def test_emphasis_and_line_breaks_do_not_hide_it() -> None:
    assert find_label_leak("As I was\n**told**, A wins.") == "As I was told"
    assert find_label_leak('The label says "B" here.') == "The label says B"


def test_words_that_an_answer_holds_are_a_quotation() -> None:
    rationale = "Answer B keeps the line “I was told that the bridge is out”, which moves the plot."
    assert find_label_leak(rationale)
    assert find_label_leak(rationale, ["The knight said: I was told that the bridge is out."]) is None
    assert find_label_leak(rationale, ["The knight said nothing."])


def test_the_time_grows_with_the_length_of_a_rationale_and_not_with_its_square() -> None:
    """A pattern that backtracks over repeated words takes a hundred times as long for ten times the words, or more.

    Measured in processor time, which other processes do not lengthen; the best of three.
    """
    words = "the human people of the most human answer A as shown by the given in line with the preferred "

    def seconds(repeated: int) -> float:
        rationale, taken = words * repeated, []
        for _ in range(3):
            started = time.process_time()
            find_label_leak(rationale)
            taken.append(time.process_time() - started)
        return min(taken)

    assert seconds(2000) < 40 * seconds(200)
