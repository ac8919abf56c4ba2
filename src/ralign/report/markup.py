"""HTML and SVG of a page, and the numbers in it: nothing gets in unescaped.

A string is text, and is escaped; only what `tag` returns, or what is called `Html` on purpose, is taken as it is.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import TypeAlias


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "str | Sequence[Child] | None"
"""Text, HTML, nothing, or several of them."""


def tag(name: str, *children: Child, **attributes: str | float | None) -> Html:
    """An element. In an attribute's name `_` stands for `-`, and one at the end is dropped: `class_`, `stroke_width`.

    Attributes that are None are left out; numbers have two decimals at most.
    """
    written = ""
    for key, value in attributes.items():
        if value is not None:
            text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
            written += f' {key.rstrip("_").replace("_", "-")}="{escape(text)}"'
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Child) -> Html:
    """One after the other."""
    if children is None:
        return Html()
    if isinstance(children, str):
        return children if isinstance(children, Html) else Html(escape(children, quote=False))
    return Html("".join(map(join, children)))


# z: a figure that rounds to nothing has no sign.
def number(value: float | None, sign: bool = False, decimals: int = 3) -> str:
    """Figure that is no share of cases: three decimals unless told, a true minus, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''}z.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def per_cent(value: float | None, unit: str = "\N{NARROW NO-BREAK SPACE}%", sign: bool = False) -> str:
    """Share in per cent, with one decimal."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:{'+' if sign else ''}z.1f}{unit}".replace("-", "\N{MINUS SIGN}")


def p_value(value: float | None) -> str:
    """p-value with three decimals: `.063`, `< .001`; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
