"""The paper's claims about R-Align and outcome-only training, in words that follow the figures of a run.

Several seeds: differences are paired by seed, with Student's t. One seed: the judges are compared pair by pair on the
same pairs; a policy is a single run, so that its difference has no interval, and the words say so.
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
    Difference,
    Prediction,
    Spread,
    arms_of,
    by_arm,
    differences,
    quality_by_domain,
    spurious_by_domain,
)
from ralign.lab.vocabulary import Domain
from ralign.report.markup import number, per_cent

Standing = Literal["holds", "does not hold", "undecided"]

NOT_WORSE: Final = 0.02
"""By how much L-Acc may fall and still count as kept: two points."""
FEWEST_JUDGES: Final = 6
"""For a correlation: with fewer, its interval says nothing."""
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


class Finding(NamedTuple):
    """One claim of the paper, and whether it holds here."""

    claim: str
    standing: Standing
    words: str


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


def contrasts(results: Sequence[SeedResult], out: Path, arms: Arms) -> dict[str, Difference]:
    """Figure (as `statistics.FIGURES` has it) -> how R-Align differs from outcome-only."""
    found = differences(results, arms.ralign, arms.outcome)
    if len(results) > 1:
        return found
    seed = out / f"seed-{results[0].seed}"
    compared = compare_runs([seed / folder_name(arm) / "bench" for arm in (arms.outcome, arms.ralign)])
    for name, (split, measure) in MEASURES.items():
        interval = getattr(compared.benchmarks[benchmark_name(split)].whole.others[0].difference, measure)
        if interval is not None:
            found[name] = Difference(interval.value, interval.low, interval.high, found[name].values)
    return found


def findings(
    results: Sequence[SeedResult],
    arms: Arms,
    contrast: Mapping[str, Difference],
    predictions: Mapping[str, Prediction],
) -> list[Finding]:
    """The paper's claims in the order in which they build on one another."""
    spreads = by_arm(results)
    one, two = spreads[arms.outcome], spreads[arms.ralign]
    accuracy = contrast["label_accuracy"]
    lost = accuracy.high is not None and accuracy.high < 0
    kept = accuracy.low is not None and accuracy.low > -NOT_WORSE
    policies = contrast["quality"]
    chance = "; one policy each, so nothing says how much of it is chance" if policies.low is None else ""
    found = [
        Finding(
            "Its verdicts are no worse",
            "does not hold" if lost else "holds" if kept else "undecided",
            f"L-Acc is {_shares(one, two, 'label_accuracy')} ({_points(accuracy)}).",
        ),
        Finding(
            "Its right verdicts rest on the right reasons more often",
            _standing(contrast["spurious_correctness"], wanted=-1),
            "Of the right verdicts, those for another reason than gold’s are "
            f"{_shares(one, two, 'spurious_correctness')} ({_points(contrast['spurious_correctness'])}).",
        ),
        Finding(
            "It is right for the right reason more often",
            _standing(contrast["fidelity_score"], wanted=1),
            f"F-Score is {_shares(one, two, 'fidelity_score')} ({_points(contrast['fidelity_score'])}).",
        ),
        Finding(
            "A policy trained against it is better",
            _standing(contrast["quality"], wanted=1),
            f"True quality is {number(one['quality'].mean)} after outcome-only, {number(two['quality'].mean)} after "
            f"R-Align, and was {number(start_quality(results))} before (difference {number(policies.mean, sign=True)}"
            f"{chance}{_interval(policies, lambda value: number(value, sign=True))}).",
        ),
    ]
    prediction = _prediction(predictions, len(results) * len(spreads))
    return [*found, prediction] if prediction else found


