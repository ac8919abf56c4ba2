"""Planted rationales for `agreement`: the same reasons in other words, and what must not pass. Data.

Placeholders are those of `gold.slots`, and {other}, a value that neither the notes nor an answer has. `TUNED` were at
hand while the reading rules were written; `HELD_OUT` were written before they were first tried, and one rule has been
changed for them since (when a capital A is the article).
"""

from typing import Final

from ralign.lab.english.world import Reason

Wordings = dict[Reason, tuple[str, ...]]

TUNED: Final[Wordings] = {
    "accuracy": (
        "The notes give {right}. {better} has {value_better}, {worse} has {value_worse}.",
        "{worse} gets the {first} wrong: it says {value_worse}, not {right}.",
        "According to the notes the {first} is {right}. Only {better} says so; {worse} claims {value_worse}.",
        "{value_worse} in {worse} contradicts the notes, which say {right}; {better} is correct.",
        "Answer {better} matches the notes with {value_better}, while answer {worse} does not.",
        "{right} is what the notes say, so {worse} is mistaken with {value_worse}.",
        "A states {value_a} and B states {value_b}. The notes have {right}.",
        "A and B say {value_a} and {value_b} respectively; the notes say {right}.",
        "The {first} should be {right}. {worse} says {value_worse} instead of {right}.",
        "Unlike {worse}, {better} has the right {first}, {value_better}.",
        "{better} correctly says {value_better}; the other one says {value_worse}, which is false.",
        "Because the notes say {right}, answer {better} is the accurate one and {worse}'s {value_worse} is an error.",
        "Checking the {first} against the notes: {right}. That agrees with {better} "
        "({value_better}) and not with {worse} ({value_worse}).",
        "I compared the {first}. In {worse} it is {value_worse}, in {better} it is {value_better}; "
        "the latter value is in the notes: {right}.",
        "{worse} reports {value_worse}, yet the notes put the {first} at {right}, which {better} repeats.",
        "What the notes state, {right}, appears in {better}. {worse} offers {value_worse}.",
        "Response {better} is factually correct ({value_better}); response {worse} is not, since "
        "it gives {value_worse}.",
        "A: {value_a}. B: {value_b}. Notes: {right}.",
        "The true {first} is {right}, as {better} has it; {worse} is off with {value_worse}.",
        "{better} wins because its {first}, {value_better}, is in the notes and {value_worse} is not.",
    ),
    "instruction": (
        '{worse} ignores the instruction to close with "{closing}"; {better} follows it.',
        "Only {better} ends with the words asked for.",
        '{better} signs off with "{closing}" as requested, whereas {worse} does not.',
        "The closing words are missing from {worse}.",
        '{worse} fails to end with "{closing}".',
        '{better} does what was asked at the end: "{closing}" The other leaves it out.',
        "Answer {worse} forgets the closing words, answer {better} does not.",
        'The user wanted "{closing}" last. {worse} never says it.',
        "{better} follows the instruction about the last words; {worse} skips it.",
        "Unlike {worse}, {better} has the required closing.",
        'The answer was supposed to finish with "{closing}", and only {better} finishes that way.',
        '{worse} stops without "{closing}", so it does not do as told; {better} does.',
        "As for the final phrase, {better} includes it and {worse} lacks it.",
        '"{closing}" stands at the end of {better} but not of {worse}.',
        "{better} respects the wish for a particular ending. {worse} disregards it.",
        'Where {better} closes with "{closing}", {worse} just stops.',
        "Neither is wrong on the facts, but {worse} omits the requested sign-off.",
        "{worse} did not end the way the user asked; {better} did.",
    ),
    "completeness": (
        "{worse} answers only the first question; {better} answers both.",
        "{better} covers both things, {worse} just the {first}.",
        "The {second} is missing from {worse}.",
        "{worse} is incomplete: it does not mention the {second}, but {better} does.",
        "{better} also gives the {second}, which {worse} omits.",
        "Answer {worse} forgets the {second}. Answer {better} has everything.",
        "{worse} never states the {second}.",
        "Only {better} tells the {second}.",
        "{worse} ignores the second question; {better} deals with both.",
        "Both give the {first}, but {worse} skips the {second}.",
        "Two facts were wanted. {worse} supplies one of them, {better} supplies both.",
        "There is no {second} in {worse}, although it was asked for.",
        "{better} addresses the {first} as well as the {second}; {worse} addresses the {first} alone.",
        "The user also asked for the {second}: {better} provides it, {worse} is silent on it.",
        "From {worse} one does not learn the {second}.",
        "{worse} leaves half of the request unanswered, {better} none of it.",
        "{better} is the complete one, as {worse} says nothing of the {second}.",
        "You get the {second} in {better} but not in {worse}.",
    ),
}
HELD_OUT: Final[Wordings] = {
    "accuracy": (
        "Looking at the notes, the {first} comes out as {right}. {better} reports exactly that; "
        "{worse} reports {value_worse}.",
        "{value_worse} is not what the notes say. They say {right}, and so does {better}.",
        "In the notes I find {right}. {worse} writes {value_worse}, so {better} with "
        "{value_better} is to be trusted.",
        "{worse} would send the reader astray with {value_worse}: the notes say {right}, as in {better}.",
        "For the {first}, {better} answers {value_better} and the notes support it. {worse} answers {value_worse}.",
        "The two differ in the {first}: {value_a} in A, {value_b} in B. The notes read {right}.",
        "{better} got the {first} right ({right}), {worse} got it wrong ({value_worse}).",
        "The {first} is {right}, not {value_worse}. Therefore {better} is the accurate answer.",
    ),
    "instruction": (
        "The user asked for specific closing words, and {worse} leaves them off, while {better} puts them in.",
        '{better} remembers to add "{closing}" at the end. {worse} does not add it.',
        '{worse} lacks "{closing}", which the request demanded.',
        "Both have the facts, but only {better} ends as instructed.",
        '{better} finishes with "{closing}", as it should; {worse} has no such ending.',
        "The last words are as requested in {better}, and missing in {worse}.",
        "{worse} disobeys the instruction on how to end.",
        'What {worse} is missing is the final "{closing}"; {better} has it.',
    ),
    "completeness": (
        "{worse} tells the reader the {first} and then stops, so the {second} is missing. {better} gives it.",
        "The question has two parts, and {worse} answers one. {better} answers both parts.",
        "{better} includes the {second}. {worse} does not include it.",
        "Nothing in {worse} says what the {second} is; {better} says it.",
        "{worse} overlooks that the {second} was asked for too.",
        "{better} replies to both questions, {worse} only to the first.",
        "The {second} was requested, but {worse} fails to give it.",
        "{worse} gives the {first} but no {second}, {better} gives both.",
    ),
}

REMARKS: Final = (
    "Both answers are on topic.",
    "{showier} is warmer in tone.",
    "The wording of {plainer} is plain.",
    "Apart from that they are close.",
)
"""True, beside the point, and no reason to change what was decided."""

NOT_DECISIVE: Final = (
    "{better} is warmer and better laid out.",
    "{better} is longer and more detailed than {worse}.",
    "{better} is the better answer.",
    "{better} opens in a friendlier way, and its formatting helps.",
    "Both answers read the notes, and {better} is more engaging.",
    "I prefer {better}.",
    "{better} is right.",
    "The tone of {worse} is flat.",
    "The facts and the instruction and the form all speak for {better}.",
)
"""True or a matter of taste, and not what decides."""

HEDGED: Final = (
    "{worse} is wrong about the {first}, leaves out the closing words, and gives only half of what was asked.",
    "{true} But what decides is the warmer tone of {better}.",
    "{true} Still, {better} wins on style.",
    "{true} {worse} also ends without the closing words, and its {first} is wrong too.",
    "{true} {better} says {other}.",
    "{true} The notes say {other}.",
)
"""Every fault at once, or a decisive reason ({true}) that is then set aside or contradicted."""
