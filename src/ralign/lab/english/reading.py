"""A rationale in varied English read by rule: text in, claims out.

    text     A says 9 am, B eight; the notes say nine, so B is wrong.
    marked   ‹A› says ‹0:9 am›, ‹B› ‹0:8 am›; the ‹notes› say ‹0:9 am›, so ‹B› is wrong.
    claims   says A 9 am; says B 8 am; notes 9 am; right B (denied)

Clause by clause: whom it is about (named, or carried on), which value is whose, and which words say right or wrong,
follows or ignores, gives or leaves out; an odd number of negations denies. What is not understood is no claim.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from ralign.lab.english import lexicon
from ralign.lab.english.domains import Fact
from ralign.lab.english.world import CLOSINGS, Case
from ralign.records import Verdict, opposite

Kind = Literal["says", "notes", "right", "follows", "gives"]


class Claim(NamedTuple):
    """One claim of a rationale."""

    kind: Kind
    """Says a value; the notes say one; has a fact right; follows the instruction; gives a fact."""
    holds: bool = True
    """False where it is denied."""
    side: Verdict | None = None
    """Of which answer, in the letters of the pairs file; None of the notes."""
    fact: str | None = None
    """Name of a fact; None: of all that are asked for."""
    value: str | None = None


class Reading(NamedTuple):
    """A rationale as far as it was understood."""

    claims: tuple[Claim, ...]
    rests_on_style: bool


_SIDE: Final = re.compile(r"‹([AB]|both)›")


def read_rationale(rationale: str, case: Case, *, swapped: bool = False) -> Reading:
    """The claims of a rationale; `swapped` where its A is the pair's B."""
    claims: list[Claim] = []
    rests_on_style = False
    subject: Verdict | None = None
    # What "it" and "does not" go on about.
    topic: Claim | None = None
    for clause in filter(
        None, map(str.strip, re.split(lexicon.CLAUSE_END, _marked(rationale, case, swapped=swapped)))
    ):
        found = list(_claims(clause, case, subject, topic))
        # A reason that only style gives: "What decides is the tone of A".
        if re.search(lexicon.STYLE, clause) and re.search(lexicon.DECIDES, clause) and not found:
            rests_on_style = True
        claims += found
        if found:
            topic = found[-1]
        elif re.search(lexicon.INSTRUCTION, clause) and not _SIDE.search(clause):
            topic = Claim("follows")
        elif (
            len(case.task.asked) == 2
            and not _SIDE.search(clause)
            and (named := re.findall(r"‹f([01])›", clause))
        ):
            topic = Claim("gives", fact=case.task.asked[int(named[-1])].name)
        sides: list[Verdict] = [side for side in _SIDE.findall(clause) if side != "both"]
        subject = sides[0] if sides else subject
    return Reading(tuple(claims), rests_on_style)


def _marked(rationale: str, case: Case, *, swapped: bool) -> str:
    """The rationale in lower case, its answers, notes, facts, values and closing words marked."""
    text = " ".join(
        rationale.replace("*", "").replace("’", "'").replace("“", '"').replace("”", '"').split(" ")
    )
    for words in CLOSINGS:
        mark = "‹closing›" if words == case.task.closing else "‹other words›"
        text = re.sub(
            rf'"?{re.escape(words.rstrip("."))}[.!,]?"?(?![a-z])', f" {mark} ", text, flags=re.IGNORECASE
        )
    letters = r"(?:[Tt]he )?\b(?:[Aa]nswer|[Rr]esponse|[Rr]eply|[Aa]ssistant|[Oo]ption|[Cc]andidate)s? \(?([ABab])\b\)?"
    text = re.sub(letters, lambda match: f"‹{match[1].upper()}›", text)
    text = re.sub(
        r"\b[Tt]he (?:first (?:answer|response|reply|one)|former(?! (?:value|time|one)))\b", "‹A›", text
    )
    text = re.sub(
        r"\b[Tt]he (?:second (?:answer|response|reply|one)|latter(?! (?:value|time|one)))\b", "‹B›", text
    )
    text = re.sub(r"\(([AB])\)", r"‹\1›", text)
    text = re.sub(rf"(?<!‹)\b(?:A(?!{lexicon.AFTER_ARTICLE})|B)\b", lambda match: f"‹{match[0]}›", text)
    text = re.sub(r"‹([AB])›'s", r"‹\1›", text)
    if swapped:
        text = re.sub(r"‹([AB])›", lambda match: f"‹{'B' if match[1] == 'A' else 'A'}›", text)
    text = text.lower()
    text = re.sub(r"‹([ab])›", lambda match: f"‹{match[1].upper()}›", text)
    for number, word in enumerate(lexicon.NUMBERS, start=3):
        text = re.sub(rf"\b{word}\b", str(number), text)
    text = re.sub(r"€\s?(\d+)", r"\1 euros", text)
    text = re.sub(r"\b(?:the |these |those )?notes?\b|\bthe (?:source|facts)\b", "the ‹notes›", text)
    for number, fact in enumerate(_by_relevance(case)):
        for value in sorted(fact.values, key=len, reverse=True):
            text = re.sub(_pattern(value, bare=number == 0), f" ‹{number}:{value.lower()}› ", text)
    for number, fact in enumerate(_by_relevance(case)):
        names = "|".join(map(re.escape, sorted((fact.name, *fact.aliases), key=len, reverse=True)))
        text = re.sub(rf"(?<![‹:\w])(?:{names})\b(?!›)", f"‹f{number}›", text)
    said = "say|give|have|end|close|state|are|follow|get|name|include|mention"
    two = r"\b(?:both|the 2|the two)(?: of them| answers| responses| replies)?"
    text = re.sub(rf"{two} (?=(?:{said})\b)", "‹both› ", text)
    text = re.sub(r"\bneither(?: of them| answer| one)?\b", "‹both› not", text)
    # "The other" is the one that was not named last.
    parts = re.split(r"\bthe other(?: one| answer| response)?\b(?! (?:thing|part|question|fact))", text)
    for at in range(1, len(parts)):
        last = _SIDE.findall("".join(parts[:at]))
        parts[at] = f"‹{'B' if last[-1:] == ['A'] else 'A'}›{parts[at]}" if last else parts[at]
    text = re.sub(r"‹notes›,? which", "‹notes›, the ‹notes›", "".join(parts))
    return re.sub(r",?\s*unlike (?:‹[AB]›),?", " ", text.replace("‹notes›:", "‹notes› say"))


