"""How each judge looks on a page, in every table and figure: colour and shape by reward, filling by variant."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ralign.lab.claims import title
from ralign.lab.config import ArmConfig
from ralign.report.charts import Shape, marker
from ralign.report.markup import Html, tag

_SHAPES: Final[dict[str, Shape]] = {
    "none": "square",
    "outcome": "triangle",
    "ralign": "circle",
    "hybrid": "diamond",
    "points": "diamond",
}
_PAID: Final = {
    "none": "not trained any further",
    "outcome": "paid for right verdicts",
    "ralign": "paid for right verdicts with gold’s reason",
    "hybrid": "paid for verdict and reason, in a weighted sum",
    "points": "paid for the verdict and each of gold’s points",
}


class Look(NamedTuple):
    """One judge's looks."""

    name: str
    """Its title on the page."""
    style: str
    """Class names."""
    shape: Shape
    paid: str
    """The reward of its training, in words."""

    @property
    def sign(self) -> Html:
        """Its mark, the height of a line of text."""
        drawing = marker(self.shape, 8, 8)
        return tag("svg", drawing, width=16, height=16, class_=f"sign {self.style}", aria_hidden="true")

    @property
    def line(self) -> Html:
        """A bit of its line."""
        drawing = tag("line", x1=2, x2=32, y1=8, y2=8, class_="line")
        return tag("svg", drawing, width=34, height=16, class_=self.style, aria_hidden="true")


START: Final = Look("before training", "arm start v1", "square", "")
"""The policies' start, which is no judge."""


def looks(arms: Iterable[ArmConfig]) -> dict[str, Look]:
    """Arm -> its looks; the first of each reward is the plain one."""
    seen: Counter[str] = Counter()
    found: dict[str, Look] = {}
    for arm in arms:
        paid = _PAID[arm.reward]
        if arm.meta_error:
            paid += f", by a meta-judge that errs {100 * arm.meta_error:.0f}\N{NARROW NO-BREAK SPACE}% of the time"
        if arm.steps is not None:
            paid += f", {arm.steps} steps"
        found[arm.name] = Look(
            title(arm.name), f"arm {arm.reward} v{seen[arm.reward]}", _SHAPES[arm.reward], paid
        )
        seen[arm.reward] += 1
    return found


def legend(shown: Mapping[str, Look], *, lines: bool) -> Html:
    """Which judge is which, for figures of lines or of points."""
    entries = [
        tag("li", look.line if lines else look.sign, tag("span", look.name)) for look in shown.values()
    ]
    return tag("ul", entries, class_="legend")