def headline(results: Sequence[SeedResult], arms: Arms, contrast: Mapping[str, Difference]) -> str:
    """The result in two or three short sentences; what the figures do not show, it does not say."""
    spreads = by_arm(results)
    accuracy, spurious = contrast["label_accuracy"], contrast["spurious_correctness"]
    one, two = (spreads[arm]["spurious_correctness"].mean for arm in arms)
    if math.isnan(accuracy.mean) or math.isnan(one) or math.isnan(two):
        return "Two judges, too few right verdicts to compare them"
    if abs(accuracy.mean) <= NOT_WORSE:
        verdicts = "Two judges are right about equally often."
    elif (better := _standing(accuracy, wanted=1)) != "undecided":
        verdicts = f"{'R-Align' if better == 'holds' else 'The outcome-only judge'} is right more often."
    else:
        verdicts = "Two judges, neither clearly right more often."
    reasons = f"Outcome-only’s right verdicts have the wrong reason {_times(one)}, R-Align’s {_times(two)}"
    match _standing(spurious, wanted=-1):
        case "holds":
            reasons = f"{reasons}."
        case "does not hold":
            reasons = f"And R-Align’s reasons are the worse ones: wrong {_times(two)}, against {_times(one)}."
        case _ if max(one, two) < SEEN:
            reasons = "Both are right for the right reasons."
        # Without an interval a difference is told only where it is large enough to see.
        case _ if abs(one - two) >= SEEN:
            reasons = f"{reasons}; too few seeds to be sure."
        case _:
            reasons = "Neither has clearly better reasons."
    return f"{verdicts} {reasons}"


def consequence(results: Sequence[SeedResult], arms: Arms, contrast: Mapping[str, Difference]) -> str:
    """The second line of the headline: the consequence for the policies."""
    spreads = by_arm(results)
    one, two = (spreads[arm]["quality"].mean for arm in arms)
    start, difference = start_quality(results), contrast["quality"]
    if _standing(difference, wanted=1) == "holds":
        shows = "It shows in the policies trained against them"
    elif difference.mean >= SEEN and difference.low is None:
        shows = "In this one run it shows in the policies trained against them"
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


def _standing(contrast: Difference, *, wanted: Literal[1, -1]) -> Standing:
    if contrast.low is None or contrast.high is None or math.isnan(contrast.mean):
        return "undecided"
    low, high = sorted((wanted * contrast.low, wanted * contrast.high))
    return "holds" if low > 0 else "does not hold" if high < 0 else "undecided"


def _shares(one: Mapping[str, Spread], two: Mapping[str, Spread], name: str) -> str:
    return f"{per_cent(one[name].mean)} with outcome-only, {per_cent(two[name].mean)} with R-Align"


def _points(contrast: Difference) -> str:
    words = f"difference {per_cent(contrast.mean, '', sign=True)} points"
    return words + _interval(contrast, lambda value: per_cent(value, "", sign=True))


def _interval(contrast: Difference, write: Callable[[float], str]) -> str:
    if contrast.low is None or contrast.high is None:
        return ""
    return f", 95\N{NARROW NO-BREAK SPACE}% interval {write(contrast.low)} to {write(contrast.high)}"


def _prediction(predictions: Mapping[str, Prediction], judges: int) -> Finding | None:
    fidelity, accuracy, hard = (
        predictions[name].pooled for name in ("fidelity_score", "label_accuracy", "hard_label_accuracy")
    )
    if fidelity is None or accuracy is None or judges < FEWEST_JUDGES:
        return None
    f, a = (number(each.pearson, decimals=2) for each in (fidelity, accuracy))
    rival = ""
    if hard is not None:
        value = number(hard.pearson, decimals=2)
        rival = f" The rival that needs no rationale, L-Acc on hard pairs, has {value}."
    # A larger r leaves it open: judges of one seed, and of one reward over seeds, are not independent.
    return Finding(
        "F-Score tells beforehand how good the policy will be; L-Acc does not",
        "does not hold" if fidelity.pearson <= accuracy.pearson else "undecided",
        f"Over {fidelity.models} judges, r with the policy’s quality is {f} for F-Score and {a} for L-Acc; judges of "
        f"one seed are not independent, so there is no interval.{rival}",
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
