"""HTML and SVG, put together so that nothing gets into a page unescaped.

A string is text, and is escaped; only what `tag` returns, or what is called `Html` on purpose, is taken as it is.
"""

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
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value if isinstance(value, str) else _short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Child) -> Html:
    """One after the other."""
    if children is None:
        return Html()
    if isinstance(children, str):
        return children if isinstance(children, Html) else Html(escape(children, quote=False))
    return Html("".join(map(join, children)))


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
