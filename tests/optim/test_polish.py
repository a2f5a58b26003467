"""What a polish follows, against autograd."""

import pytest
import torch

from lightning_rast.optim.polish import coverage_misfit


@pytest.fixture
def images():
    torch.manual_seed(0)
    return torch.rand(3, 4, 5, dtype=torch.float64), torch.rand(3, 4, 5, dtype=torch.float64)


@pytest.mark.parametrize("known", [None, torch.rand(3, 4, 5) > 0.4])
@pytest.mark.parametrize(("l2", "l1"), [(1.0, 0.0), (0.5, 0.25), (0.0, 2.0)])
def test_the_gradient_is_that_of_the_weighted_sum(images, known, l2, l1):
    coverage, target = images
    weights = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
    coverage.requires_grad_()
    difference = (coverage - target) * (1 if known is None else known)
    of_view = (l2 * difference.square() + l1 * difference.abs()).sum(dim=(1, 2)) * weights
    of_view.sum().backward()
    found = coverage_misfit(coverage, target, known, weights=weights, l2=l2, l1=l1)
    torch.testing.assert_close(found.of_view, of_view.detach())
    torch.testing.assert_close(found.grad_coverage, coverage.grad)
