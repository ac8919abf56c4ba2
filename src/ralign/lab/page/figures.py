"""The lab's figures: bars, training curves, and what predicts a policy's quality."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ralign.lab.page.styles import REWARDS, Look
from ralign.lab.page.tables import TITLES, correlation
from ralign.lab.results import ArmResult, SeedResult
from ralign.lab.statistics import Prediction, arms_of, by_arm, figures
from ralign.report.charts import Dot, Line, Part, bar, line_chart, scatter_chart
from ralign.report.markup import Html, join, per_cent, tag

_PREDICTORS: Final = ("label_accuracy", "fidelity_score", "hard_label_accuracy")


def bars(results: Sequence[SeedResult], shown: Mapping[str, Look]) -> Html:
    """One bar a judge: F-Score, then what is right for another reason; together L-Acc. Means over seeds."""
    rows: list[Html] = []
    for name, spreads in by_arm(results).items():
        # F-Score = L-Acc x (1 - S-Corr) holds for every seed, but not for the means; L-Acc less F-Score is the share
        # that is right for another reason in both, so the bar's parts add up.
        right, faithful = (spreads[figure].mean for figure in ("label_accuracy", "fidelity_score"))
        spurious = right - faithful
        parts = [Part(per_cent(faithful), "full", faithful), Part(per_cent(spurious), "hatched", spurious)]
        name_ = shown[name].name
        share = spreads["spurious_correctness"].mean
        title = f"{name_}: L-Acc {per_cent(right)}, F-Score {per_cent(faithful)}, S-Corr {per_cent(share)}"
        rows.append(
            tag(
                "div",
                tag("span", shown[name].sign, " ", name_, class_="who"),
                bar(parts, title=title),
                tag("span", per_cent(right), class_="sum"),
                tag("span", per_cent(share), class_="share"),
                class_=f"row {shown[name].style}",
            )
        )
    key = [
        tag("span", _swatch("full"), tag("span", "right, for gold’s reason: F-Score")),
        tag("span", _swatch("hatched"), tag("span", "right, for another reason")),
        tag("span", _swatch("rest"), tag("span", "not right")),
    ]
    ends = [tag("small", name, class_=style) for name, style in (("L-Acc", "sum"), ("S-Corr", "share"))]
    head = tag(
        "div", tag("small", class_="who"), tag("small", key, class_="bar-key"), ends, class_="row head"
    )
    return join([_hatches(), tag("div", head, rows, class_="bars")])


def scatters(
    results: Sequence[SeedResult], shown: Mapping[str, Look], found: Mapping[str, Prediction]
) -> list[Html]:
    """Policy quality against three figures of the judge, a point for every judge of every seed."""
    arms = [(result.seed, arm.name, figures(arm)) for result in results for arm in result.arms]
    panels: list[Html] = []
    for figure in _PREDICTORS:
        dots = [
            Dot(
                f"{shown[name].name}, seed {seed}",
                shown[name].style,
                shown[name].shape,
                each[figure],
                each["quality"],
            )
            for seed, name, each in arms
        ]
        chart = scatter_chart(
            dots,
            x_name=TITLES[figure],
            y_name="policy quality",
            x_text=lambda value: f"{100 * value:.0f} %",
            y_text=_tick,
            y_range=(0.0, 1.0),
            # A line through one seed's judges would suggest a relation that they are too few to show.
            trend=len(results) > 1,
        )
        caption = tag("figcaption", tag("b", TITLES[figure]), correlation(found[figure]))
        panels.append(tag("figure", caption, chart))
    return panels


def training_curves(
    results: Sequence[SeedResult],
    shown: Mapping[str, Look],
    curve: Callable[[ArmResult], Sequence[float | None]],
    y_name: str,
) -> Html:
    """One line a judge of a figure by training step, over all seeds."""
    arms = arms_of(results)
    lines = [Line(look.name, look.style, [curve(arm) for arm in arms[name]]) for name, look in shown.items()]
    return line_chart(lines, x_name="step", y_name=y_name, y_text=_tick)


def _tick(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else ""


def _swatch(style: str) -> Html:
    box = tag("rect", width=16, height=12, rx=2, class_=style)
    return tag("svg", box, width=16, height=12, class_="bar-swatch arm none", aria_hidden="true")


def _hatches() -> Html:
    """The hatching of every color."""
    # One pattern a color: a pattern does not take the color of what it fills.
    patterns = [
        tag(
            "pattern",
            tag("rect", width=7, height=7, style=f"fill: var(--{name}); opacity: .2"),
            tag("rect", width=2.5, height=7, style=f"fill: var(--{name}); opacity: .75"),
            id=f"hatch-{name}",
            width=7,
            height=7,
            patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        )
        for name in REWARDS
    ]
    return tag("svg", tag("defs", patterns), class_="defs", aria_hidden="true")
