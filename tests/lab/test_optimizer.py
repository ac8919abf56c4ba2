import pytest
import torch
from torch import Generator

from ralign.lab.optimizer import Muon, learning_rate_factor, orthogonal


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


def test_a_training_of_ten_steps_worked_by_hand():
    factors = [learning_rate_factor(step, 10, warm_up=2, cooldown=0.5) for step in range(10)]
    assert factors == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


def test_without_a_cooldown_the_rate_stays_up():
    assert [learning_rate_factor(step, 4, warm_up=1, cooldown=0.0) for step in range(4)] == [1.0] * 4


def test_the_last_steps_of_a_long_training_still_move():
    assert learning_rate_factor(999, 1000, warm_up=5, cooldown=0.5) == 0.05
