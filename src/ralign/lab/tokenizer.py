"""Text <-> word ids, exactly and both ways.

A question and a judgment are a fixed sentence with slots for single words; an answer is its words with spaces between.
"""

import re
from collections.abc import Sequence
from typing import Final

from ralign.errors import InputError
from ralign.lab.vocabulary import ANSWER_LENGTH, BLANK, END, ID, WORDS


# Only the words in the slots are tokens: the model never spends a step on a word that it could not have chosen
# differently, and a judgment is eight tokens instead of some thirty.
class Frame:
    """A sentence with slots for single words."""

    def __init__(self, sentence: str) -> None:
        """Take a sentence whose slots are written `{}`."""
        self.sentence: Final = sentence
        self.slots: Final = sentence.count("{}")
        self._pattern: Final = re.compile(r"(\S+?)".join(map(re.escape, sentence.split("{}"))) + r"\s*")

    def write(self, ids: Sequence[int]) -> str:
        """Put the words in the slots."""
        return self.sentence.format(*(WORDS[index] for index in ids))

    def read(self, text: str) -> list[int] | None:
        """The ids of the words in the slots; None where the text is not this sentence or has an unknown word."""
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        words: list[str] = list(match.groups())
        if any(word not in ID for word in words):
            return None
        return [ID[word] for word in words]


QUESTION: Final = Frame("Which {} does {} like? Add the {} and say {}.")
RATIONALE: Final = Frame("Answer A: {}, {}, {}. Answer B: {}, {}, {}. Decisive: {}.")
CRITIQUE: Final = Frame(f"{RATIONALE.sentence} {{}}")
"""A rationale and its verdict."""


def write_answer(ids: Sequence[int]) -> str:
    """The words up to the end, with spaces between them."""
    words = [WORDS[index] for index in ids]
    return " ".join(words[: words.index(END)] if END in words else words)


def read_answer(text: str) -> list[int]:
    """ANSWER_LENGTH ids: the words, the end, and blanks.

    Raises:
        InputError: a word is unknown, or there are too many.
    """
    words = text.split()
    unknown = [word for word in words if word not in ID]
    if unknown:
        raise InputError(f"the toy environment has no word {unknown[0]!r}: {text!r}")
    if len(words) >= ANSWER_LENGTH:
        raise InputError(f"an answer has at most {ANSWER_LENGTH - 1} words: {text!r}")
    return [ID[word] for word in [*words, END] + [BLANK] * (ANSWER_LENGTH - 1 - len(words))]


def read_question(text: str) -> list[int]:
    """The four ids of a question.

    Raises:
        InputError: the text is no question of the toy environment.
    """
    ids = QUESTION.read(text)
    if ids is None:
        raise InputError(f"not a question of the toy environment: {text!r}; expected {QUESTION.sentence!r}")
    return ids
