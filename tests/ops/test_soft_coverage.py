"""`soft_coverage` against the independent float64 reference."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import soft_coverage
from lightning_rast.ops.soft_coverage import Semantics
from tests.ops.soft_scenes import SCENES, SOFTNESS, Scene, expected, options, soup_scene


def value_and_gradient(image: Tensor, verts_clip: Tensor) -> tuple[Tensor, Tensor]:
    weights = torch.arange(image.numel()).sin().reshape(image.shape).to(image)
    (grad,) = torch.autograd.grad((image * weights).sum(), verts_clip)
    return image.detach().double(), grad.double()


def rendered(scene: Scene, dtype: torch.dtype, **chosen) -> tuple[Tensor, Tensor]:
    verts = scene.verts_clip.to(dtype, copy=True).requires_grad_()
    return value_and_gradient(soft_coverage(verts, scene.faces, scene.image_size, **chosen), verts)


@pytest.mark.parametrize("semantics", SOFTNESS)
@pytest.mark.parametrize("name", SCENES)
def test_matches_the_reference(name: str, semantics: str):
    scene = SCENES[name]()
    verts = scene.verts_clip.clone().requires_grad_()
    image, grad = value_and_gradient(expected(scene._replace(verts_clip=verts), semantics), verts)
    assert 0.05 < image.mean() < 0.98
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-4)):
        actual, actual_grad = rendered(scene, dtype, **options(semantics))
        torch.testing.assert_close(actual, image, rtol=0, atol=tolerance)
        error = (actual_grad - grad).norm() / grad.norm()
        assert error < tolerance


@pytest.mark.parametrize("faces_per_pixel", [1, 2, 5])
def test_only_the_nearest_faces_count(faces_per_pixel: int):
    # Soups, because the faces around a vertex are all equally near beyond it.
    scene = soup_scene()
    verts = scene.verts_clip.clone().requires_grad_()
    image, grad = value_and_gradient(
        expected(scene._replace(verts_clip=verts), "pytorch3d", faces_per_pixel), verts
    )
    everything = expected(scene, "pytorch3d")
    assert (image - everything).abs().max() > 0.1
    actual, actual_grad = rendered(scene, torch.float64, **options("pytorch3d", faces_per_pixel))
    torch.testing.assert_close(actual, image, rtol=0, atol=1e-6)
    assert (actual_grad - grad).norm() / grad.norm() < 1e-6


def test_of_equally_near_faces_the_first_count():
    # Two faces at one place, three times each; with an even limit one of each pair counts.
    corners = torch.tensor([[-0.5, -0.5, 0, 1], [0.6, -0.4, 0, 1], [0.0, 0.5, 0, 1]]).double()
    verts_clip = torch.cat([corners, 0.5 * corners])[None]
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]] * 3, dtype=torch.int32)

    def image(chosen: Tensor, faces_per_pixel: int) -> Tensor:
        chosen_options = options("pytorch3d", faces_per_pixel)
        return soft_coverage(verts_clip, chosen, (24, 24), **chosen_options)

    assert torch.equal(image(faces, 3), image(faces[[1, 3, 5]], 50))
    assert torch.equal(image(faces, 2), image(faces[[1, 3]], 50))


@pytest.mark.parametrize("semantics", SOFTNESS)
def test_a_pixel_far_inside_is_covered_and_takes_no_gradient(semantics: Semantics):
    xy = torch.tensor([[-90.0, -80.0], [90.0, -80.0], [0.0, 95.0]]).double()
    verts = torch.cat([xy, torch.zeros(3, 1), torch.ones(3, 1)], dim=1)[None].requires_grad_()
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    image = soft_coverage(verts, faces, (9, 11), semantics=semantics, sigma=1e-4)
    assert torch.equal(image, torch.ones(1, 9, 11).double())
    (grad,) = torch.autograd.grad(image.sum(), verts)
    assert torch.equal(grad, torch.zeros_like(grad))


def test_coverage_falls_to_zero_without_a_step_in_pixel_semantics():
    # A half plane; its outline is the column x = 10, coverage ends 9.2 sigma from it.
    x = torch.tensor([[10.0, -500.0], [-800.0, 5.0], [10.0, 500.0]]).double()
    ndc = torch.stack([x[:, 0] / 20 * 2 - 1, 1 - x[:, 1] / 10 * 2], dim=1)
    verts = torch.cat([ndc, torch.zeros(3, 1), torch.ones(3, 1)], dim=1)[None]
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    ends = 9.5 / 9.21024036697585  # sigma that ends at the pixel centre 9.5 px away
    row = soft_coverage(verts, faces, (10, 20), sigma=ends * (1 + 1e-6))[0, 5]
    assert 0 < row[19] < 1e-9
    assert row[0] > row[9] > 0.5 > row[10] > row[18] > row[19]
    assert soft_coverage(verts, faces, (10, 20), sigma=ends * (1 - 1e-6))[0, 5, 19] == 0
