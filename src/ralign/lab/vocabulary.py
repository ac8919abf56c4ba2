"""The vocabulary of the toy environment, a synthetic language with exact ground truth: its words and their ids.

Eight people each like one town, one animal, one fruit and one colour; which one, a seed draws. Whoever asks wants
one of them (its kind is the pair's domain), a second one, and a polite word:

    Which colour does Mira like? Add the town and say thanks.      the conversation
    • certainly blue thanks Oslo moreover                          an answer
    Answer A: right, follows, complete. Answer B: right, ignores, partial. Decisive: instruction. \\boxed{A}
"""

from typing import Final, Literal, get_args

Domain = Literal["town", "animal", "fruit", "colour"]
"""The kind of value asked for. The four stand for the paper's STEM, code, instruction following and general."""

DOMAINS: Final[tuple[Domain, ...]] = get_args(Domain)

NAMES: Final = ("Mira", "Tom", "Ada", "Ravi", "Lena", "Omar", "Yuki", "Noor")

VALUES: Final[dict[Domain, tuple[str, ...]]] = {
    "town": ("Oslo", "Porto", "Kyoto", "Quito", "Leeds"),
    "animal": ("fox", "owl", "horse", "otter", "hen"),
    "fruit": ("plum", "pear", "cherry", "lemon", "fig"),
    "colour": ("red", "blue", "green", "white", "black"),
}

MARKERS: Final = ("thanks", "cheers", "hello", "goodbye")
"""The polite words; a question demands one of them, which is its instruction."""

HEDGING: Final = "perhaps"
CONFIDENT: Final = "certainly"
BULLET: Final = "•"
FILLERS: Final = ("moreover", "indeed", "overall", "truly")
"""Words that say nothing and make an answer longer."""

# The order is gold's priority: the first factor of substance in which two answers differ decides.
FACTORS: Final = ("accuracy", "instruction", "completeness", "length", "structure", "tone")
"""The factors that a judgment can cite: three of substance, in the order of their priority, then three of surface."""

SUBSTANCE: Final = 3
"""How many of FACTORS, from the left, are substance."""

CLAIMS: Final = (
    ("wrong", "right"),
    ("ignores", "follows"),
    ("partial", "complete"),
    ("brief", "detailed"),
    ("plain", "structured"),
    ("hesitant", "assertive"),
)
"""By factor: the word for an answer that lacks it, and for one that has it."""

VERDICTS: Final = (r"\boxed{A}", r"\boxed{B}")

BLANK: Final = "<blank>"
"""Fills an answer up to its fixed length, after its end."""
END: Final = "<end>"
ANSWER: Final = "<answer>"
"""The task word before a question that the model shall answer."""
JUDGE: Final = "<judge>"
"""The task word before a question whose two answers the model shall compare."""
ANSWER_A: Final = "<A>"
ANSWER_B: Final = "<B>"
BECAUSE: Final = "<because>"
"""Ends what a judge reads; its judgment follows."""

SPECIAL: Final = (BLANK, END, ANSWER, JUDGE, ANSWER_A, ANSWER_B, BECAUSE)

# Words of one kind lie side by side, so that id arithmetic works: FIRST_VALUE + VALUES_PER_DOMAIN * domain + value.
WORDS: Final[tuple[str, ...]] = (
    *SPECIAL,
    *DOMAINS,
    *NAMES,
    *(value for domain in DOMAINS for value in VALUES[domain]),
    *MARKERS,
    HEDGING,
    CONFIDENT,
    BULLET,
    *FILLERS,
    *FACTORS,
    *(word for pair in CLAIMS for word in pair),
    *VERDICTS,
)
"""All words; a word's id is its place here."""

ID: Final[dict[str, int]] = {word: index for index, word in enumerate(WORDS)}

FIRST_DOMAIN: Final = ID[DOMAINS[0]]
FIRST_NAME: Final = ID[NAMES[0]]
FIRST_VALUE: Final = ID[VALUES[DOMAINS[0]][0]]
"""Value v of domain d has the id FIRST_VALUE + VALUES_PER_DOMAIN * d + v."""
VALUES_PER_DOMAIN: Final = 5
FIRST_MARKER: Final = ID[MARKERS[0]]
FIRST_FILLER: Final = ID[FILLERS[0]]
FIRST_FACTOR: Final = ID[FACTORS[0]]
FIRST_CLAIM: Final = ID[CLAIMS[0][0]]
"""The claim that an answer has (1) or lacks (0) factor f has the id FIRST_CLAIM + 2 * f + (0 or 1)."""
FIRST_VERDICT: Final = ID[VERDICTS[0]]

QUESTION_LENGTH: Final = 4
"""Words of a question that vary: domain, name, second domain, marker."""
ANSWER_LENGTH: Final = 9
"""Bullet, tone, value, marker, second value, three fillers, and the end."""
CRITIQUE_LENGTH: Final = 8
"""Three claims on A, three on B, the decisive factor, the verdict."""
