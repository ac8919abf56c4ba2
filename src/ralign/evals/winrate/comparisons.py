"""Two files of answers -> the pairs to judge.

The first file's answer is A, the second's (the reference's) B. Prompts are matched by id and must be the same words.
A pair has no label: nobody knows which is better, and no judge is shown one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ralign.data.prompts import PolicyPrompt
from ralign.errors import InputError
from ralign.evals.winrate.config import Missing
from ralign.records import PreferencePair
from ralign.rewards.policy import visible_answer

BENCHMARK = "winrate"
"""The benchmark of these pairs; it enters the calls' seeds."""

_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """The prompts of a win rate."""

    pairs: list[PreferencePair]
    """Prompts with both answers, A the first file's. `unknown` is the reference's row."""
    missing_as_loss: list[PolicyPrompt]
    """Prompts (of the reference's file) that count as lost, for want of an answer."""
    left_out: int
    """Prompts with a reference and no answer that count for nothing."""
    without_reference: int
    """Prompts with an answer and no reference."""


def match_answers(
    answers: Sequence[PolicyPrompt],
    references: Sequence[PolicyPrompt],
    *,
    column: str | None,
    reference_column: str,
    missing: Missing,
) -> Comparisons:
    """Bring the answers of two files together.

    Args:
        answers: with the answers to measure.
        references: with the answers to compare with; their order is kept.
        column: where the answers are; None: `answer` where any row has it, otherwise `reference_answer`.
        reference_column: where the references are.
        missing: what a prompt counts for that has no answer, a blank one, or nothing but thinking.

    Raises:
        BadRow: a reference that is missing or blank.
        InputError: no prompt in common, one that reads differently, or an answer that is missing and may not be.
    """
    if column is None:
        column = "answer" if any("answer" in prompt.row for prompt in answers) else "reference_answer"
    given = {prompt.id: prompt for prompt in answers}
    pairs: list[PreferencePair] = []
    absent: list[PolicyPrompt] = []
    for prompt in references:
        reference = visible_answer(prompt.answer(reference_column))
        if not reference:
            raise prompt.location.bad(f"{reference_column} is all thinking, expected an answer")
        other = given.get(prompt.id)
        # Equal ids of two data sets, or of two versions of one, would compare answers to different questions.
        if other is not None and other.conversation != prompt.conversation:
            raise InputError(f"{other.location}: prompt {prompt.id!r} reads differently in {prompt.location}")
        text = None if other is None else other.row.get(column)
        # A policy that never closes its thought has not answered, however much it wrote.
        answer = visible_answer(text) if isinstance(text, str) else ""
        if not answer:
            absent.append(prompt)
            continue
        pairs.append(
            PreferencePair(
                id=prompt.id,
                conversation=prompt.conversation,
                response_a=answer,
                response_b=reference,
                # Of no consequence: the record asks for a letter, and neither the judge nor the results read it.
                label="A",
                benchmark=BENCHMARK,
                unknown=prompt.row,
            )
        )
    if not pairs:
        raise InputError(
            f"no prompt has an answer in the column {column} and a reference in {reference_column}"
        )
    if absent and missing == "refuse":
        listed = ", ".join(prompt.id for prompt in absent[:_LISTED])
        raise InputError(
            f"{len(absent):,} of {len(references):,} prompts have no answer in the column {column} ({listed}"
            f"{', …' if len(absent) > _LISTED else ''}): --missing loss counts them as lost, --missing leave-out "
            "leaves them out"
        )
    named = {prompt.id for prompt in references}
    return Comparisons(
        pairs=pairs,
        missing_as_loss=absent if missing == "loss" else [],
        left_out=len(absent) if missing == "leave-out" else 0,
        without_reference=sum(prompt.id not in named for prompt in answers),
    )
