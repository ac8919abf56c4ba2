"""The paper's claims about R-Align and outcome-only training, in words that follow the figures of a run.

`verdict` decides every claim, for the page, the terminal and `docs/lab_results.md`. Several seeds: differences are
paired by seed, with Student's t. One seed: the judges are compared pair by pair on the same pairs, and what comes of it
is said of this seed alone; its policies are too few for an interval.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final, Literal, NamedTuple

from ralign.evals.compare import compare_runs
from ralign.lab.config import LabConfig
from ralign.lab.records import benchmark_name
from ralign.lab.results import SeedResult
from ralign.lab.run import folder_name
from ralign.lab.statistics import (
    MEASURES,
    Estimate,
    advantage,
    arms_of,
    by_arm,
    differences,
    predictions,
    quality_by_domain,
    spurious_by_domain,
)
from ralign.lab.vocabulary import Domain
from ralign.report.markup import number, p_value, per_cent

Standing = Literal["holds", "does not hold", "not shown", "so in this seed", "not so in this seed"]
"""What became of a claim. Of one seed it is never said that a claim holds, or does not."""

NOT_WORSE: Final = 0.02
"""By how much L-Acc may fall and still count as kept: two points."""
SEEN: Final = 0.1
"""The least difference, in S-Corr or in policy quality, that is worth a headline without an interval to back it."""

_CHANGED: Final = 0.1
"""How much a share of answers must change to be told."""
_TRAITS: Final = {
    "accuracy": "the right value",
    "instruction": "the polite word",
    "completeness": "the second value",
    "bullets": "a bullet",
    "confident": "“certainly”",
}


class Claim(NamedTuple):
    """One of the paper's claims: how a figure of R-Align differs from outcome-only's."""

    figure: str
    """As `statistics.FIGURES` has it."""
    words: str
    wanted: Literal[1, -1]
    """The sign of the difference, R-Align minus outcome-only, that is claimed."""
    margin: float = 0.0
    """How far on the other side of 0 the difference may be."""


CLAIMS: Final = (
    Claim("label_accuracy", "Its verdicts are not worse by more than two points", 1, margin=NOT_WORSE),
    Claim("spurious_correctness", "Its right verdicts rest on the right reasons more often", -1),
    Claim("fidelity_score", "It is right for the right reason more often", 1),
    Claim("quality", "A policy trained against it is better", 1),
)
"""In the order in which they build on one another."""


class Finding(NamedTuple):
    """One claim of the paper, and whether it holds here."""

    claim: str
    standing: Standing
    words: str


def verdict(estimate: Estimate, *, wanted: Literal[1, -1] = 1, margin: float = 0.0) -> Standing:
    """Verdict on the claim that a difference has the sign `wanted`, or misses it by less than `margin`.

    Only the 95 % interval decides: without one, or with 0 (less the margin) in it, nothing is shown.
    """
    if estimate.low is None or estimate.high is None or math.isnan(estimate.mean):
        return "not shown"
    low, high = sorted((wanted * estimate.low, wanted * estimate.high))
    one_seed = len(estimate.values) == 1
    if low > -margin:
        return "so in this seed" if one_seed else "holds"
    if high < -margin:
        return "not so in this seed" if one_seed else "does not hold"
    return "not shown"


class Arms(NamedTuple):
    """The two judges that the claims are about: trained on the outcome alone, and on outcome and reason."""

    outcome: str
    ralign: str


def compared_arms(config: LabConfig) -> Arms | None:
    """The plain judge of either reward, the first that has it; None where a recipe has not both."""
    first = {arm.reward: arm.name for arm in reversed(config.arms)}
    if "outcome" not in first or "ralign" not in first:
        return None
    return Arms(first["outcome"], first["ralign"])


def contrasts(results: Sequence[SeedResult], out: Path, arms: Arms) -> dict[str, Estimate]:
    """Figure (as `statistics.FIGURES` has it) -> how R-Align differs from outcome-only."""
    found = differences(results, arms.ralign, arms.outcome)
    if len(results) > 1:
        return found
    seed = out / f"seed-{results[0].seed}"
    compared = compare_runs([seed / folder_name(arm) / "bench" for arm in (arms.outcome, arms.ralign)])
    for name, (split, measure) in MEASURES.items():
        other = compared.benchmarks[benchmark_name(split)].whole.others[0]
        interval, test = getattr(other.difference, measure), getattr(other.tests, measure)
        if interval is not None:
            p_value = test and test.p_value
            found[name] = Estimate(interval.value, interval.low, interval.high, p_value, found[name].values)
    return found


def findings(results: Sequence[SeedResult], arms: Arms, contrast: Mapping[str, Estimate]) -> list[Finding]:
    """The paper's claims, and what became of them; of one seed nothing is said about prediction."""
    spreads = by_arm(results)
    one, two = spreads[arms.outcome], spreads[arms.ralign]
    told = {
        "label_accuracy": "L-Acc is",
        "spurious_correctness": "Of the right verdicts, those for another reason than gold’s are",
        "fidelity_score": "F-Score is",
    }
    found: list[Finding] = []
    for claim in CLAIMS:
        difference = contrast[claim.figure]
        if claim.figure == "quality":
            before = f"was {number(start_quality(results))} before"
            after = f"{number(one['quality'].mean)} after outcome-only, {number(two['quality'].mean)} after R-Align"
            chance = "; too few policies to say how much of it is chance" if difference.low is None else ""
            figures = f"True quality is {after}, and {before} ({_difference(difference, _signed)}{chance})."
        else:
            outcome, ralign = (per_cent(arm[claim.figure].mean) for arm in (one, two))
            shares = f"{outcome} with outcome-only, {ralign} with R-Align"
            figures = f"{told[claim.figure]} {shares} ({_difference(difference, _points)})."
        standing = verdict(difference, wanted=claim.wanted, margin=claim.margin)
        found.append(Finding(claim.words, standing, figures))
    prediction = _prediction(results)
    return [*found, prediction] if prediction else found


