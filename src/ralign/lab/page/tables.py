"""The lab's tables as HTML. What is unknown is a dash; with several seeds a figure is a mean and its deviation."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from ralign.lab.config import LabConfig
from ralign.lab.measure import Split
from ralign.lab.page.styles import START, Look
from ralign.lab.policy_rl import PolicyWorth
from ralign.lab.results import SeedResult
from ralign.lab.run import bench_results
from ralign.lab.statistics import (
    FIGURES,
    MEASURES,
    Prediction,
    arms_of,
    by_arm,
    figures,
    known_mean,
    quality_by_domain,
    spurious_by_domain,
    within_judge,
)
from ralign.lab.vocabulary import DOMAINS
from ralign.report.markup import Child, Html, join, number, p_value, per_cent, tag

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
"""Trait -> its title, and the value that fills its cell's tint."""
TITLES: Final = {name: figure.removesuffix(" split") for name, figure in FIGURES.items()}
"""Figure of an arm -> its title on the page."""
# In per cent on the page; the other traits are words an answer, and have no upper bound but the budget.
_SHARES: Final = ("accuracy", "instruction", "completeness", "bullets", "confident")


class Cell(NamedTuple):
    """One figure of a table."""

    text: Child
    class_: str | None = None
    style: str | None = None


def judges_table(results: Sequence[SeedResult], out: Path, shown: Mapping[str, Look]) -> Html:
    """One row a judge: means and deviations over seeds, or one seed's figures with their intervals over pairs."""
    rows: list[Html] = []
    titles = list(TITLES.values())
    for name, spreads in by_arm(results).items():
        intervals: dict[str, Mapping[str, float] | None] = {}
        if len(results) == 1:
            measured: Mapping[Split, Any] = bench_results(out, results[0].seed, name)
            intervals = {figure: measured[split][measure] for figure, (split, measure) in MEASURES.items()}
        cells: list[Cell] = []
        for figure, spread in spreads.items():
            interval, small = intervals.get(figure), None
            within = within_judge(results, name) if figure == "quality" else None
            among = f"its policies ± {number(within)}" if within is not None else ""
            if len(results) > 1 and math.isfinite(spread.mean):
                small = tag("small", f"± {_figure(figure, spread.deviation, '')}", among and tag("br"), among)
            elif among:
                small = tag("small", among)
            elif interval is not None:
                low, high = (_figure(figure, interval[end], "") for end in ("low", "high"))
                small = tag("small", f"{low} to {high}")
            cells.append(Cell([_figure(figure, spread.mean), small]))
        rows.append(_row(_judge(shown[name], small=shown[name].paid), titles, cells))
    return _table(_head("judge", *titles), rows)


def seeds_table(results: Sequence[SeedResult], shown: Mapping[str, Look]) -> Html | None:
    """Every seed's figures; None for one seed."""
    if len(results) < 2:
        return None
    titles = ["seed", *TITLES.values()]
    rows: list[Html] = []
    for name, arms in arms_of(results).items():
        for result, arm in zip(results, arms, strict=True):
            cells = [Cell(_figure(figure, value)) for figure, value in figures(arm).items()]
            rows.append(_row(_judge(shown[name]), titles, [Cell(str(result.seed)), *cells]))
    return tag("details", tag("summary", "Every seed"), _table(_head("judge", *titles), rows))


def domains_table(results: Sequence[SeedResult], config: LabConfig, shown: Mapping[str, Look]) -> Html:
    """S-Corr and policy quality by what is asked for; means over seeds."""
    groups = tag(
        "tr",
        tag("th"),
        [tag("th", title, colspan=len(DOMAINS), class_="group") for title in ("S-Corr", "policy quality")],
    )
    # How reliable a cue style is in training: where it is, judges lean on it most.
    cues = [
        tag("th", domain, tag("small", f"style {100 * cue:.0f}\N{NARROW NO-BREAK SPACE}%"))
        for domain, cue in zip(DOMAINS, config.showy, strict=True)
    ]
    titles = [f"{what}, {domain}" for what in ("S-Corr", "quality") for domain in DOMAINS]

    def qualities(worths: Sequence[PolicyWorth]) -> list[Cell]:
        return [_heat(value, "high") for value in quality_by_domain(worths).values()]

    start = qualities([result.start for result in results])
    rows = [_row(_judge(START), titles, [*(Cell("–") for _ in DOMAINS), *start])]
    for name, arms in arms_of(results).items():
        spurious = [_heat(value, "low", per_cent(value)) for value in spurious_by_domain(arms).values()]
        rows.append(_row(_judge(shown[name]), titles, [*spurious, *qualities([arm.policy for arm in arms])]))
    return _table([groups, tag("tr", tag("th", "judge"), cues, cues)], rows, style="four")


