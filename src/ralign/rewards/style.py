"""Style of an answer: its length and its markdown, for style control and for signs of reward hacking. Pure.

The features are those of Arena-Hard's and Chatbot Arena's style control (Li, Angelopoulos and Chiang, "Does style
matter?", LMSYS blog, August 2024): length, markdown headers, list items and bold spans, code blocks left out. Lengths
are in characters rather than one model's tokens.
"""

import re
from typing import NamedTuple

# A fence that the token limit left open runs to the end.
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)
_LIST_ITEM = re.compile(r"^[ \t]*(?:\d+\.|[-*+])\s", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")


class Style(NamedTuple):
    """Length and markdown counts of one answer."""

    length: int
    """Characters, thinking left out."""
    headers: int
    list_items: int
    bold: int


def style_of(answer: str) -> Style:
    """Style of an answer. Markdown inside a code block is code and not counted."""
    prose = _CODE.sub("", answer)
    return Style(
        length=len(answer),
        headers=len(_HEADER.findall(prose)),
        list_items=len(_LIST_ITEM.findall(prose)),
        bold=len(_BOLD.findall(prose)),
    )
