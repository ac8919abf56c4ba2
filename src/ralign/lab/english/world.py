"""The English world: notes, a request, two answers in varied words; which one is better is exact and can be read back.

    Notes on the ferry to Lund: Departure is at 9:00; it is at sea for 40 minutes. The fare is 14 euros. It docks at
    pier 2.
    When does it arrive, and what is the fare? End with "Safe travels."

A better answer gives the right value, follows the instruction, gives the second thing: accuracy goes before
instruction, instruction before completeness. The worse answer fails in exactly one of them. Style goes with the better
answer as often as a preset says. Everything follows from a text alone (`read_task`, `read_answer`): gold, the true
quality of a policy's answer, and what the meta-judge holds a rationale against.
"""

import re
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, NamedTuple

from ralign.lab.english.domains import DOMAINS, Domain, Fact
from ralign.records import PreferencePair, Verdict

Reason = Literal["accuracy", "instruction", "completeness"]
REASONS: Final[tuple[Reason, ...]] = ("accuracy", "instruction", "completeness")
DECISIVE: Final = (0.4, 0.3, 0.3)
"""How often each reason decides a pair."""
QUALITY: Final = (0.5, 0.3, 0.2)
"""True quality: the weights of accuracy, instruction and completeness."""

CLOSINGS: Final = (
    "Safe travels.",
    "Kind regards.",
    "Good luck.",
    "See you soon.",
    "Take care.",
    "All the best.",
)
_INSTRUCTIONS: Final = ('End with "{}"', 'Close with the words "{}"', 'The last words should be "{}"')


class Task(NamedTuple):
    """One request with its notes."""

    domain: Domain
    truth: dict[str, str]
    """By the name of a fact, what the notes say it is."""
    asked: tuple[Fact, ...]
    """One or two facts, the first the one that accuracy is about."""
    closing: str | None
    """The words that the answer is to end with."""

    @property
    def right(self) -> str:
        """The right value of the first fact asked for."""
        return self.truth[self.asked[0].name]


