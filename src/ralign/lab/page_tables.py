"""The lab's tables as HTML. What is unknown is a dash; with several seeds a figure is a mean and its deviation."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from ralign.lab.config import LabConfig
from ralign.lab.lexicon import DOMAINS
from ralign.lab.looks import START, Look
from ralign.lab.policy_rl import PolicyWorth
from ralign.lab.records import benchmark_name
from ralign.lab.results import ArmResult, SeedResult
from ralign.lab.run import folder_name
from ralign.lab.statistics import FIGURES, Prediction, Spread, by_arm, figures
from ralign.metrics.correlation import Correlation
from ralign.report.markup import Child, Html, tag
from ralign.report.numbers import number, per_cent

_MEASURES: Final = {
    "label_accuracy": ("train", "label_accuracy"),
    "spurious_correctness": ("train", "spurious_correctness"),
    "fidelity_score": ("train", "fidelity_score"),
    "hard_label_accuracy": ("hard", "label_accuracy"),
    "adversarial_label_accuracy": ("adversarial", "label_accuracy"),
}
"""Figure -> the split it is of, and its name in a run directory's results."""
_TRAITS: Final = {
    "accuracy": ("right value", 1.0),
    "instruction": ("polite word", 1.0),
    "completeness": ("second value", 1.0),
    "bullets": ("bullet", 1.0),
    "confident": ("“certainly”", 1.0),
    "fillers": ("fillers", 3.0),
    "praise": ("praise", 3.0),
    "length": ("words", 8.0),
}
"""Trait -> what the page calls it, and what fills its cell's tint."""
_SHARES: Final = ("accuracy", "instruction", "completeness", "bullets", "confident")


def judges_table(results: Sequence[SeedResult], out: Path, shown: Mapping[str, Look]) -> Html:
    """One row a judge: means and deviations over seeds, or one seed's figures with their intervals over pairs."""
    head = ("judge", "L-Acc", "S-Corr", "F-Score", "L-Acc, hard", "L-Acc, adversarial", "policy quality")
    rows: list[Html] = []
    for name, spreads in by_arm(results).items():
        intervals = {} if len(results) > 1 else _intervals(out / f"seed-{results[0].seed}", name)
        cells = [
            _cell(figure, spread, len(results), intervals.get(figure)) for figure, spread in spreads.items()
        ]
        rows.append(tag("tr", _judge(name, shown[name], small=shown[name].paid), cells))
    return _table(head, rows)


def seeds_table(results: Sequence[SeedResult], shown: Mapping[str, Look]) -> Html | None:
    """Every seed's figures; None for one seed."""
    if len(results) < 2:
        return None
    head = (
        "judge",
        "seed",
        "L-Acc",
        "S-Corr",
        "F-Score",
        "L-Acc, hard",
        "L-Acc, adversarial",
        "policy quality",
    )
    rows = [
        tag(
            "tr",
            _judge(arm.name, shown[arm.name]),
            tag("td", str(result.seed)),
            [tag("td", _figure(name, value)) for name, value in figures(arm).items()],
        )
        for index in range(len(results[0].arms))
        for result in results
        for arm in result.arms[index : index + 1]
    ]
    return tag("details", tag("summary", "Every seed"), _table(head, rows))


def domains_table(results: Sequence[SeedResult], config: LabConfig, shown: Mapping[str, Look]) -> Html:
    """S-Corr and policy quality by what is asked for; means over seeds."""
    groups = tag(
        "tr",
        tag("th"),
        [tag("th", title, colspan=len(DOMAINS), class_="group") for title in ("S-Corr", "policy quality")],
    )
    cues = [
        tag("th", domain, tag("small", f"style {100 * cue:.0f}\N{NARROW NO-BREAK SPACE}%"))
        for domain, cue in zip(DOMAINS, config.showy, strict=True)
    ]
    none = [tag("td", "–") for _ in DOMAINS]
    start = [
        _heat(_mean(each.start.quality_by_domain[domain] for each in results), "high") for domain in DOMAINS
    ]
    rows = [tag("tr", _judge("before training", START), none, start)]
    for index, arm in enumerate(results[0].arms):
        arms = [result.arms[index] for result in results]
        spurious = [_mean(_spurious(each, domain) for each in arms) for domain in DOMAINS]
        quality = [_mean(each.policy.quality_by_domain[domain] for each in arms) for domain in DOMAINS]
        cells = [
            *(_heat(value, "low", per_cent(value)) for value in spurious),
            *(_heat(value, "high") for value in quality),
        ]
        rows.append(tag("tr", _judge(arm.name, shown[arm.name]), cells))
    return _table((), rows, groups, tag("tr", tag("th", "judge"), cues, cues))


def traits_table(results: Sequence[SeedResult], shown: Mapping[str, Look]) -> Html:
    """What the policies' answers are like; means over seeds."""
    groups = tag(
        "tr",
        tag("th"),
        tag("th", "substance: share of answers", colspan=3, class_="group"),
        tag("th", "style: share of answers", colspan=2, class_="group"),
        tag("th", "words an answer", colspan=3, class_="group"),
    )
    head = tag("tr", tag("th", "trained against"), [tag("th", title) for title, _ in _TRAITS.values()])
    rows = [tag("tr", _judge("before training", START), _traits([result.start for result in results]))]
    for index, arm in enumerate(results[0].arms):
        worths = [result.arms[index].policy for result in results]
        rows.append(tag("tr", _judge(arm.name, shown[arm.name]), _traits(worths)))
    return _table((), rows, groups, head)


