"""`contour_coverage` for cameras as they come: clipped, inside, behind, far, tiny and huge."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage
from tests.ops.contour_meshes import Surface, bumpy_sphere, icosphere, noisy_sphere, sheet, torus
from tests.ops.contour_views import (
    look_at,
    on_screen,
    orthographic,
    perspective,
    projected,
    seen_from,
)
from tests.reference.coverage import supersampled_coverage
from tests.reference.exact_area import exact_coverage

IMAGE_SIZE = (48, 40)


def render(verts_clip: Tensor, mesh: Surface, image_size=IMAGE_SIZE) -> tuple[Tensor, Tensor]:
    """Coverage, and the gradient of its sum; the gradient must always be finite."""
    verts_clip = verts_clip.clone().requires_grad_()
    coverage = contour_coverage(verts_clip, mesh.topology, image_size)
    (grad,) = torch.autograd.grad(coverage.sum(), verts_clip)
    assert grad.isfinite().all()
    assert ((coverage >= 0) & (coverage <= 1)).all()
    return coverage.detach(), grad


def assert_matches(verts_clip: Tensor, mesh: Surface, image_size=IMAGE_SIZE, samples=64) -> Tensor:
    coverage, grad = render(verts_clip, mesh, image_size)
    expected = supersampled_coverage(verts_clip, mesh.faces, image_size, samples)
    error = (coverage.double() - expected).abs()
    boundary = (expected > 0) & (expected < 1)
    assert boundary.any()
    assert error.max() <= 0.01 * 64 / samples
    assert error[boundary].mean() <= 1e-3 * 64 / samples
    return grad


@pytest.mark.parametrize("near", [2.5, 2.8, 3.1])
@pytest.mark.parametrize("make", [bumpy_sphere, torus, sheet, noisy_sphere])
def test_faces_are_cut_at_the_near_plane(make, near: float):
    mesh = make()
    verts_clip = seen_from(mesh.verts, near=near)
    hidden = verts_clip[..., 2] < -verts_clip[..., 3]
    assert hidden.any()
    assert not hidden.all()
    assert_matches(verts_clip.float(), mesh, samples=128)


def test_depth_moves_an_outline_that_the_near_plane_cuts():
    # A slanted plate of which the far part is seen, from where the plane cuts it.
    corners = [[-1, -1.2, 2], [1.2, -0.9, 2], [0.9, 0.7, -3], [-1.3, 0.4, -3]]
    mesh = Surface(torch.tensor(corners).double(), torch.tensor([[0, 1, 2], [0, 2, 3]]).int())
    verts_clip = seen_from(mesh.verts, eye=(0, 0, 2.5), near=1.5, fov_deg=90)
    grad = assert_matches(verts_clip, mesh, samples=128)
    assert (grad[..., 2].abs() > 0.1).any()


def test_a_floor_from_behind_the_camera_to_the_horizon():
    corners = [[-50, -0.5, -90], [50, -0.5, -90], [50, -0.5, 30], [-50, -0.5, 30]]
    mesh = Surface(torch.tensor(corners).double(), torch.tensor([[0, 1, 2], [0, 2, 3]]).int())
    verts_clip = seen_from(mesh.verts, eye=(0.3, 0.4, 2.0), target=(0, 0.4, 0), fov_deg=60)
    assert (verts_clip[..., 3] < 0).any()
    coverage, _ = render(verts_clip, mesh)
    expected = exact_coverage(verts_clip, mesh.faces, IMAGE_SIZE)
    assert 0.2 < expected.mean() < 0.6
    torch.testing.assert_close(coverage, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fov_deg", [40, 150])
@pytest.mark.parametrize("make", [bumpy_sphere, noisy_sphere])
def test_a_camera_inside_the_mesh_sees_it_everywhere(make, fov_deg: float):
    mesh = make()
    verts_clip = seen_from(mesh.verts, eye=(0.05, 0.1, 0.02), target=(1, 0.3, 0.2), fov_deg=fov_deg)
    coverage, grad = render(verts_clip.float(), mesh)
    assert (coverage == 1).all()
    assert (grad == 0).all()


def test_a_mesh_behind_the_camera_is_not_seen():
    mesh = icosphere(2)
    coverage, grad = render(seen_from(mesh.verts, eye=(0, 0, 5), target=(0, 0, 10)), mesh)
    assert (coverage == 0).all()
    assert (grad == 0).all()


@pytest.mark.parametrize("side", [(-9, 0), (9, 0), (0, -9), (0, 9), (-9, 9), (9, 9), (-9, -9)])
def test_a_mesh_beside_the_image_is_not_seen(side: tuple[float, float]):
    mesh = icosphere(2)
    offset = torch.tensor([*side, 0.0])
    coverage, grad = render(seen_from(mesh.verts + offset, eye=(0, 0, 4)), mesh)
    assert (coverage == 0).all()
    assert (grad == 0).all()


@pytest.mark.parametrize("row", [-30, 0, 25])
@pytest.mark.parametrize("column", [-28, 0, 31])
def test_a_mesh_partly_outside_looks_as_in_a_larger_image(row: int, column: int):
    # The small image is a window of the large one; what lies beyond its borders must not matter.
    mesh = noisy_sphere(level=3, noise=0.1)
    large_size, (height, width) = (120, 110), IMAGE_SIZE
    verts_clip = seen_from(mesh.verts, fov_deg=70)
    large, _ = render(verts_clip, mesh, large_size)
    screen = (verts_clip[..., :2] / verts_clip[..., 3:]).squeeze(0)
    xy = torch.stack([(screen[:, 0] + 1) / 2 * 110, (1 - screen[:, 1]) / 2 * 120], dim=1)
    top, left = 36 + row, 35 + column
    xy = xy - torch.tensor([left, top])
    small, _ = render(on_screen(xy, IMAGE_SIZE)[None], mesh)
    torch.testing.assert_close(
        small, large[:, top : top + height, left : left + width], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("image_size", [(1, 1), (1, 7), (9, 1), (3, 64), (64, 3), (17, 31)])
def test_small_and_narrow_images(image_size: tuple[int, int]):
    mesh = bumpy_sphere(3)
    assert_matches(seen_from(mesh.verts).float(), mesh, image_size, samples=200)


@pytest.mark.parametrize("image_size", [(4096, 4096), (4096, 16), (16, 4096)])
def test_large_images(image_size: tuple[int, int]):
    mesh = torus(96, 48)
    verts_clip = seen_from(mesh.verts).float()
    coverage, _ = render(verts_clip, mesh, image_size)
    height, width = image_size
    # Where the outline crosses the middle row.
    row = height // 2
    boundary = (coverage[0, row] > 0) & (coverage[0, row] < 1)
    column = int(boundary.nonzero()[0])
    window = (max(row - 8, 0), max(column - 8, 0), 16, 16)
    top, left = min(window[0], height - 16), min(window[1], width - 16)
    expected = supersampled_coverage(verts_clip, mesh.faces, image_size, 64, (top, left, 16, 16))
    actual = coverage[:, top : top + 16, left : left + 16].double()
    assert (actual - expected).abs().max() <= 0.01


def test_orthographic_cameras():
    mesh = bumpy_sphere()
    verts_clip = projected(mesh.verts, orthographic(1.2) @ look_at((1.0, 0.6, 2.0)))
    assert (verts_clip[..., 3] == 1).all()
    grad = assert_matches(verts_clip.float(), mesh)
    assert (grad[..., 2] == 0).all()


def test_a_telescope_holds_in_float32():
    # 80,000 px of focal length at distance 1400: a unit of length is 57 px, depth hardly changes.
    mesh = bumpy_sphere()
    image_size = (128, 128)
    eye = (600.0, 500.0, 1162.76)
    fov_deg = math.degrees(2 * math.atan(64 / 80_000))
    precise = projected(mesh.verts, perspective(fov_deg, near=1, far=1e4) @ look_at(eye))
    coverage, _ = render(precise.float(), mesh, image_size)
    expected = supersampled_coverage(precise, mesh.faces, image_size)
    error = (coverage.double() - expected).abs()
    assert expected.sum() > 5000
    assert error[(expected > 0) & (expected < 1)].mean() <= 5e-4
    assert error.max() <= 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("scale", [1e3, 1e6, 1e12, 1e30])
def test_faces_far_larger_than_the_image(scale: float, dtype: torch.dtype):
    # Three sides of a triangle that reaches to +-scale; the image sees one outline or none.
    for slope in (-0.4, 0.0, 0.7):
        xy = torch.tensor([[-scale, 20 - slope * scale], [scale, 20 + slope * scale], [0, scale]])
        verts_clip = on_screen(xy.double(), IMAGE_SIZE)[None].to(dtype)
        mesh = Surface(torch.zeros(3, 3), torch.tensor([[0, 1, 2]], dtype=torch.int32))
        coverage, _ = render(verts_clip, mesh)
        if scale <= 1e6:
            expected = exact_coverage(verts_clip.double(), mesh.faces, IMAGE_SIZE)
            torch.testing.assert_close(coverage.double(), expected, rtol=0, atol=1e-5)


def test_a_distant_mesh_within_one_pixel_keeps_its_area():
    mesh = icosphere(3)
    coverage, grad = render(seen_from(mesh.verts, eye=(0, 0, 500)), mesh, (9, 9))
    pixels_per_unit = 4.5 / math.tan(math.radians(22.5)) / 500
    assert coverage.sum().item() == pytest.approx(math.pi * pixels_per_unit**2, rel=0.02)
    assert (grad != 0).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_any_depths_and_signs_give_values_between_zero_and_one(dtype: torch.dtype):
    generator = torch.Generator().manual_seed(0)
    mesh = icosphere(2)
    for power in range(-8, 9, 2):
        verts_clip = torch.randn(4, len(mesh.verts), 4, generator=generator, dtype=torch.float64)
        verts_clip[..., :2] *= 10.0**power
        # Between the camera and the near plane nothing is visible: w > 0 wherever z >= -w.
        verts_clip[..., 2] = 1.02 * verts_clip[..., 3] - 0.2
        render(verts_clip.to(dtype), mesh)
