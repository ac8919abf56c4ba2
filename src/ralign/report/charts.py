"""Charts as inline SVG: text stays text, and colours come from the page's style sheet, so that they follow its theme.

In: figures, each with the class names that its colour and line follow from. Out: one `<svg>` a figure. What is no
number (None, NaN) is left out; a figure of which nothing is left says so.
"""

import math
from collections.abc import Callable, Sequence
from itertools import zip_longest
from statistics import fmean, linear_regression
from typing import Final, Literal, NamedTuple

from ralign.report.markup import Html, tag

Text = Callable[[float], str]
"""How an axis writes a number."""
Shape = Literal["circle", "square", "triangle", "diamond"]

_WIDE: Final = (420.0, 290.0)
# Width and height of a drawing; letters keep their size, so a narrow one is for a narrow place.
_NARROW: Final = (330.0, 262.0)
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 20.0, 10.0, 44.0
# Share of a bar that a letter of a label takes, on a narrow screen.
_ROOM: Final = 0.018
# Steps on either side that a line is averaged with.
_SMOOTHED: Final = 2


class Line(NamedTuple):
    """A curve over steps, of one run or of several."""

    name: str
    style: str
    runs: Sequence[Sequence[float | None]]


class Dot(NamedTuple):
    """One point of a scatter plot."""

    name: str
    style: str
    shape: Shape
    x: float
    y: float


class Part(NamedTuple):
    """One part of a bar, in shares of its whole length."""

    label: str
    style: str
    share: float


class _Frame(NamedTuple):
    """Where numbers go: the ranges of both axes, and the size of the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]
    size: tuple[float, float]

    @property
    def right(self) -> float:
        """Where the x axis ends."""
        return self.size[0] - _RIGHT

    @property
    def bottom(self) -> float:
        """Where the x axis lies."""
        return self.size[1] - _BOTTOM

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, in the units of the drawing."""
        (left, right), (low, high) = self.x, self.y
        return (
            _LEFT + (x - left) / (right - left) * (self.right - _LEFT),
            _TOP + (high - y) / (high - low) * (self.bottom - _TOP),
        )


def line_chart(lines: Sequence[Line], *, x_name: str, y_name: str, y_text: Text) -> Html:
    """Each line's mean over its runs, smoothed a little; where there are several, a band from least to most."""
    drawn = [line for line in lines if any(_known(run) for run in line.runs)]
    if not drawn:
        return _nothing()
    values = [value for line in drawn for run in line.runs for value in _known(run)]
    frame = _Frame(
        (0, max(max(map(len, line.runs)) for line in drawn)), (min(0.0, *values), max(1.0, *values)), _WIDE
    )
    body = [_axes(frame, x_name, y_name, lambda step: f"{step:.0f}", y_text)]
    curves: list[Html] = []
    for line in drawn:
        # Runs may end at different steps: each step has the values of those that came to it.
        at_step = [_known(step) for step in zip_longest(*line.runs)]
        means = _smooth([fmean(known) if known else None for known in at_step])
        points = [frame.at(step, mean) for step, mean in enumerate(means, start=1) if mean is not None]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        end = tag("circle", cx=points[-1][0], cy=points[-1][1], r=3, class_="end")
        curve = tag("path", d=path, class_="line")
        curves.append(tag("g", curve, end, tag("title", line.name), class_=line.style))
        if len(line.runs) > 1:
            smoothed = [_known(step) for step in zip_longest(*map(_smooth, line.runs))]
            top = [frame.at(step, max(known)) for step, known in enumerate(smoothed, start=1) if known]
            low = [frame.at(step, min(known)) for step, known in enumerate(smoothed, start=1) if known]
            outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*top, *reversed(low)])
            body.append(tag("g", tag("polygon", points=outline, class_="band"), class_=line.style))
    # Every curve above every band: a wide band must not hide another line.
    body += curves
    return _svg(f"{y_name} by {x_name}: {', '.join(line.name for line in drawn)}", frame, body)


