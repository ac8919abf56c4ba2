"""Figure of `ralign correlate`: one panel a measure, one point a model, the line and its band.

In: panels, their correlation already computed. Out: one .png, .svg or .pdf. Needs matplotlib (the extra
`report`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from numpy.typing import NDArray
from scipy import stats

from ralign.errors import InputError
from ralign.evals.correlate import Panel

Floats = NDArray[np.float64]

FORMATS = (".png", ".svg", ".pdf")

_INK, _FAINT, _ACCENT = "#22272e", "#8a929c", "#2f6db5"
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "xtick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.color": _FAINT,
    "ytick.labelcolor": _INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "ralign",
    "pdf.fonttype": 42,
}
_PANEL_INCHES = (4.3, 3.7)
_CROWDED_PANEL_INCHES = (6.0, 4.8)
_CROWDED_MODELS = 12
_DOTS_PER_INCH = 200
# A point's square, its white rim included.
_DOT_PIXELS = 18
_LINE_PIXELS = 6
_NAME_MARGIN_PIXELS = (8, 2)
_SHARE_LEFT_OF_ANCHOR = {"left": 0.0, "center": 0.5, "right": 1.0}
# Up to this far a name needs no line to its point.
_NEAR_POINTS = 11


class _Costs(NamedTuple):
    """Costs of a position, per square pixel hidden, or per 1/72 inch away from the point."""

    over_others: float
    over_line: float
    outside: float
    away: float


# Found by eye on the paper's 7 and 20 models.
_COSTS = _Costs(over_others=20.0, over_line=0.1, outside=20.0, away=12.0)


class LabelPosition(NamedTuple):
    """Position of a name: from its point, in points (1/72 inch), and which end of the name is held there."""

    offset: tuple[float, float]
    alignment: Literal["left", "center", "right"]


# On circles around the point: two sides at five heights, above and below.
_SIDES: tuple[tuple[int, Literal["left", "right"]], ...] = ((1, "left"), (-1, "right"))
POSITIONS = tuple(
    position
    for distance in (7, 11, 16, 22, 29, 37, 46, 56)
    for position in (
        *(
            LabelPosition((side * distance * (1 - rise**2) ** 0.5, rise * distance), alignment)
            for rise in (0.0, 0.5, -0.5, 0.8, -0.8)
            for side, alignment in _SIDES
        ),
        LabelPosition((0, distance), "center"),
        LabelPosition((0, -distance), "center"),
    )
)
"""Nearest first."""


def draw_correlation(panels: Sequence[Panel], path: Path) -> None:
    """Draw the panels side by side; the file appears complete or not at all.

    Raises:
        InputError: no panel, or a suffix that is none of `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: a figure ends in {', '.join(FORMATS)}")
    if not panels:
        raise InputError(f"{path}: nothing to draw")
    # The stub lists every key as a literal.
    with rc_context(_STYLE):  # pyright: ignore[reportArgumentType]
        figure = plot(panels)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        # Without a date the same figures give the same bytes.
        undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
        figure.savefig(unfinished, format=path.suffix.lower()[1:], dpi=_DOTS_PER_INCH, metadata=undated)
        unfinished.replace(path)


def plot(panels: Sequence[Panel]) -> Figure:
    """Figure of the panels side by side, every model named."""
    crowded = max(len(panel.models) for panel in panels) > _CROWDED_MODELS
    width, height = _CROWDED_PANEL_INCHES if crowded else _PANEL_INCHES
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(width * len(panels), height), dpi=_DOTS_PER_INCH, layout=layout)
    canvas = FigureCanvasAgg(figure)
    all_axes: list[Axes] = list(np.atleast_1d(figure.subplots(1, len(panels))))
    for i, (axes, panel) in enumerate(zip(all_axes, panels, strict=True)):
        _draw_panel(axes, panel)
        if i == 0 or panel.y_name != panels[i - 1].y_name:
            axes.set_ylabel(panel.y_name)
    # Lays the axes out: where a label fits is known only after that.
    canvas.draw()
    for axes, panel in zip(all_axes, panels, strict=True):
        _label_points(axes, panel, canvas)
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    x, y = np.asarray(panel.x), np.asarray(panel.y)
    for column, set_limits in ((x, axes.set_xlim), (y, axes.set_ylim)):
        margin = 0.14 * float(np.ptp(column))
        set_limits(float(column.min()) - margin, float(column.max()) + margin)
    grid = np.linspace(*axes.get_xlim(), 100)
    line, half_width = _regression(x, y, grid)
    axes.fill_between(grid, line - half_width, line + half_width, color=_ACCENT, alpha=0.10, linewidth=0)
    axes.plot(grid, line, color=_ACCENT, linewidth=1.4, alpha=0.8)
    axes.scatter(x, y, s=34, color=_ACCENT, edgecolor="white", linewidth=0.8, zorder=3)
    axes.set_xlabel(panel.x_name)
    axes.grid(color=_FAINT, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    found = panel.correlation
    axes.set_title(
        f"r = {found.pearson:.3f}".replace("-", "\N{MINUS SIGN}"),
        loc="left",
        fontsize=12,
        fontweight="bold",
        pad=8,
    )
    about = f"{found.models} models"
    if found.pearson_interval is not None:
        _, low, high = found.pearson_interval
        about = f"95 % interval {low:.2f} to {high:.2f}, {about}"
    axes.set_title(about.replace("-", "\N{MINUS SIGN}"), loc="right", fontsize=8, color=_FAINT, pad=8)


def _regression(x: Floats, y: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """The least-squares line on the grid, and half the width of its 95 % band at each point (Student's t)."""
    slope, intercept = np.polyfit(x, y, 1)
    freedom = len(x) - 2
    spread = np.sqrt(((y - intercept - slope * x) ** 2).sum() / freedom)
    leverage = 1 / len(x) + (grid - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    return intercept + slope * grid, float(stats.t.ppf(0.975, freedom)) * spread * np.sqrt(leverage)


def _label_points(axes: Axes, panel: Panel, canvas: FigureCanvasAgg) -> None:
    """Write each model's name beside its point, near it and hiding little.

    The points with the most neighbours choose first, as they have the fewest places to choose from. A
    name away from its point has a thin line to it.
    """
    points = axes.transData.transform(np.column_stack([panel.x, panel.y]))
    dots = _squares(points, _DOT_PIXELS)
    # The regression line as squares a few pixels apart, those within the frame.
    grid = np.linspace(*axes.get_xlim(), 200)
    heights, _ = _regression(np.asarray(panel.x), np.asarray(panel.y), grid)
    low, high = axes.get_ylim()
    seen = (heights >= low) & (heights <= high)
    line = _squares(axes.transData.transform(np.column_stack([grid[seen], heights[seen]])), _LINE_PIXELS)
    frame = np.array(axes.get_window_extent().extents)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    crowding = (1 / (distances + _DOT_PIXELS)).sum(axis=1)
    names = np.empty((0, 4))
    for i in map(int, np.argsort(-crowding)):
        label = axes.annotate(
            panel.models[i],
            (panel.x[i], panel.y[i]),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=7.5,
            va="center",
            # A dollar sign in a name is a dollar sign.
            parse_math=False,
            annotation_clip=False,
            # A pale ground, not an outline: outlined text is no longer text in an SVG or PDF.
            bbox={"boxstyle": "round,pad=0.08", "facecolor": "white", "alpha": 0.55, "linewidth": 0},
            arrowprops={"arrowstyle": "-", "color": _FAINT, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 3},
            zorder=4,
        )
        # Text's extent, not Annotation's: that one has the line to the point in it.
        extent = Text.get_window_extent(label, canvas.get_renderer())
        size = np.array(extent.size) + _NAME_MARGIN_PIXELS
        boxes = _boxes_at_positions(points[i], size)
        others = np.concatenate([names, np.delete(dots, i, axis=0)])
        cost = (
            _COSTS.over_others * _shared_area(boxes, others).sum(axis=1)
            + _COSTS.over_line * _shared_area(boxes, line).sum(axis=1)
            + _COSTS.outside * (size.prod() - _shared_area(boxes, frame[None])[:, 0])
            + _COSTS.away * np.hypot(*np.array([position.offset for position in POSITIONS]).T)
        )
        best = int(np.argmin(cost))
        label.set_position(POSITIONS[best].offset)
        label.set_horizontalalignment(POSITIONS[best].alignment)
        if label.arrow_patch is not None:
            label.arrow_patch.set_visible(float(np.hypot(*POSITIONS[best].offset)) > _NEAR_POINTS)
        names = np.concatenate([names, boxes[best : best + 1]])


def _boxes_at_positions(point: Floats, size: Floats) -> Floats:
    """The box (x0, y0, x1, y1, in pixels) that a name of this size fills at each position; shape (positions, 4)."""
    offsets = np.array([position.offset for position in POSITIONS]) * _DOTS_PER_INCH / 72
    left_of_anchor = np.array([_SHARE_LEFT_OF_ANCHOR[position.alignment] for position in POSITIONS])
    corner = (
        point + offsets - np.column_stack([left_of_anchor * size[0], np.full(len(POSITIONS), size[1] / 2)])
    )
    return np.column_stack([corner, corner + size])


def _squares(centres: Floats, side: float) -> Floats:
    return np.column_stack([centres - side / 2, centres + side / 2])


def _shared_area(boxes: Floats, others: Floats) -> Floats:
    """The area each box shares with each other one, in square pixels; shape (boxes, others)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2)
