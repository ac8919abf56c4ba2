"""The learning rate over a training: up, level, down."""

LAST = 0.05
"""Share of the rate that the last steps are taken at."""


def share(step: int, steps: int, *, warm_up: int, cooldown: float) -> float:
    """The share of the learning rate at a step, counted from 0.

    It rises over the first `warm_up` steps and falls, linearly, over the last `cooldown` (a share of all steps; 0 is
    never).
    """
    up = (step + 1) / warm_up
    down = max(LAST, (steps - step) / (steps * cooldown)) if cooldown else 1.0
    return min(1.0, up, down)
