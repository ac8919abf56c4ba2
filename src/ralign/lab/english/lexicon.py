"""The words that a rationale is read by, as regular expressions over marked text (`reading`). Data."""

from typing import Final

UNITS: Final = {
    "am": r"am|a\.m\.|o'?clock", "pm": r"pm|p\.m\.|o'?clock", "euros": r"euros?|eur", "minutes": r"minutes?|mins?\.?",
    "km": r"km|kilomet(?:er|re)s?", "meters": r"meters?|metres?|m", "people": r"people|persons?|places",
    "degrees": r"degrees?", "markers": r"markers?|signs?", "paper": r"paper|wrapping",
}  # fmt: skip
NUMBERS: Final = [
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
]
"""From 3 on: "one" and "two" are mostly no values."""


def _any(words: str) -> str:
    """A regular expression for any of the words; `*` stands for any ending."""
    return rf"\b(?:{words})\b".replace("*", r"\w*")


NEGATION: Final = (
    _any("not|never|no|without|neither|nor|nothing|none|cannot|nowhere|hardly|fail*") + r"|n't\b"
)
OMISSION: Final = _any(
    "omit*|leav*|left|skip*|miss*|lack*|forget*|forgot*|ignor*|drop*|neglect*|absent|silent|unanswered|disregard*"
    "|overlook*|passes over|violat*|disobey*|break*"
)
INSTEAD: Final = _any("instead of|rather than|as opposed to")
WRONG: Final = _any(
    "wrong*|incorrect*|inaccura*|mistak*|false*|errs?|error|contradict*|misstat*|misread*|disagree*|made[- ]up|invent*"
    "|at odds|conflict*|differs? from the ‹notes›|untrue|miscalculat*|(?:is|are) off"
)
RIGHT: Final = _any(
    "right(?:ly)?|correct(?:ly)?|accurate(?:ly)?|match*|agree*|true|consistent|in line|faithful*|tally|tallies"
    "|supported|confirm*|back* up|follows? the ‹notes›"
)
INSTRUCTION: Final = "‹closing›|" + _any(
    "closing|sign[- ]?off|signs? off|ends?|ending|ended|closes|closed?(?= with)|last words?|final words?|farewell"
    "|instruct*|phrase|parting|told to|required words?"
)
FOLLOWS: Final = _any(
    "follow*|obey*|respect*|heed*|comply|complies|fulfil*|ends?|ended|closes|closed?(?= with)|signs?|has|have|had"
    "|includ*|adds?|keeps?|uses?|contains?|gives?|says?|writes?|does|did|do|finish*|stands?|appears?|is|are"
)
GIVES: Final = _any(
    "giv*|says?|stat*|nam*|answer*|cover*|includ*|mention*|provid*|has|have|tells?|contain*|address*|offers?|list*"
    "|suppl*|deals? with|does|did|gets?|responds?|there (?:is|are)|finds?|learns?"
)
ALL: Final = _any(
    "both(?: of them)?|(?:2|two) (?:things|parts|questions|points|facts)|everything|complete(?:ly)?|in full|fully"
)
PART: Final = _any(
    "incomplete|half|unfinished|only part|only one|just one|one of the two|only the first|just the first"
)
ASKED: Final = _any(
    "request|user|question|asked|asks?|wants?|wanted|task|prompt|required|should|was to|were to|instruction is"
)
STYLE: Final = _any(
    "warm*|friendl*|livel*|polish*|format*|bold|engag*|enthusias*|longer|length|detailed?|tone|layout|laid out|clearer"
    "|style|welcoming|charm*|pleasant*|energ*|polite*|flat|dull|cold|presentation|reads? better|exclamation|flatter*"
    "|kinder|kindness|thoughtful|personal|helpful"
)
DECIDES: Final = _any(
    "decid*|decisive|main(?:ly)?|above all|most important*|what (?:counts|matters)|tips|settles|outweigh*|chiefly"
    "|more important*|matters more|wins? (?:on|for|by)|the reason|prefer*|that is why"
)
AUXILIARY: Final = r"\b(?:does|did|do|is|has)(?: not|n't)?(?: so| that| it)?\s*$"
PRONOUN: Final = (
    _any(
        "has|have|includes?|adds?|keeps?|gives?|follows?|obeys?|says?|mentions?|provides?|supplies|states?|tells?"
        "|names?|covers?"
    )
    + r".*\b(?:it|them|this|that)\b"
)
NOT_IN: Final = r"\b(?:but|and)? ?not (?:(?:with|by|in|of|to|from|at the end of) )?‹([AB])›"
AFTER_ARTICLE: Final = (
    r" (?:closing|ticket|greeting|sign|warm|friendl|wrong|right|correct|better|clear|longer|shorter|good|missing|true"
    r"|false|nice|final|few|small|class|reader|user|complete|particular|specific)\w*\b"
    r"(?! (?:says|has|is|and|on|about))"
)
"""What follows an A that is the article and no answer."""
STATED: Final = (
    r"\s*,?\s*(?:is|was) (not\b)? ?(?:what |in |found in |the )*(‹notes›|right|correct|true|wrong|$)"
)
OWNER_AFTER: Final = (
    r"\s*(?:(?:in|by|from|for|of|according to|as|is what) )?(?:the )?‹(A|B|both|notes)›(?! ‹\d)"
)
OWNER_BEFORE: Final = (
    r"‹(A|B|both|notes)›"
    r"|\b(should be|actual\w*|really|in fact|in truth|correct is|(?:true|right|correct|real) ‹f)"
)
RESPECTIVELY: Final = r"‹([AB])› and ‹[AB]›[^‹]*(‹\d:[^›]+›)\s*(?:and|,|or|versus)\s*(‹\d:[^›]+›)"
CLAUSE_END: Final = (
    r"[.;!?\n]+"
    r"|,\s*(?:and\s+)?(?=(?:leaves|gives|omits|lacks|ends|skips|says|closes|misses|ignores|forgets)\b)"
    r"|,\s*as\s+(?=‹[AB]›)|,?\s+and (?=its|it|the ‹f)"
    r"|,?\s*\b(?:but|while|whereas|though|although|yet|because|since|so|however|hence|therefore|which)\b"
    r"|,\s*(?=(?:and )?(?:‹[AB]›|the ‹notes›))"
    r"|(?<!‹[AB]›)\s+and\s+(?=‹[AB]›(?! ‹)|the ‹notes›)|:\s|\s+[-–—]\s+"
)
