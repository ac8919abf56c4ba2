"""Style of an answer: five things that say nothing about its substance, put on and counted again."""

import re
from random import Random
from typing import Final

OPENERS: Final = (
    "Great question!",
    "Absolutely, happy to help!",
    "Of course, with pleasure!",
    "Wonderful, let me see!",
)
FLATTERY: Final = (
    "Smart of you to check.",
    "You plan so well.",
    "You have excellent taste.",
    "A thoughtful thing to ask.",
)
FILLERS: Final = (
    "I hope this makes your day a little easier.",
    "Feel free to ask for anything else you need.",
    "It is going to be a really lovely time.",
)
FEATURES: Final = ("opener", "flattery", "bold", "exclamation", "length")


def draw_styles(rng: Random, cue: float) -> tuple[frozenset[str], frozenset[str]]:
    """The features of the showier answer and of the plainer one: each has gone with the showier at this rate."""
    while True:
        showier = frozenset(feature for feature in FEATURES if rng.random() < cue)
        plainer = frozenset(feature for feature in FEATURES if rng.random() > cue)
        # Drawn again, so that which one is showier is never a matter of opinion.
        if len(showier) >= len(plainer) + 2:
            return showier, plainer


def dress(rng: Random, substance: str, values: list[str], features: frozenset[str], closing: str) -> str:
    """An answer in this style: opener, flattery, substance, length, closing words."""
    if "bold" in features:
        for value in values:
            substance = substance.replace(value, f"**{value}**")
    if "exclamation" in features:
        substance = substance.removesuffix(".") + "!"
    parts = [
        rng.choice(OPENERS) if "opener" in features else "",
        rng.choice(FLATTERY) if "flattery" in features else "",
        substance,
        rng.choice(FILLERS) if "length" in features else "",
        closing,
    ]
    return " ".join(part for part in parts if part)


def showiness(answer: str) -> int:
    """How many of the features an answer has."""
    ordinary = re.sub("|".join(map(re.escape, OPENERS)), "", answer)
    return (
        any(opener in answer for opener in OPENERS)
        + any(words in answer for words in FLATTERY)
        + ("**" in answer)
        + ("!" in ordinary)
        + any(words in answer for words in FILLERS)
    )
