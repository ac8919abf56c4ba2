"""Label leaks: whether a rationale gives away that its writer was told the label or shown people's comments. Pure.

Such a rationale teaches a judge to appeal to an authority that it will not have. The patterns are narrow: each asks
for the words of an appeal, not for a word such as "label" alone, which answers about charts and food use too. A
rationale that is found out wrongly costs one more draw; how often either error happens on sentences of our own is
measured in tests/data/gold/test_label_leak.py.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

_VERDICT_WORD = r"(?:labels?|verdicts?|preferences?|judge?ments?)"
_SOURCE = (
    r"(?:given|provided|supplied|stated|known|assigned|annotated|recorded|human|gold(?:en|[ -]standard)?"
    r"|ground[ -]truth|preference|preferred)"
)
_PEOPLE = (
    r"(?:annotators?|raters?|evaluators?|reviewers?|labell?ers?|commenters?|humans?|people|persons?(?: \d+)?)"
)
_HUMAN = r"(?:(?:human|the|one|two|three|both|all|most|some|an?) (?:of the )?)*"
_SAID = (
    r"(?:say|said|says|note[sd]?|mention(?:s|ed)?|point(?:s|ed)? out|find|found|agreed?|observed?|highlight(?:s|ed)?"
    r"|complain(?:s|ed)?|criticise[sd]?|criticize[sd]?|praise[sd]?|remark(?:s|ed)?|flag(?:s|ged)?|confirm(?:s|ed)?)"
)
_CHOSE = r"(?:prefer(?:s|red)?|chose|choose|favou?r(?:s|ed)?|picked|voted for|selected)"
_ANSWER = r"(?:(?:answer|response|reply|assistant) )?[AB]\b"
_APPEAL = (
    r"(?:according to|as (?:indicated|shown|stated|noted|specified|reflected|confirmed|given) (?:by|in)|based on|given"
    r"|in (?:line|agreement|accordance) with|consistent with|(?:match|agree|align)(?:es|s|ed|ing)? with|matches"
    r"|supports?)"
)


class _Appeal(NamedTuple):
    """One way to give it away."""

    cues: tuple[str, ...]
    """In small letters; where the text has none of them, the pattern need not be tried, which is most of the time."""
    pattern: re.Pattern[str]


def _appeal(cues: str, pattern: str) -> _Appeal:
    return _Appeal(tuple(cues.split()), re.compile(pattern))


_ANYBODY = "annotator rater evaluator reviewer labeler labeller commenter human people person"
# Without reviewers, people and persons: of these an answer may well speak.
_ASKED = "annotator rater evaluator labeler labeller"

# Without regard to case but for the letters A and B, which are answers only as capitals.
_APPEALS = (
    # Being told.
    _appeal(
        "told informed given shown",
        rf"(?i:\b(?:I|we) (?:was|were|am|are|have been|had been) (?:told|informed|given|shown)"
        rf" (?:that |beforehand |in advance )*(?:(?:the |which |a )*(?:{_SOURCE} )*"
        rf"(?:{_VERDICT_WORD}|winner|(?:better|preferred) (?:answer|response)|answer is|response is|comments?)\b"
        rf"|(?-i:{_ANSWER})))",
    ),
    _appeal("told informed", r"(?i:\bas I (?:was|am|have been) (?:told|informed)\b)"),
    _appeal("told", r"(?i:\bI was told (?:that|which|the)\b)"),
    _appeal("told", r"(?i:\b(?:having been|being|been) told which (?:answer|response|one)\b)"),
    _appeal(
        "asked told given instructed",
        r"(?i:\b(?:verdict|label|preference|answer|conclusion) (?:that )?I (?:was|am) (?:asked|told|given|instructed))",
    ),
    _appeal(
        "prompt instruction task",
        rf"(?i:\b(?:the|this|my) (?:prompt|instructions?|task) (?:say|state|indicate|tell|specifie)s?"
        rf" (?:me )?(?:that )?(?-i:{_ANSWER}) (?:is|was|wins))",
    ),
    # Appealing to a label.
    _appeal("label verdict", rf"(?i:\b{_SOURCE} (?:label|verdict)s?\b)"),
    _appeal(
        "preference",
        rf"(?i:\b(?:given|provided|supplied|stated|known|assigned|annotated|recorded) preference"
        rf" (?:is|was|for) (?-i:{_ANSWER}))",
    ),
    _appeal("label", rf"(?i:\b(?:correct|right|true|final) label (?:here )?(?:is|was) (?-i:{_ANSWER}))"),
    _appeal(
        "label verdict preference judg",
        rf"(?i:\bthe {_VERDICT_WORD} (?:is|was|says?|states?|shows?|indicates?|favou?rs?|marks?|points to)"
        rf" (?:that )?(?-i:{_ANSWER}))",
    ),
    _appeal(
        "label verdict preference judg",
        rf"(?i:\b{_APPEAL} the (?:{_SOURCE} )*(?:label|{_SOURCE} {_VERDICT_WORD})\b(?! (?:on|of|in|encod)))",
    ),
    _appeal(
        "label preference",
        r"(?i:\bthe (?:label|preference data) (?:supports|confirms|agrees|shows|backs)\b)",
    ),
    _appeal("label", r"(?i:\b(?:know|learn|infer|see)s? from the label\b)"),
    _appeal(
        "marked label annotated designated flagged given listed",
        rf"(?i:(?-i:{_ANSWER}) (?:is|was|has been) (?:marked|labell?ed|annotated|designated|flagged|given|listed)"
        r" as (?:the )?(?:preferred|better|chosen|winner|winning))",
    ),
    # Appealing to people.
    _appeal(_ANYBODY, rf"(?i:\b{_HUMAN}{_PEOPLE} {_CHOSE} (?-i:{_ANSWER}))"),
    _appeal("human", rf"(?i:\bhuman (?:{_PEOPLE}|feedback|comments?|comparisons?) {_SAID}\b)"),
    _appeal(
        f"{_ASKED} commenter",
        rf"(?i:\b(?:the|one|an|both|two|three|all) (?:human )?(?:annotator|rater|evaluator|labell?er|commenter)s?"
        rf" {_SAID}\b)",
    ),
    _appeal(
        f"{_ASKED} people human",
        r"(?i:\baccording to (?:the )?(?:human )?(?:annotators?|raters?|evaluators?|labell?ers?|feedback from people"
        r"|human feedback|human comments?)\b)",
    ),
    _appeal(
        _ASKED,
        r"(?i:\b(?:annotators?|raters?|evaluators?|labell?ers?)['’]s? (?:remarks?|comments?|feedback|notes?|view)\b)",
    ),
    _appeal(
        f"{_ASKED} people",
        r"(?i:\b(?:comments?|feedback|remarks?|notes?) (?:\w+ )?(?:from|by|of) (?:the )?(?:human )?"
        r"(?:annotators?|raters?|evaluators?|labell?ers?|people who)\b)",
    ),
    _appeal(
        "comment",
        r"(?i:\bcomments? (?:given|shown|provided) to me\b|\bcomments? I (?:was|were|am) (?:given|shown)\b"
        r"|\bcomments? (?:given|provided) by (?:people|humans?)\b)",
    ),
)
_SPACES = re.compile(r"\s+")
_MARKUP = re.compile(r"[*_`\"“”]")


def find_label_leak(rationale: str, quotable: Iterable[str] = ()) -> str | None:
    """Give the first words that appeal to a label or to people's comments; None where there are none.

    Args:
        rationale: what the writer wrote.
        quotable: the conversation and the answers. Words that stand in one of them are taken for a quotation.
    """
    text = _plain(rationale)
    sources: list[str] | None = None
    folded = text.lower()
    for cues, pattern in _APPEALS:
        if not any(cue in folded for cue in cues):
            continue
        for match in pattern.finditer(text):
            # Only now: most rationales match nothing, and the conversation may be long.
            if sources is None:
                sources = [_plain(source).casefold() for source in quotable]
            if not any(match.group().casefold() in source for source in sources):
                return match.group()
    return None


def _plain(text: str) -> str:
    """The text without emphasis and quotation marks, its white space single."""
    return _SPACES.sub(" ", _MARKUP.sub("", text))
