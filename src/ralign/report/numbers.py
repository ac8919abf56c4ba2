"""Figures as a page writes them: a true minus, a dash for what is no number, always as many decimals."""

import math


def number(value: float | None, sign: bool = False, decimals: int = 3) -> str:
    """A figure that is no share of cases: three decimals unless told, a true minus, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''}.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def per_cent(value: float | None, unit: str = "\N{NARROW NO-BREAK SPACE}%", sign: bool = False) -> str:
    """A share, with one decimal."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:{'+' if sign else ''}.1f}{unit}".replace("-", "\N{MINUS SIGN}")