def scatter_chart(
    dots: Sequence[Dot],
    *,
    x_name: str,
    y_name: str,
    x_text: Text,
    y_text: Text,
    y_range: tuple[float, float],
    trend: bool = True,
) -> Html:
    """Points, and with `trend` the least-squares line through them where there are three or more."""
    shown = [dot for dot in dots if math.isfinite(dot.x) and math.isfinite(dot.y)]
    if not shown:
        return _nothing()
    xs = [dot.x for dot in shown]
    margin = 0.08 * (max(xs) - min(xs)) or 0.05
    frame = _Frame((min(xs) - margin, max(xs) + margin), y_range, _NARROW)
    body = [_axes(frame, x_name, y_name, x_text, y_text)]
    # Two points always lie on a line, which would say nothing.
    if trend and len(shown) > 2 and min(xs) < max(xs):
        slope, intercept = linear_regression(xs, [dot.y for dot in shown])
        (x1, y1), (x2, y2) = (frame.at(x, intercept + slope * x) for x in (min(xs), max(xs)))
        body.append(tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="trend"))
    body += [
        tag("g", marker(dot.shape, *frame.at(dot.x, dot.y)), tag("title", dot.name), class_=dot.style)
        for dot in shown
    ]
    return _svg(f"{y_name} against {x_name}", frame, body)


def bar(parts: Sequence[Part], *, title: str) -> Html:
    """A bar of the page's width whose parts lie end to end; a label that has no room is left to the title."""
    body: list[Html] = []
    start = 0.0
    for part in parts:
        share = max(0.0, part.share) if math.isfinite(part.share) else 0.0
        x = f"{100 * start:.2f}%"
        body.append(tag("rect", x=x, width=f"{100 * share:.2f}%", height="100%", class_=part.style))
        if share > _ROOM * len(part.label):
            middle = f"{100 * (start + share / 2):.2f}%"
            body.append(tag("text", part.label, x=middle, y="50%", class_=f"label {part.style}"))
        start += share
    return tag("svg", tag("title", title), body, class_="bar", role="img", aria_label=title)


def marker(shape: Shape, x: float, y: float, size: float = 5.5) -> Html:
    """A point's sign: shapes tell judges apart where colours cannot."""
    match shape:
        case "circle":
            return tag("circle", cx=x, cy=y, r=size, class_="dot")
        case "square":
            half = 0.88 * size
            corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
        case "triangle":
            corners = [(0.0, -1.2 * size), (1.1 * size, 0.8 * size), (-1.1 * size, 0.8 * size)]
        case "diamond":
            corners = [(0.0, -1.25 * size), (1.25 * size, 0.0), (0.0, 1.25 * size), (-1.25 * size, 0.0)]
    return tag("polygon", points=" ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in corners), class_="dot")


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between two others, some `about` of them."""
    if not high > low:
        return [low]
    # 0.999 and 1e-9: a step or an end that is round must not be missed by a rounding error.
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _axes(frame: _Frame, x_name: str, y_name: str, x_text: Text, y_text: Text) -> Html:
    body: list[Html] = []
    bottom, right = frame.bottom, frame.right
    for value in ticks(*frame.y):
        _, y = frame.at(frame.x[0], value)
        body.append(tag("line", x1=_LEFT, x2=right, y1=y, y2=y, class_="grid"))
        body.append(tag("text", y_text(value), x=_LEFT - 7, y=y, class_="tick y"))
    for value in ticks(*frame.x):
        x, _ = frame.at(value, frame.y[0])
        body.append(tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="axis"))
        body.append(tag("text", x_text(value), x=x, y=bottom + 16, class_="tick x"))
    body.append(tag("line", x1=_LEFT, x2=right, y1=bottom, y2=bottom, class_="axis"))
    body.append(tag("text", x_name, x=(_LEFT + right) / 2, y=bottom + 38, class_="name"))
    turned = f"translate(11 {(_TOP + bottom) / 2:.0f}) rotate(-90)"
    body.append(tag("text", y_name, transform=turned, class_="name"))
    return tag("g", body)


def _smooth(values: Sequence[float | None]) -> list[float | None]:
    found: list[float | None] = []
    for index, value in enumerate(values):
        near = _known(values[max(0, index - _SMOOTHED) : index + _SMOOTHED + 1])
        found.append(None if value is None or not near else sum(near) / len(near))
    return found


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _svg(title: str, frame: _Frame, body: Sequence[Html]) -> Html:
    box = "0 0 {:.0f} {:.0f}".format(*frame.size)
    return tag("svg", body, viewBox=box, class_="chart", role="img", aria_label=title)


def _nothing() -> Html:
    return tag("p", "Nothing to draw.", class_="nothing")
