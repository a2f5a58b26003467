"""Image terms: means over known pixels, per view first."""

import pytest
import torch

from lightning_rast.losses import silhouette_l1, silhouette_l2


@pytest.fixture
def images():
    return torch.rand(3, 5, 7, dtype=torch.float64), torch.rand(3, 5, 7, dtype=torch.float64)


@pytest.mark.parametrize(("term", "power"), [(silhouette_l2, 2), (silhouette_l1, 1)])
def test_everything_known_is_the_plain_mean(images, term, power):
    expected = (images[0] - images[1]).abs().pow(power).mean()
    torch.testing.assert_close(term(*images), expected)
    torch.testing.assert_close(term(*images, torch.ones(3, 5, 7, dtype=torch.bool)), expected)


@pytest.mark.parametrize(("term", "power"), [(silhouette_l2, 2), (silhouette_l1, 1)])
def test_each_view_counts_alike_however_much_of_it_is_known(images, term, power):
    known = torch.zeros(3, 5, 7, dtype=torch.bool)
    known[0, 0, 0] = known[1, :4] = True
    error = (images[0] - images[1]).abs().pow(power)
    expected = (error[0, 0, 0] + error[1, :4].mean() + 0) / 3
    torch.testing.assert_close(term(*images, known), expected)


@pytest.mark.parametrize("term", [silhouette_l2, silhouette_l1])
def test_unknown_pixels_pull_at_nothing(images, term):
    coverage = images[0].requires_grad_()
    known = torch.rand(3, 5, 7) > 0.5
    term(coverage, images[1], known).backward()
    assert (coverage.grad[~known] == 0).all()
    assert (coverage.grad[known] != 0).all()


@pytest.mark.parametrize("term", [silhouette_l2, silhouette_l1])
@pytest.mark.parametrize("masked", [False, True])
def test_gradients(images, term, masked):
    known = torch.rand(3, 5, 7) > 0.5 if masked else None
    coverage = images[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: term(x, images[1], known), coverage)
