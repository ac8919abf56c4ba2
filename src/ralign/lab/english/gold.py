"""Judgments in words: the gold rationale of a pair, and those of critics who lean on style or err.

Values first, verdict last: a judge that names the better answer before it has read the values does not learn to look
(the prototype of this world tried).
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from ralign.lab.english.style import showiness
from ralign.lab.english.world import Case, Reason, read_case
from ralign.records import PreferencePair, Verdict, opposite

GOLD: Final[dict[Reason, tuple[str, ...]]] = {
    "accuracy": (
        "The answers are {value_a} (A) and {value_b} (B); the notes say {right}. {better} is right.",
        "A says {value_a}, B says {value_b}. By the notes the {first} is {right}, so {worse} is wrong.",
        "On the {first}, A gives {value_a} and B gives {value_b}. The notes come to {right}: {better} is correct.",
    ),
    "instruction": (
        'The last words should be "{closing}". A ends {with_a} them, B ends {with_b} them.',
        'The request wants "{closing}" at the end. {better} ends with it; {worse} does not.',
        'Asked for is the closing "{closing}". {worse} leaves it out, and {better} has it.',
    ),
    "completeness": (
        "Asked for are the {first} and the {second}. A gives {what_a}, B gives {what_b}.",
        "The request is for two things. {worse} leaves out the {second}; {better} gives both.",
        "{better} gives the {first} and the {second}. {worse} says nothing about the {second}.",
    ),
}
"""Three wordings a reason."""

STYLE: Final = (
    "{showier} is warmer and better laid out.",
    "{showier} is friendlier and more detailed, while {plainer} feels flat.",
    "The tone of {showier} is livelier and more welcoming.",
    "{showier} reads better and is more engaging than {plainer}.",
)
"""What a critic says who leans on style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Critics:
    """Who writes the demonstrations of a domain."""

    substantive: float = 1.0
    """Share of judgments that check; the others lean on style."""
    flipped: float = 0.0
    """Share of those that check and take one answer for the other."""


def gold_judgment(rng: Random, case: Case) -> str:
    """The gold rationale in one of its wordings, and the verdict."""
    return _with_verdict(rng.choice(GOLD[case.reason]).format(**slots(case)), case.better)


def demonstration(rng: Random, pair: PreferencePair, critics: Critics) -> PreferencePair:
    """A pair with the judgment of a critic in gold's place, and the critic's verdict as its label.

    Raises:
        ValueError: the pair is none of this world's.
    """
    case = read_case(pair)
    if case is None:
        raise ValueError(f"pair {pair.id!r} is not of the English world")
    if rng.random() < critics.substantive:
        if rng.random() < critics.flipped:
            a, b = case.traits["A"], case.traits["B"]
            case = replace(case, better=opposite(case.better), traits={"A": b, "B": a})
        return replace(pair, label=case.better, gold_judgment=gold_judgment(rng, case))
    showier: Verdict = "A" if showiness(pair.response_a) > showiness(pair.response_b) else "B"
    said = rng.choice(STYLE).format(showier=showier, plainer=opposite(showier))
    return replace(pair, label=showier, gold_judgment=_with_verdict(said, showier))


def slots(case: Case) -> dict[str, str]:
    """Values of the wordings' placeholders."""
    task, better = case.task, case.better
    worse = opposite(better)
    second = task.asked[1].name if len(task.asked) == 2 else ""
    by_side: dict[str, str] = {}
    for side, traits in case.traits.items():
        letter = side.lower()
        by_side |= {
            f"value_{letter}": traits.value or "nothing",
            f"with_{letter}": "with" if traits.follows else "without",
            f"what_{letter}": "both" if traits.second else f"only the {task.asked[0].name}",
        }
    return {
        **by_side,
        "better": better,
        "worse": worse,
        "value_better": case.traits[better].value or "nothing",
        "value_worse": case.traits[worse].value or "nothing",
        "right": task.right,
        "first": task.asked[0].name,
        "second": second,
        "closing": task.closing or "",
    }


def _with_verdict(rationale: str, verdict: Verdict) -> str:
    return f"{rationale}\n\\boxed{{{verdict}}}"
