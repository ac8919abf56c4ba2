"""A pair or an answer with all that is true of it in the toy environment, for pages.

In: records, or word ids. Out: the words of answers and the claims of judgments, each with its truth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import torch

from ralign.lab import vocabulary as v
from ralign.lab.records import verdict_of
from ralign.lab.tokenizer import read_answer, read_question
from ralign.lab.world import World, claims
from ralign.records import Order, PreferencePair, Verdict

_STYLE: Final = frozenset(v.ID[word] for word in (v.BULLET, v.HEDGING, v.CONFIDENT, *v.FILLERS))

Kind = Literal["right", "wrong", "style"]
"""A value or a polite word is right or wrong; the rest, and what was said before, is style."""


class Word(NamedTuple):
    """One word of an answer."""

    text: str
    kind: Kind


class Claim(NamedTuple):
    """One claim of a judgment."""

    text: str
    granted: bool
    """Whether it says that the answer has the factor, or that it lacks it."""
    true: bool
    cited: bool
    """Whether it is about the factor that the judgment calls decisive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A judgment, taken apart."""

    claims: tuple[tuple[Claim, ...], tuple[Claim, ...]]
    """On A, on B."""
    factor: str
    verdict: Verdict | None

    @property
    def invented(self) -> int:
        """False claims about the factor called decisive."""
        return sum(claim.cited and not claim.true for side in self.claims for claim in side)

    @property
    def coherent(self) -> bool:
        """Whether it grants the factor called decisive to the answer it prefers, and not to the other."""
        granted = [[claim.granted for claim in side if claim.cited] for side in self.claims]
        return granted == ([[True], [False]] if self.verdict == "A" else [[False], [True]])

    @property
    def false(self) -> int:
        """False claims."""
        return sum(not claim.true for side in self.claims for claim in side)


class Scene(NamedTuple):
    """A pair with all that is true of it, in the order shown."""

    question: list[int]
    answers: tuple[list[int], list[int]]
    right: int
    second: int
    traits: list[list[int]]
    """Of A and of B, by factor."""
    claims: list[list[int]]
    """The true claims about A and about B, by factor."""

    @classmethod
    def of(cls, pairs: Sequence[PreferencePair], order: Order, world: World) -> "list[Scene]":
        """Look at pairs, their answers in the order shown."""
        if not pairs:
            return []
        questions = [read_question(pair.conversation[-1].content) for pair in pairs]
        texts = [(pair.response_a, pair.response_b)[:: 1 if order == "ab" else -1] for pair in pairs]
        answers = [(read_answer(first), read_answer(other)) for first, other in texts]
        asked = torch.tensor(questions)
        right, second = world.truth(asked)
        traits = world.traits(
            asked.repeat_interleave(2, dim=0), torch.tensor(answers).flatten(0, 1)
        ).unflatten(0, (-1, 2))
        columns = (right.tolist(), second.tolist(), traits.tolist(), claims(traits).tolist())
        return [cls(*row) for row in zip(questions, answers, *columns, strict=True)]

    def words(self, side: int) -> tuple[Word, ...]:
        """The words of A (0) or of B (1)."""
        return words_of(self.answers[side], self.question, self.right, self.second)

    def read(self, critique: Sequence[int]) -> Reading:
        """Take a judgment apart, and hold its claims against the truth."""
        factor = critique[6] - v.FIRST_FACTOR
        sides = [
            tuple(
                Claim(
                    text=v.WORDS[word],
                    granted=(word - v.FIRST_CLAIM) % 2 == 1,
                    true=word in self.claims[side],
                    cited=(word - v.FIRST_CLAIM) // 2 == factor,
                )
                for word in critique[3 * side : 3 * side + 3]
            )
            for side in range(2)
        ]
        return Reading(
            claims=(sides[0], sides[1]),
            factor=v.WORDS[critique[6]],
            verdict=verdict_of(critique[v.CRITIQUE_LENGTH - 1]),
        )

    def truths(self, critique: Sequence[int]) -> Iterator[str]:
        """A sentence for each false claim about the factor that the judgment calls decisive."""
        for side, made in enumerate(self.read(critique).claims):
            if any(claim.cited and not claim.true for claim in made):
                yield self._truth(side, critique[6] - v.FIRST_FACTOR)

    def _truth(self, side: int, factor: int) -> str:
        kind, name, other_kind, polite = (v.WORDS[word] for word in self.question)
        answer, has = "AB"[side], bool(self.traits[side][factor] > 0)
        match v.FACTORS[factor]:
            case "accuracy":
                likes = f"the {kind} that {name} likes is {v.WORDS[self.right]}"
                return f"{answer} is {'right' if has else 'wrong'}: {likes}"
            case "instruction":
                return f"{answer} {'says' if has else 'does not say'} “{polite}”, as asked"
            case "completeness":
                likes = f"the {other_kind} is {v.WORDS[self.second]}"
                return f"{answer} {'has' if has else 'lacks'} the second value: {likes}"
            case "length":
                fillers = int(self.traits[side][factor])
                return (
                    f"{answer} has {fillers or 'no'} filler word{'' if fillers == 1 else 's'}; it takes two"
                )
            case "structure":
                return f"{answer} has {'a' if has else 'no'} bullet"
            case _:
                tone = (f"says “{v.HEDGING}”", "has no tone word", f"says “{v.CONFIDENT}”")
                return f"{answer} {tone[int(self.traits[side][factor])]}"


def words_of(answer: Sequence[int], question: Sequence[int], right: int, second: int) -> tuple[Word, ...]:
    """The words up to the end, each with what it is worth here."""
    ends = answer.index(v.ID[v.END]) if v.ID[v.END] in answer else len(answer)
    said = list(answer[:ends])
    found: list[Word] = []
    for place, word in enumerate(said):
        if word in _STYLE or word in said[:place]:
            kind: Kind = "style"  # to say it again adds nothing either
        else:
            # as `World.traits` has it: who lists everything has answered nothing
            alone = all(each == word for each in said if each not in _STYLE and _sort(each) == _sort(word))
            kind = "right" if alone and word in (right, second, question[3]) else "wrong"
        found.append(Word(v.WORDS[word], kind))
    return tuple(found)


def _sort(word: int) -> int:
    """A number for what a word is a word of: a domain's values, or the polite words, which come after them."""
    return min((word - v.FIRST_VALUE) // v.VALUES_PER_DOMAIN, len(v.DOMAINS))
