"""`contour_coverage` on thousands of small soups, against exact areas and their derivatives."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Topology
from tests.ops.contour_soups import (
    NUM_SOUPS,
    Soup,
    general_soup,
    near_clipped_soup,
    needle_soup,
    tied_near_soup,
    tied_soup,
)
from tests.reference.coverage import supersampled_coverage
from tests.reference.exact_area import exact_coverage


def coverage_of(soup: Soup, verts_clip: Tensor | None = None) -> Tensor:
    verts_clip = soup.verts_clip if verts_clip is None else verts_clip
    topology = Topology.from_faces(soup.faces, verts_clip.shape[1])
    return contour_coverage(verts_clip, topology, soup.image_size)


def worst(errors: dict[int, float], tolerance: float) -> dict[int, float]:
    """Seeds beyond the tolerance, worst first: what a failing test should show."""
    bad = {seed: error for seed, error in errors.items() if not error <= tolerance}
    return dict(sorted(bad.items(), key=lambda item: -item[1])[:10])


def exact_errors(seeds: range, dtype: torch.dtype) -> dict[int, float]:
    errors = {}
    for seed in seeds:
        soup = tied_soup(seed)
        verts_clip = soup.verts_clip.to(dtype)
        expected = exact_coverage(verts_clip, soup.faces, soup.image_size)
        errors[seed] = float((coverage_of(soup, verts_clip) - expected).abs().max())
    return errors


@pytest.mark.parametrize(
    ("dtype", "first"), [(torch.float32, 0), (torch.float64, 1)], ids=["float32", "float64"]
)
def test_tied_soups_match_exact_areas(dtype: torch.dtype, first: int):
    assert not worst(exact_errors(range(first, NUM_SOUPS, 2), dtype), 2e-6)


@pytest.mark.slow
def test_many_more_tied_soups_match_exact_areas():
    assert not worst(exact_errors(range(6 * NUM_SOUPS), torch.float64), 2e-6)


def supersampled_errors(seeds: range) -> dict[int, float]:
    errors = {}
    for seed in seeds:
        soup = tied_soup(seed)
        # The noise of 64 samples a side alone is above the bound where two diagonals meet.
        expected = supersampled_coverage(soup.verts_clip, soup.faces, soup.image_size, samples=128)
        errors[seed] = float((coverage_of(soup) - expected).abs().max())
    return errors


def test_tied_soups_match_the_supersampled_union():
    assert not worst(supersampled_errors(range(0, NUM_SOUPS, 8)), 0.012)


@pytest.mark.slow
def test_all_tied_soups_match_the_supersampled_union():
    assert not worst(supersampled_errors(range(NUM_SOUPS)), 0.012)


def test_pixels_crowded_with_crossing_needles_match_the_supersampled_union():
    # Thousands of visible crossings in a pixel: minutes if each one cost a look at all the others.
    soup = needle_soup(500, (2, 2))
    expected = supersampled_coverage(soup.verts_clip, soup.faces, soup.image_size, samples=2048)
    assert 0.2 < float(expected.mean()) < 0.8
    torch.testing.assert_close(coverage_of(soup), expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("make", [near_clipped_soup, tied_near_soup])
def test_near_clipped_soups_match_exact_areas(make):
    errors = {}
    for seed in range(500):
        soup = make(seed)
        expected = exact_coverage(soup.verts_clip, soup.faces, soup.image_size)
        errors[seed] = float((coverage_of(soup) - expected).abs().max())
    assert not worst(errors, 2e-6)


@pytest.mark.parametrize("make", [general_soup, near_clipped_soup])
def test_gradients_of_soups_match_autograd_through_exact_areas(make):
    errors = {}
    for seed in range(200):
        soup = make(seed)
        weights = torch.rand(
            1, *soup.image_size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        expected, actual = (
            gradient_of(coverage, soup.verts_clip, weights)
            for coverage in (
                lambda verts, soup=soup: exact_coverage(verts, soup.faces, soup.image_size),
                lambda verts, soup=soup: coverage_of(soup, verts),
            )
        )
        scale = max(float(expected.abs().max()), 1.0)
        errors[seed] = float((actual - expected).abs().max()) / scale
    assert not worst(errors, 1e-6)


def gradient_of(coverage, verts_clip: Tensor, weights: Tensor) -> Tensor:
    verts_clip = verts_clip.clone().requires_grad_()
    (grad,) = torch.autograd.grad(
        (coverage(verts_clip) * weights).sum(), verts_clip, allow_unused=True
    )
    return torch.zeros_like(verts_clip) if grad is None else grad