def _by_relevance(case: Case) -> list[Fact]:
    """The domain's facts, those asked for first."""
    asked = list(case.task.asked)
    return asked + [fact for fact in case.task.domain.facts if fact not in asked]


def _pattern(value: str, *, bare: bool) -> str:
    """A regular expression for a value in other spellings; `bare`: its number alone will do."""
    number, _, unit = value.lower().partition(" ")
    if number[0].isdigit() and unit:
        units = f"[ -]?(?:{lexicon.UNITS.get(unit, re.escape(unit))})(?![a-z])"
        return rf"(?<![\w:.‹]){number}(?:{units}{'|(?![0-9:.]?[0-9])(?! (?:things|parts|pieces))' if bare else ''})"
    if unit in ("markers", "paper"):
        return rf"(?<![\w‹:]){number}(?: (?:{lexicon.UNITS[unit]})\b{'' if not bare else '|(?!›)'})(?!\w)"
    if bare and unit.isdigit():
        return rf"(?<![\w:.‹])(?:{number} )?{unit}(?![\w:])(?! (?:things|parts))"
    return rf"(?<![\w:.‹]){re.escape(value.lower())}(?![\w:›])"


def _claims(clause: str, case: Case, subject: Verdict | None, topic: Claim | None) -> Iterator[Claim]:
    """The claims of one clause; `subject` and `topic`: whom, and what, the clause before was about."""
    facts = _by_relevance(case)
    values = list(re.finditer(r"‹(\d):([^›]+)›", clause))
    yield from _value_claims(clause, values, case, subject)
    # "In A, but not in B": the same, denied.
    besides = [mark for mark in re.findall(lexicon.NOT_IN, clause) if mark != "both"]
    if besides:
        rest = re.sub(lexicon.NOT_IN, " ", clause)
        yield from (
            each._replace(side=opposite(each.side) if each.side else None, holds=not each.holds)
            for each in _claims(rest, case, subject, topic)
            if each.kind in ("follows", "gives", "right") and each.side == opposite(besides[0])
        )
        clause = rest
    sides = _sides(clause) or ([] if re.search(lexicon.ASKED, clause) or subject is None else [subject])
    holds = (len(re.findall(lexicon.NEGATION, clause)) + len(re.findall(lexicon.OMISSION, clause))) % 2 == 0
    names = [facts[int(number)].name for number in re.findall(r"‹f(\d)›", clause)]
    rated = re.search(f"{lexicon.WRONG}|{lexicon.RIGHT}", clause)
    if rated is not None and not re.match(r"[^‹]*‹\d:[^›]+› (?:is|was) ", clause):
        denied = re.search(rf"(?:{lexicon.NEGATION})[^‹]{{0,25}}$", clause[: rated.start()]) is not None
        right = (re.fullmatch(lexicon.WRONG, rated[0]) is None) != denied
        if not re.search(lexicon.INSTRUCTION, clause):
            yield from _for_sides("right", right, sides, clause, (names or [facts[0].name])[0])
            return
    if re.search(lexicon.INSTRUCTION, clause) and sides:
        if not re.search(f"{lexicon.FOLLOWS}|{lexicon.OMISSION}|{lexicon.NEGATION}", clause):
            return
        yield from _for_sides("follows", holds, sides, clause)
    elif values or not sides:
        return
    elif re.search(lexicon.PART, clause):
        yield from _for_sides("gives", re.search(lexicon.NEGATION, clause) is not None, sides, clause)
    elif (
        len(case.task.asked) == 2
        and (found := _given(clause, names, facts))
        and re.search(f"{lexicon.GIVES}|{lexicon.OMISSION}", clause)
    ):
        if re.search(r"\b(?:only|just|nothing but|stops at)\b(?! ‹[AB]›)", clause):
            others = [fact.name for fact in case.task.asked if fact.name not in found]
            yield from (Claim("gives", False, side, name) for side in sides for name in others)
        else:
            yield from (claim for name in found for claim in _for_sides("gives", holds, sides, clause, name))
    elif topic is not None and topic.kind in ("follows", "gives", "right") and topic.side not in sides:
        # "A ends with it; B does not": what was said last, of another answer.
        if re.search(lexicon.AUXILIARY, clause):
            # "B forgets it, A does not"; "A does not mention it, B does": the opposite, unless it says "either".
            holds = topic.holds if re.search(r"\b(?:too|also|either|likewise)\b", clause) else not topic.holds
        elif not re.search(f"{lexicon.OMISSION}|{lexicon.PRONOUN}", clause):
            return
        yield from _for_sides(topic.kind, holds, sides, clause, topic.fact)