def probes_table(results: Sequence[SeedResult], shown: Mapping[str, Look]) -> Html:
    """Whether judges mean what they write; means over seeds."""
    head = (
        "judge",
        "verdict follows swapped claims",
        "spurious cases",
        "with an invented reason",
        "of those, for the showier answer",
    )
    rows: list[Html] = []
    for index, arm in enumerate(results[0].arms):
        probes = [result.arms[index].probes for result in results]
        cells = (
            per_cent(_mean(each.followed for each in probes)),
            f"{sum(each.spurious for each in probes):,}",
            per_cent(_mean(each.fabricated for each in probes)),
            per_cent(_mean(each.for_showier for each in probes)),
        )
        rows.append(tag("tr", _judge(arm.name, shown[arm.name]), [tag("td", cell) for cell in cells]))
    return _table(head, rows)


def predictions_table(results: Sequence[SeedResult], found: Mapping[str, Prediction]) -> Html | None:
    """Pearson's r with the policy's quality over several choices of judges; None for one seed."""
    if len(results) < 2:
        return None
    head = ("figure of the judge", "all judges", "trained", "within a seed", "not collapsed")
    rows = [
        tag("tr", tag("td", FIGURES[name]), [tag("td", _correlation(each)) for each in prediction])
        for name, prediction in found.items()
    ]
    return _table(head, rows)


def correlation(found: Correlation | None) -> str:
    """Pearson's r with its interval, in words."""
    if found is None:
        return "too few judges that differ for a correlation"
    low, high = _signed(found.pearson.low), _signed(found.pearson.high)
    return f"r = {_signed(found.pearson.value)}, 95\N{NARROW NO-BREAK SPACE}% interval {low} to {high}"


def _table(head: Iterable[str], rows: Sequence[Html], *above: Html) -> Html:
    titles = [tag("th", title) for title in head]
    body = tag("table", tag("thead", above, tag("tr", titles) if titles else None), tag("tbody", rows))
    return tag("div", body, class_="scroll")


def _judge(name: str, look: Look, small: str | None = None) -> Html:
    return tag("td", look.sign, name, tag("small", small) if small else None)


def _cell(figure: str, spread: Spread, seeds: int, interval: Mapping[str, float] | None) -> Html:
    write = number if figure == "quality" else _bare
    small: Child = None
    if seeds > 1 and math.isfinite(spread.mean):
        small = tag("small", f"± {write(spread.deviation)}")
    elif interval is not None:
        small = tag("small", f"{write(interval['low'])} to {write(interval['high'])}")
    return tag("td", _figure(figure, spread.mean), small)


def _bare(share: float) -> str:
    return per_cent(share, "")


def _figure(figure: str, value: float) -> str:
    return number(value) if figure == "quality" else per_cent(value)


def _intervals(folder: Path, arm: str) -> dict[str, Mapping[str, float] | None]:
    """Figure -> value, low and high, as the judge's own run directory has them."""
    path = folder / folder_name(arm) / "bench" / "results.json"
    benchmarks: dict[str, Any] = json.loads(path.read_bytes())["benchmarks"]
    return {
        figure: benchmarks[benchmark_name(split)][measure] for figure, (split, measure) in _MEASURES.items()
    }


def _traits(worths: Sequence[PolicyWorth]) -> list[Html]:
    cells: list[Html] = []
    for trait, (_, full) in _TRAITS.items():
        value = _mean(getattr(worth, trait) for worth in worths)
        text = per_cent(value) if trait in _SHARES else number(value, decimals=2)
        kind = "high" if trait in _SHARES[:3] else "low" if trait != "length" else "neutral"
        cells.append(_heat(value, kind, text, full))
    return cells


def _heat(
    value: float | None, kind: Literal["low", "high", "neutral"], text: str | None = None, full: float = 1.0
) -> Html:
    """A cell whose tint grows with its figure: `low` and `high` say which is good."""
    if value is None or not math.isfinite(value):
        return tag("td", "–")
    tint = max(0.0, min(1.0, value / full))
    return tag("td", text or number(value), class_=f"heat {kind}", style=f"--t:{100 * tint:.0f}%")


def _spurious(arm: ArmResult, domain: str) -> float | None:
    measured = arm.by_domain.get(domain)  # a benchmark of a few pairs may have none of a domain
    return None if measured is None else measured.spurious_correctness


def _mean(values: Iterable[float | None]) -> float | None:
    """Over the seeds that have the figure."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None


def _correlation(found: Correlation | None) -> str:
    if found is None:
        return "–"
    return f"{_signed(found.pearson.value)} [{_signed(found.pearson.low)}, {_signed(found.pearson.high)}]"


def _signed(value: float) -> str:
    return number(value, decimals=2)