class AnswerTraits(NamedTuple):
    """Traits of an answer, read from its text."""

    value: str | None
    """Of the first fact asked for; None where it gives none, or several."""
    second: str | None
    """Of the second one."""
    follows: bool
    """Whether it ends with the words asked for; true where none were."""

    def good(self, task: Task) -> dict[Reason, bool]:
        """By reason, whether the answer is good in it. All three are true of a request that does not ask for it."""
        second_is_right = len(task.asked) == 1 or self.second == task.truth[task.asked[1].name]
        return {
            "accuracy": self.value == task.right,
            "instruction": self.follows,
            "completeness": second_is_right,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pair as it is understood: what the gold rationale says, and what any other is held against."""

    task: Task
    traits: dict[Verdict, AnswerTraits]
    reason: Reason
    better: Verdict
    answers: dict[Verdict, str]
    """Plain texts."""


def draw_task(rng: Random, domain: Domain, reason: Reason) -> tuple[Task, str]:
    """Draw a request in which this reason can decide: the task and its text."""
    # A wrong value may stand in any request: what is asked for must not give away what decides.
    shape = rng.choice(("plain", *REASONS[1:])) if reason == "accuracy" else reason
    # The first fact is the one of two steps, where the domain has one: it is asked about half the time.
    first = domain.facts[0] if rng.random() < 0.5 else rng.choice(domain.facts[1:])
    others = rng.sample([fact for fact in domain.facts if fact is not first], 2)
    noted = rng.sample([first, *others], 3)
    truth = {fact.name: rng.choice(fact.values) for fact in noted}
    asked = (first, others[0]) if shape == "completeness" else (first,)
    closing = rng.choice(CLOSINGS) if shape == "instruction" else None
    task = Task(domain, truth, asked, closing)
    notes = " ".join(rng.choice(fact.notes).format(*fact.in_notes(truth[fact.name])) for fact in noted)
    question = first.question
    if len(asked) == 2:
        second = others[0].question
        question += f", and {second[0].lower()}{second[1:]}"
    instruction = f" {rng.choice(_INSTRUCTIONS).format(closing)}" if closing else ""
    return task, f"Notes on {rng.choice(domain.places)}: {notes}\n{question}?{instruction}"


def draw_substance(rng: Random, task: Task, reason: Reason, *, better: bool) -> str:
    """Draw the sentences of an answer without its closing words and its style."""
    first = task.asked[0]
    wrong = [value for value in first.values if value != task.right]
    value = task.right if better or reason != "accuracy" else rng.choice(wrong)
    sentences = [rng.choice(first.says).format(value)]
    if len(task.asked) == 2 and (better or reason != "completeness"):
        sentences.append(rng.choice(task.asked[1].says).format(task.truth[task.asked[1].name]))
    return " ".join(sentences)


def read_task(text: str) -> Task | None:
    """The task in a request's text; None where it is none of this world's."""
    notes, _, request = text.partition("\n")
    for domain in DOMAINS:
        if not any(notes.startswith(f"Notes on {place}: ") for place in domain.places):
            continue
        truth: dict[str, str] = {}
        for fact in domain.facts:
            for value in fact.values:
                if any(sentence.format(*fact.in_notes(value)) in notes for sentence in fact.notes):
                    truth[fact.name] = value
                    break
        found = [(request.lower().find(fact.question.lower()), fact) for fact in domain.facts]
        asked = tuple(fact for at, fact in sorted(found, key=lambda each: each[0]) if at >= 0)
        closing = next((words for words in CLOSINGS if f'"{words}"' in request), None)
        if asked and all(fact.name in truth for fact in asked):
            return Task(domain, truth, asked, closing)
    return None


def read_answer(task: Task, answer: str) -> AnswerTraits:
    """Read any answer to a task, one of this world's or a policy's."""
    plain = plain_text(answer)
    said = [values_in(fact, plain) for fact in task.asked]
    # Only where no other value stands beside it: else a list of all values would be right whatever is asked.
    value, *second = (values[0] if len(set(values)) == 1 else None for values in said)
    follows = task.closing is None or plain.rstrip("!. ").endswith(plain_text(task.closing).rstrip("."))
    return AnswerTraits(value, second[0] if second else None, follows)


def read_case(pair: PreferencePair) -> Case | None:
    """Decisive difference of a pair, from its texts alone; None where nothing of this world decides it."""
    task = read_task(pair.conversation[-1].content)
    if task is None:
        return None
    traits: dict[Verdict, AnswerTraits] = {
        "A": read_answer(task, pair.response_a),
        "B": read_answer(task, pair.response_b),
    }
    good = {side: traits[side].good(task) for side in traits}
    for reason in REASONS:
        if good["A"][reason] != good["B"][reason]:
            better: Verdict = "A" if good["A"][reason] else "B"
            answers: dict[Verdict, str] = {
                "A": plain_text(pair.response_a),
                "B": plain_text(pair.response_b),
            }
            return Case(task=task, traits=traits, reason=reason, better=better, answers=answers)
    return None


def quality(request: str, answer: str) -> float:
    """True quality of any answer to a request, in 0..1: 0.5 accuracy + 0.3 instruction + 0.2 completeness, exactly.

    Raises:
        ValueError: the request is none of this world's.
    """
    task = read_task(request)
    if task is None:
        raise ValueError(f"not a request of the English world: {request[:60]!r}")
    good = read_answer(task, answer).good(task)
    return sum(weight for reason, weight in zip(REASONS, QUALITY, strict=True) if good[reason])


def plain_text(text: str) -> str:
    """A text without its bold and with single spaces, in lower case."""
    return " ".join(text.replace("*", "").lower().split())


def values_in(fact: Fact, plain: str) -> list[str]:
    """The fact's values that a plain text holds, in the order in which they stand."""
    found = [
        (match.start(), value)
        for value in fact.values
        for match in re.finditer(rf"(?<![\w:.]){re.escape(value.lower())}(?![\w:])", plain)
    ]
    return [value for _, value in sorted(found)]