def traits_table(results: Sequence[SeedResult], shown: Mapping[str, Look]) -> Html:
    """Traits of the policies' answers; means over seeds."""
    groups = tag(
        "tr",
        tag("th"),
        tag("th", "substance: share of answers", colspan=3, class_="group"),
        tag("th", "style: share of answers", colspan=2, class_="group"),
        tag("th", "words an answer", colspan=3, class_="group"),
    )
    titles = [title for title, _ in _TRAITS.values()]
    rows = [_row(_judge(START), titles, _traits([result.start for result in results]))]
    for name, arms in arms_of(results).items():
        rows.append(_row(_judge(shown[name]), titles, _traits([arm.policy for arm in arms])))
    return _table([groups, *_head("trained against", *titles)], rows, style="four")


def probes_table(results: Sequence[SeedResult], shown: Mapping[str, Look]) -> Html:
    """Whether judges mean what they write; means over seeds."""
    titles = (
        "verdict follows swapped claims",
        "right for another reason than gold’s",
        "of those, by an invented reason",
        "of these, for the showier answer",
    )
    rows: list[Html] = []
    for name, arms in arms_of(results).items():
        # Cases are summed over seeds, shares averaged: the count says how much each share rests on.
        cells = (
            per_cent(known_mean(arm.probes.followed for arm in arms)),
            f"{sum(arm.probes.spurious for arm in arms):,}",
            per_cent(known_mean(arm.probes.fabricated for arm in arms)),
            per_cent(known_mean(arm.probes.for_showier for arm in arms)),
        )
        rows.append(_row(_judge(shown[name]), titles, [Cell(cell) for cell in cells]))
    return _table(_head("judge", *titles), rows, style="two")


def predictions_table(results: Sequence[SeedResult], found: Mapping[str, Prediction]) -> Html | None:
    """Pearson's r with the policies' quality; None for one seed."""
    if len(results) < 2:
        return None
    titles = ("within a seed", "p", "within a seed, means of rewards", "all judges pooled")
    rows: list[Html] = []
    for name, (within, by_reward, pooled) in found.items():
        interval, p = None, None
        if within is not None and within.low is not None and within.high is not None:
            low, high = (number(end, decimals=2) for end in (within.low, within.high))
            interval, p = tag("small", f"{low} to {high}"), within.p_value
        r = number(within.mean if within else None, decimals=2)
        means = [Cell(number(each, decimals=2)) for each in (by_reward, pooled)]
        cells = [Cell([r, interval]), Cell(p_value(p)), *means]
        rows.append(_row(tag("th", TITLES[name], scope="row"), titles, cells))
    note = (
        "Pearson’s r with the policies’ quality. Within a seed: over its judges, averaged over seeds as Fisher’s z, "
        "with Student’s t interval and a sign-flip p over seeds. Judges of one reward are near copies; over the "
        "means of rewards there are fewer points, and no interval. Pooled: over all judges of all seeds, which are not "
        "independent, so there is none either."
    )
    table = _table(_head("figure of the judge", *titles), rows, style="two")
    return join([table, tag("p", note, class_="under")])


def correlation(found: Prediction) -> str:
    """Pearson's r in words."""
    if found.within is None:
        return "too few judges for a correlation"
    return f"r = {number(found.within.mean, decimals=2)} within a seed"


def _head(*titles: str) -> list[Html]:
    return [tag("tr", [tag("th", title, scope="col") for title in titles])]


def _row(name: Html, titles: Sequence[str], cells: Sequence[Cell]) -> Html:
    # Every cell knows its column's name: on a narrow screen, where a table would have to be scrolled sideways, each row
    # becomes a block of its own with the names beside the figures (`report.css`).
    labelled = zip(titles, cells, strict=True)
    return tag(
        "tr",
        name,
        [tag("td", c.text, class_=c.class_, style=c.style, data_label=title) for title, c in labelled],
    )


def _table(head: Sequence[Html], rows: Sequence[Html], style: str = "three") -> Html:
    """`style`: how many figures stand side by side on a narrow screen."""
    table = tag("table", tag("thead", head), tag("tbody", rows), class_=f"stack {style}")
    return tag("div", table, class_="scroll")


def _judge(look: Look, small: str | None = None) -> Html:
    return tag("th", look.sign, look.name, tag("small", small) if small else None, scope="row")


def _figure(figure: str, value: float, unit: str = "\N{NARROW NO-BREAK SPACE}%") -> str:
    return number(value) if figure == "quality" else per_cent(value, unit)


def _traits(worths: Sequence[PolicyWorth]) -> list[Cell]:
    cells: list[Cell] = []
    for trait, (_, full) in _TRAITS.items():
        value = known_mean(getattr(worth, trait) for worth in worths)
        text = per_cent(value) if trait in _SHARES else number(value, decimals=2)
        if trait == "length":  # neither good nor bad
            cells.append(Cell(text))
        else:
            cells.append(_heat(value, "high" if trait in _SHARES[:3] else "low", text, full))
    return cells


def _heat(
    value: float | None, kind: Literal["low", "high"], text: str | None = None, full: float = 1.0
) -> Cell:
    """A cell whose tint grows with its figure: `low` and `high` say which is good."""
    if value is None or not math.isfinite(value):
        return Cell("–")
    # A share of the tint and no color: the style sheet mixes it, for light and for dark pages.
    tint = max(0.0, min(1.0, value / full))
    return Cell(text or number(value), f"heat {kind}", f"--t:{100 * tint:.0f}%")
