"""The rule-based meta-judge: holds the claims of a rationale against the pair.

A judgment is aligned if it states what decides (the values, who follows the instruction, what is left out) and no claim
of it is false. Style may be remarked upon, but nothing may rest on it. As a plug-in of every command:
`--meta-judge python:ralign.lab.english:meta_judge`. How often it reads right is measured in `agreement`.
"""

from typing import Final

from ralign.lab.english.reading import Claim, Reading, read_rationale
from ralign.lab.english.world import Case, read_case, values_in
from ralign.records import Judgment, MetaJudgment, PreferencePair, opposite

VERSION: Final = "1"
"""Part of a run's fingerprint; raise it with every change of what is read."""


def meta_judge(pair: PreferencePair, judgment: Judgment) -> MetaJudgment:
    """Whether the judgment states what decides the pair, and nothing false; a failure for other worlds' pairs."""
    case = read_case(pair)
    if case is None:
        return MetaJudgment(pair_id=pair.id, failure="parse", detail="the pair is not of the English world")
    reading = read_rationale(judgment.rationale, case, swapped=judgment.order == "ba")
    return MetaJudgment(
        pair_id=pair.id, model="rules", aligned=is_aligned(reading, case), text=describe(reading, case)
    )


def is_true(claim: Claim, case: Case) -> bool:
    """Whether a claim is true of the pair; what cannot be, as nothing of the kind is asked for, is not."""
    task = case.task
    if claim.kind == "notes":
        return (task.truth.get(claim.fact or "") == claim.value) == claim.holds
    assert claim.side is not None, "all others are about an answer"
    if claim.kind == "follows":
        return task.closing is not None and case.traits[claim.side].follows == claim.holds
    facts = [fact for fact in task.domain.facts if fact.name == claim.fact] or task.asked
    given = [set(values_in(fact, case.answers[claim.side])) for fact in facts]
    if claim.kind == "says":
        return (claim.value in given[0]) == claim.holds
    if claim.kind == "gives":
        return all(given) == claim.holds
    true = [{task.truth.get(fact.name)} for fact in facts]
    return (given == true) == claim.holds


def is_aligned(reading: Reading, case: Case) -> bool:
    """Whether what decides is stated and nothing false is."""
    if reading.rests_on_style or not all(is_true(claim, case) for claim in reading.claims):
        return False
    worse = opposite(case.better)
    first = case.task.asked[0].name
    claims = reading.claims
    if case.reason == "instruction":
        return any(claim.kind == "follows" for claim in claims)
    if case.reason == "completeness":
        left_out = any(claim.kind == "gives" and claim.side == worse and not claim.holds for claim in claims)
        # Who has the first fact says nothing about the second.
        return left_out or any(
            claim.kind == "gives" and claim.side == case.better and claim.holds and claim.fact != first
            for claim in claims
        )
    # "A is right" may be a guess: the value has to be named, and whose it is, or who has it right.
    valued = {claim.side for claim in claims if claim.kind in ("says", "notes") and claim.fact == first}
    rated = any(claim.kind == "right" and claim.fact == first for claim in claims)
    return len(valued) > 1 or (len(valued) == 1 and rated)


def describe(reading: Reading, case: Case) -> str:
    """The claims with what is true of them, for the log."""
    said = [
        f"{'' if is_true(claim, case) else 'FALSE '}{claim.kind} {claim.side or ''} "
        f"{claim.fact or ''} {claim.value or ''}{'' if claim.holds else ' (denied)'}"
        for claim in reading.claims
    ]
    return "; ".join(" ".join(each.split()) for each in said) or "no claim"
