"""What people said about a pair, as text for the writer of its gold rationale. Pure.

Two columns are read, both kept in `PreferencePair.unknown`:

- HelpSteer3's `individual_preference`: up to three people, each with a `score` from -3 (response 1 is much better)
  to 3 (response 2 is), a `reasoning`, and `feedback1` and `feedback2` on the two responses. Which response is A in
  the pairs file follows from `overall_preference` and the label; without an `overall_preference` it is not known,
  and the comments are not used. The texts say "Response 1" or "@Response 2"; that is put into letters.
- `human_comments`, for data of your own: a text or a list of texts, in the letters of the pairs file.
"""

import re
from collections.abc import Mapping, Sequence
from typing import cast

from ralign.records import PreferencePair, Verdict, opposite

_RESPONSE = re.compile(r"@?\bresponse\s*#?([12])\b", re.IGNORECASE)
_STRENGTH = {1: "slightly better", 2: "better", 3: "much better"}


def human_comments(pair: PreferencePair) -> str:
    """Everything that people said, in the letters of the pairs file; empty where they said nothing."""
    return "\n\n".join([*_own(pair.unknown.get("human_comments")), *_helpsteer3(pair)])


def _own(comments: object) -> list[str]:
    if isinstance(comments, str):
        return [comments.strip()] if comments.strip() else []
    return [comment.strip() for comment in _strings(comments) if comment.strip()]


def _helpsteer3(pair: PreferencePair) -> list[str]:
    people = pair.unknown.get("individual_preference")
    overall = pair.unknown.get("overall_preference")
    if not isinstance(people, list) or not isinstance(overall, int) or overall == 0:
        return []
    first = pair.label if overall < 0 else opposite(pair.label)
    views = (
        _view(cast("Mapping[str, object]", person), first)
        for person in cast("list[object]", people)
        if isinstance(person, Mapping)
    )
    return [f"Person {number}\n{view}" for number, view in enumerate(filter(None, views), start=1)]


def _view(person: Mapping[str, object], first: Verdict) -> str:
    """What one person said; empty where that is no word."""
    second = opposite(first)
    said = {
        "Reason": person.get("reasoning"),
        f"On answer {first}": person.get("feedback1"),
        f"On answer {second}": person.get("feedback2"),
    }
    lines = [f"{about}: {_in_letters(text, first)}" for about, text in said.items() if _is_text(text)]
    score = person.get("score")
    if lines and isinstance(score, int) and abs(score) in _STRENGTH:
        lines.insert(0, f"Found answer {first if score < 0 else second} {_STRENGTH[abs(score)]}.")
    return "\n".join(lines)


def _in_letters(text: object, first: Verdict) -> str:
    return _RESPONSE.sub(
        lambda match: f"answer {first if match[1] == '1' else opposite(first)}", str(text)
    ).strip()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _strings(value: object) -> Sequence[str]:
    if not isinstance(value, list | tuple):
        return ()
    return [item for item in cast("Sequence[object]", value) if isinstance(item, str)]
