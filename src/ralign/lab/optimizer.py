"""Muon, for the matrices of the transformer's blocks, and the learning-rate schedule of all the lab's trainings.

Muon (Jordan 2024, kellerjordan.github.io/posts/muon) is momentum whose update is made orthogonal.
"""

from collections.abc import Iterable
from math import sqrt
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

MOMENTUM: Final = 0.95
COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, by its author: steepest at zero, singular values end between 0.7 and 1.2."""
LAST: Final = 0.05
"""Share of the learning rate in the last steps of a cooldown."""


class Muon:
    """Nesterov momentum, orthogonalized, with decoupled weight decay."""

    # As torch.optim.Muon, but in float32: that one iterates in bfloat16, which is fast on a GPU and so slow on a CPU
    # that it took 40 of the 150 ms of a step of supervised training; this takes 6 (docs/lab_log.md, section 5).
    def __init__(self, matrices: Iterable[Tensor], *, weight_decay: float) -> None:
        """Take the matrices to train."""
        self._moving: Final = [(matrix, torch.zeros_like(matrix)) for matrix in matrices]
        self._weight_decay: Final = weight_decay

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Follow the gradients at this learning rate, and clear them. A matrix without a gradient stays."""
        for matrix, momentum in self._moving:
            if matrix.grad is None:
                continue
            momentum.lerp_(matrix.grad, 1 - MOMENTUM)
            update = orthogonal(matrix.grad.lerp(momentum, MOMENTUM))
            matrix.mul_(1 - rate * self._weight_decay)
            # The author's scale for matrices that are taller than wide, and torch.optim.Muon's default.
            matrix.sub_(update, alpha=rate * sqrt(max(1.0, matrix.shape[0] / matrix.shape[1])))
            matrix.grad = None


def orthogonal(matrix: Float[Tensor, "a b"], steps: int = 5) -> Float[Tensor, "a b"]:
    """The matrix with its singular values all near 1, by Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp_min(1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def learning_rate_factor(step: int, steps: int, *, warm_up: int, cooldown: float) -> float:
    """The factor of the learning rate at a step, counted from 0.

    Linear warm-up over the first `warm_up` steps, linear decay to `LAST` over the last `cooldown` (a share of all
    steps; 0 is never).
    """
    up = (step + 1) / warm_up
    down = max(LAST, (steps - step) / (steps * cooldown)) if cooldown else 1.0
    return min(1.0, up, down)
