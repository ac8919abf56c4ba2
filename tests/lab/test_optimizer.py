import pytest
import torch
from torch import Generator

from ralign.lab.optimizer import Muon, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (48, 16), (16, 64)])
def test_singular_values_end_near_one(shape, generator):
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=generator)))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_directions_are_kept(generator):
    """An orthogonal matrix, scaled, comes back without its scale."""
    rotation, _ = torch.linalg.qr(torch.randn(16, 16, generator=generator))
    found = orthogonal(0.01 * rotation)
    torch.testing.assert_close(found / found.norm(), rotation / rotation.norm(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", [(48, 16), (16, 64)])
def test_it_goes_where_torchs_own_goes(shape):
    """That one iterates in bfloat16, three digits; ten steps of .02 move a weight by about .03."""
    start = torch.randn(shape, generator=Generator().manual_seed(1))
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizer = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1)
    muon = Muon([ours], weight_decay=0.1)
    gradients = Generator().manual_seed(2)
    for _ in range(10):
        gradient = torch.randn(shape, generator=gradients)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        muon.step(0.02)
        optimizer.step()
    assert (theirs - start).abs().mean() > 0.01
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-3)
    assert ours.grad is None


def test_a_matrix_without_a_gradient_stays():
    weight = torch.nn.Parameter(torch.ones(4, 4))
    Muon([weight], weight_decay=0.1).step(0.1)
    assert torch.equal(weight, torch.ones(4, 4))