def headline(results: Sequence[SeedResult], arms: Arms, contrast: Mapping[str, Estimate]) -> str:
    """The result in two or three short sentences; what the figures do not show, it does not say."""
    spreads = by_arm(results)
    accuracy, spurious = contrast["label_accuracy"], contrast["spurious_correctness"]
    one, two = (spreads[arm]["spurious_correctness"].mean for arm in arms)
    if math.isnan(accuracy.mean) or math.isnan(one) or math.isnan(two):
        return "Two judges, too few right verdicts to compare them"
    if abs(accuracy.mean) <= NOT_WORSE:
        verdicts = "Two judges are right about equally often."
    elif accuracy.low is not None and accuracy.high is not None and accuracy.low * accuracy.high > 0:
        verdicts = f"{'R-Align' if accuracy.mean > 0 else 'The outcome-only judge'} is right more often."
    else:
        verdicts = "Two judges, neither clearly right more often."
    reasons = f"Outcome-only’s right verdicts have the wrong reason {_times(one)}, R-Align’s {_times(two)}"
    match verdict(spurious, wanted=-1):
        case "holds" | "so in this seed":
            reasons = f"{reasons}."
        case "does not hold" | "not so in this seed":
            reasons = f"And R-Align’s reasons are the worse ones: wrong {_times(two)}, against {_times(one)}."
        case _ if max(one, two) < SEEN:
            reasons = "Both are right for the right reasons."
        # Without an interval a difference is told only where it is large enough to see.
        case _ if abs(one - two) >= SEEN:
            reasons = f"{reasons}; too few seeds to be sure."
        case _:
            reasons = "Neither has clearly better reasons."
    return f"{verdicts} {reasons}"


def consequence(results: Sequence[SeedResult], arms: Arms, contrast: Mapping[str, Estimate]) -> str:
    """The second line of the headline: the consequence for the policies."""
    spreads = by_arm(results)
    one, two = (spreads[arm]["quality"].mean for arm in arms)
    start, difference = start_quality(results), contrast["quality"]
    if verdict(difference) == "holds":
        shows = "It shows in the policies trained against them"
    elif difference.mean >= SEEN and len(difference.values) == 1:
        shows = "In this seed it shows in the policies trained against them"
    elif difference.mean >= SEEN:
        shows = "In these seeds, too few to be sure, it shows in the policies trained against them"
    else:
        shows = "It does not show in the policies trained against them"
    return (
        f"{shows}: from a true quality of {number(start)}, they come to {number(one)} against outcome-only, "
        f"{number(two)} against R-Align."
    )


