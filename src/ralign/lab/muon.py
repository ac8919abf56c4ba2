"""Muon (Jordan 2024, kellerjordan.github.io/posts/muon): momentum whose update is made orthogonal, for matrices.

As `torch.optim.Muon`, but in float32: that one iterates in bfloat16, which is fast on a GPU and so slow on a CPU that
the optimiser took a quarter of the lab's supervised training.
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


class Muon:
    """Nesterov momentum, orthogonalised, with decoupled weight decay."""

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
