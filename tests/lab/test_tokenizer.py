import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.errors import InputError
from ralign.lab.tokenizer import CRITIQUE, QUESTION, RATIONALE, read_answer, read_question, write_answer
from ralign.lab.vocabulary import ANSWER_LENGTH, BLANK, CLAIMS, END, FACTORS, FIRST_CLAIM, ID, SPECIAL, WORDS

any_word = st.integers(0, len(WORDS) - 1)
plain_word = st.integers(len(SPECIAL), len(WORDS) - 1)


@pytest.mark.parametrize("frame", [QUESTION, RATIONALE, CRITIQUE])
@given(data=st.data())
def test_any_words_in_a_sentence_come_back_from_its_text(frame, data):
    ids = data.draw(st.lists(any_word, min_size=frame.slots, max_size=frame.slots))
    assert frame.read(frame.write(ids)) == ids


@given(st.lists(plain_word, max_size=ANSWER_LENGTH - 1))
def test_an_answer_comes_back_from_its_text_with_its_end_and_blanks(words):
    padded = [*words, ID[END]] + [ID[BLANK]] * (ANSWER_LENGTH - 1 - len(words))
    assert read_answer(write_answer(padded)) == padded


def test_a_judgment_reads_as_a_sentence():
    words = ["right", "follows", "partial", "wrong", "ignores", "complete", "accuracy", r"\boxed{A}"]
    text = CRITIQUE.write([ID[word] for word in words])
    assert text == (
        "Answer A: right, follows, partial. Answer B: wrong, ignores, complete. Decisive: accuracy. \\boxed{A}"
    )


def test_every_word_is_there_once_and_claims_lie_in_the_order_of_the_factors():
    assert len(set(WORDS)) == len(WORDS)
    for factor in range(len(FACTORS)):
        for has in (0, 1):
            assert WORDS[FIRST_CLAIM + 2 * factor + has] == CLAIMS[factor][has]


@pytest.mark.parametrize("text", ["What is love?", "Which soap does Mira like? Add the town and say thanks."])
def test_another_question_is_refused(text):
    with pytest.raises(InputError, match="not a question of the toy environment"):
        read_question(text)


def test_an_answer_of_other_words_or_too_many_is_refused():
    with pytest.raises(InputError, match="no word 'marvellous'"):
        read_answer("certainly marvellous")
    with pytest.raises(InputError, match="at most 8 words"):
        read_answer("truly " * 9)


def test_text_that_is_no_judgment_is_not_read():
    assert CRITIQUE.read("Answer A is better.") is None
    assert CRITIQUE.read(CRITIQUE.sentence.format(*["dazzling"] * 8)) is None