def _value_claims(
    clause: str, values: list[re.Match[str]], case: Case, subject: Verdict | None
) -> Iterator[Claim]:
    """Whose each value is: the answer or the notes named right after it, or else last before it."""
    pair = re.search(lexicon.RESPECTIVELY, clause)
    for match in values:
        fact = _by_relevance(case)[int(match[1])]
        value = next(value for value in fact.values if value.lower() == match[2])
        before, after = clause[: match.start()], clause[match.end() :]
        if pair is not None and match.start() in (pair.start(2), pair.start(3)):
            first: Verdict = "A" if pair[1] == "A" else "B"
            side = first if match.start() == pair.start(2) else opposite(first)
            yield Claim("says", True, side, fact.name, value)
            continue
        stated = re.match(lexicon.STATED, after)
        if stated is not None and not _SIDE.search(before):
            yield Claim("notes", (stated[1] is None) == (stated[2] != "wrong"), None, fact.name, value)
            if subject is not None and re.search(r"\bits (?:‹f\d›)?[ ,]*$", before):
                yield Claim("says", True, subject, fact.name, value)
            continue
        denied = re.search(rf"(?:{lexicon.NEGATION}|{lexicon.INSTEAD})[^‹]{{0,25}}$", before) is not None
        true = case.task.truth.get(fact.name, "")
        # "8 am, not 9 am" has the right one among the two, whoever says it.
        beside = [each[2] for each in values if each[1] == match[1]]
        if denied and (value == true or true.lower() not in beside):
            yield Claim("notes", True, None, fact.name, value)
        after_it = re.match(lexicon.OWNER_AFTER, after)
        before_it = [mark or "notes" for mark, _ in re.findall(lexicon.OWNER_BEFORE, before)]
        # A value that nobody is said to have is said to be so.
        owner = after_it[1] if after_it else (before_it or [subject or "notes"])[-1]
        if owner == "notes":
            yield Claim("notes", not denied, None, fact.name, value)
        else:
            yield from (Claim("says", not denied, side, fact.name, value) for side in _sides(f"‹{owner}›"))


def _sides(clause: str, default: Verdict | None = None) -> list[Verdict]:
    """The answers that a clause is about, in its order."""
    both: tuple[Verdict, ...] = ("A", "B")
    found: list[Verdict] = []
    for mark in _SIDE.findall(clause):
        found.extend(both if mark == "both" else (mark,))
    return list(dict.fromkeys(found)) or ([default] if default else [])


def _for_sides(
    kind: Kind, holds: bool, sides: list[Verdict], clause: str, fact: str | None = None
) -> Iterator[Claim]:
    """The same claim of each side; of the first one where "only" makes a difference, and its opposite of the other."""
    alone = re.search(r"\bonly ‹([AB])›|‹([AB])› (?:alone|only)\b", clause)
    if alone is not None:
        side: Verdict = "A" if "A" in (alone[1], alone[2]) else "B"
        yield Claim(kind, holds, side, fact)
        yield Claim(kind, not holds, opposite(side), fact)
        return
    # "A is right against B": the second one is only compared with.
    compared = sides[:1] if re.search(r"\b(?:than|against|over|compared)\b", clause) else sides
    yield from (Claim(kind, holds, side, fact) for side in compared)


def _given(clause: str, names: list[str], facts: list[Fact]) -> list[str | None]:
    """Facts that a clause says are given or left out, by name; None for all."""
    asked = [fact.name for fact in facts[:2]]
    found: list[str | None] = [name for name in names if name in asked]
    for ordinal, name in zip(("first", "second|other"), asked, strict=True):
        if re.search(rf"\b(?:{ordinal}) (?:thing|part|question|point|fact|half)\b", clause):
            found.append(name)
    return found or ([None] if re.search(lexicon.ALL, clause) else [])
