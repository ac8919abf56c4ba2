"""Human comments on a pair, as text for the writer of its gold rationale. Pure.

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
    own = pair.unknown.get("human_comments")
    texts = cast("Sequence[object]", own) if isinstance(own, list | tuple) else [own]
    said = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
    people = pair.unknown.get("individual_preference")
    overall = pair.unknown.get("overall_preference")
    if isinstance(people, list) and isinstance(overall, int) and overall != 0 and pair.label is not None:
        # `ralign convert` placed the responses by a seed. Below 0 people found response 1 better, so that it is the
        # one which the label names.
        first = pair.label if overall < 0 else opposite(pair.label)
        views = (
            _view(cast("Mapping[str, object]", person), first)
            for person in cast("list[object]", people)
            if isinstance(person, Mapping)
        )
        said += [f"Person {number}\n{view}" for number, view in enumerate(filter(None, views), start=1)]
    return "\n\n".join(said)


def _view(person: Mapping[str, object], first: Verdict) -> str:
    """The remarks of one person, response 1 being answer `first`; empty where there is no word."""
    second = opposite(first)
    said = {
        "Reason": person.get("reasoning"),
        f"On answer {first}": person.get("feedback1"),
        f"On answer {second}": person.get("feedback2"),
    }
    lines: list[str] = []
    for about, text in said.items():
        if isinstance(text, str) and text.strip():
            # "@Response 1" would mean nothing to a writer who is shown an answer A and an answer B.
            named = _RESPONSE.sub(lambda match: f"answer {first if match[1] == '1' else second}", text)
            lines.append(f"{about}: {named.strip()}")
    score = person.get("score")
    # A score without a word is a vote, not a reason: it would tell the writer nothing to look for.
    if lines and isinstance(score, int) and abs(score) in _STRENGTH:
        lines.insert(0, f"Found answer {first if score < 0 else second} {_STRENGTH[abs(score)]}.")
    return "\n".join(lines)