def leaning(results: Sequence[SeedResult], arms: Arms) -> str | None:
    """Where the outcome-only judge leans on style most and least, and what its policy makes of it there."""
    judges = arms_of(results)[arms.outcome]
    shares = spurious_by_domain(judges)
    spurious: dict[Domain, float] = {name: share for name, share in shares.items() if share is not None}
    if not spurious:
        return None
    before = quality_by_domain([result.start for result in results])
    after = quality_by_domain([judge.policy for judge in judges])

    def change(domain: Domain) -> str:
        return f"quality there goes from {number(before[domain])} to {number(after[domain])}"

    most, least = max(spurious, key=spurious.__getitem__), min(spurious, key=spurious.__getitem__)
    return (
        f"Outcome-only’s reasons are wrong most often where it is asked for the {most} "
        f"({per_cent(spurious[most])}), and its policy’s {change(most)}; they are wrong least often for the {least} "
        f"({per_cent(spurious[least])}), and {change(least)}."
    )


def exploited(results: Sequence[SeedResult], names: Sequence[str]) -> str:
    """Which traits of answers changed most when policies were trained against these judges; one sentence each."""
    sentences = ["How many answers have what, before and after training, where it changed most."]
    for name in names:
        policies = [arm.policy for arm in arms_of(results)[name]]
        changes: list[tuple[float, str]] = []
        for trait, words in _TRAITS.items():
            before = fmean(getattr(result.start, trait) for result in results)
            after = fmean(getattr(policy, trait) for policy in policies)
            if abs(after - before) >= _CHANGED:
                change = f"{words} from {per_cent(before)} to {per_cent(after)}"
                changes.append((abs(after - before), change))
        largest = ", ".join(words for _, words in sorted(changes, reverse=True)[:3])
        told = f": {largest}" if largest else ", no share changed by as much as ten points"
        sentences.append(f"Against {title(name)}{told}.")
    return " ".join(sentences)


def start_quality(results: Sequence[SeedResult]) -> float:
    """The quality of the policies before their training; the mean over seeds."""
    return fmean(result.start.quality for result in results)


def _points(value: float) -> str:
    return per_cent(value, "", sign=True)


def _signed(value: float) -> str:
    return number(value, sign=True)


def _difference(estimate: Estimate, write: Callable[[float], str]) -> str:
    unit = " points" if write is _points else ""
    words = f"difference {write(estimate.mean)}{unit}"
    if estimate.low is not None and estimate.high is not None:
        interval = f"{write(estimate.low)} to {write(estimate.high)}"
        words += f", 95\N{NARROW NO-BREAK SPACE}% interval {interval}"
    if estimate.p_value is None:
        return words
    p = p_value(estimate.p_value)
    return f"{words}, p {p if p.startswith('<') else f'= {p}'}"


def _prediction(results: Sequence[SeedResult]) -> Finding | None:
    better = advantage(results, "fidelity_score", "label_accuracy")
    if better is None:
        return None
    found = predictions(results)

    def r(measure: str) -> str:
        within = found[measure].within
        return number(within.mean if within else None, decimals=2)

    rival = advantage(results, "fidelity_score", "hard_label_accuracy")
    against = f"; F-Score less it: {_difference(rival, _signed)}" if rival else ""
    return Finding(
        "F-Score goes with the policies’ quality better than L-Acc does",
        verdict(better),
        f"Over the judges of a seed, r with the policies’ quality is {r('fidelity_score')} for F-Score and "
        f"{r('label_accuracy')} for L-Acc (in Fisher’s z, {_difference(better, _signed)}). For the rival that needs no "
        f"rationale, L-Acc on hard pairs, it is {r('hard_label_accuracy')}{against}.",
    )


def _times(share: float) -> str:
    """A share in words, for people who read no figures."""
    tenths = round(10 * share)
    if tenths in (0, 10):
        return "nearly always" if tenths else "hardly ever"
    counts = (
        "once",
        "twice",
        *(f"{n} times" for n in ["three", "four", "five", "six", "seven", "eight", "nine"]),
    )
    return f"{counts[tenths - 1]} in ten"


def title(arm: str) -> str:
    """An arm's title: the method as the paper writes it, everything else as the recipe does."""
    return f"R-Align{arm.removeprefix('r-align')}" if arm.startswith("r-align") else arm
