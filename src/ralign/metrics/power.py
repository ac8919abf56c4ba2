"""What difference between two runs so many prompts can show, and how many prompts a difference takes. Pure.

Power 80 %, two-sided level 5 %, the two runs on the same prompts. Miller, Adding Error Bars to Evals (2024,
arXiv 2411.00640), section 5: with differences of variance w^2 a prompt, n prompts show a difference d where

    n = (z_.975 + z_.8)^2 w^2 / d^2

Before any call w^2 is not known. For two runs that are each right with probability p it is 2 p (1 - p) (1 - r), r the
correlation of their results on a prompt. p = 1/2 and r = 0 are the worst there is short of runs that are right where
the other is wrong, so they are the default. All pairs and judgments of one prompt count as one: the worst again.
"""

import math

from ralign.metrics.intervals import Interval, Z

Z_POWER = 0.8416212335729143
"""The 80 % point of the normal distribution."""


def smallest_difference(prompts: int, *, share: float = 0.5, correlation: float = 0.0) -> float:
    """The difference of two shares that so many prompts show 8 times in 10; at most 1.

    Args:
        prompts: that both runs answer.
        share: what each run is right on.
        correlation: of the two runs' results over prompts.
    """
    return min(1.0, (Z + Z_POWER) * math.sqrt(_variance(share, correlation) / prompts))


def prompts_needed(difference: float, *, share: float = 0.5, correlation: float = 0.0) -> int:
    """How many prompts show this difference of two shares 8 times in 10; see `smallest_difference`."""
    return math.ceil((Z + Z_POWER) ** 2 * _variance(share, correlation) / difference**2 - 1e-9)


def shown_by(difference: Interval) -> float:
    """The difference that a comparison with this interval shows 8 times in 10, whatever it happened to find.

    The mean distance of the ends stands for the standard error: unlike the plain one it is never 0, and it knows of
    prompts with several pairs.
    """
    return (Z + Z_POWER) * (difference.high - difference.low) / (2 * Z)


def _variance(share: float, correlation: float) -> float:
    return 2 * share * (1 - share) * (1 - correlation)
