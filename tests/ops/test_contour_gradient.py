"""The gradient of `contour_coverage`: gradcheck, differences of the reference, closed forms."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Camera, Topology
from tests.ops.contour_meshes import ALL, Surface, icosphere, surface
from tests.ops.contour_soups import general_soup, near_clipped_soup
from tests.ops.contour_views import EYE, look_at, on_screen, perspective, projected, seen_from
from tests.reference.directional import (
    smooth_directions,
    smooth_weights,
    supersampled_derivatives,
)

# Short enough for outlines not to appear or vanish on the way, long enough for 64 samples to see.
STEP_PX = 0.05


def gradcheck_coverage(verts_clip: Tensor, topology: Topology, image_size: tuple[int, int]) -> bool:
    return torch.autograd.gradcheck(
        lambda verts: contour_coverage(verts, topology, image_size),
        (verts_clip.clone().requires_grad_(),),
        eps=1e-6,
        atol=1e-6,
        rtol=1e-6,
    )


@pytest.mark.parametrize("seed", range(12))
def test_gradcheck_on_soups(seed: int):
    soup = general_soup(seed)
    topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
    assert gradcheck_coverage(soup.verts_clip, topology, soup.image_size)


@pytest.mark.parametrize("seed", range(12))
def test_gradcheck_on_faces_cut_by_the_near_plane(seed: int):
    soup = near_clipped_soup(seed)
    topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
    assert gradcheck_coverage(soup.verts_clip, topology, soup.image_size)


def test_gradcheck_on_a_closed_mesh_in_two_views():
    mesh = icosphere(1)
    jitter = 0.05 * torch.randn(len(mesh.verts), 3, generator=torch.Generator().manual_seed(0))
    verts = mesh.verts + jitter
    verts_clip = torch.cat([seen_from(verts), seen_from(verts, eye=(-2.0, 0.7, 0.6))])
    assert gradcheck_coverage(verts_clip, mesh.topology, (7, 8))


def test_gradcheck_on_a_mesh_cut_by_the_near_plane():
    mesh = icosphere(1)
    verts_clip = seen_from(mesh.verts, near=1.9)
    distance = verts_clip[..., 2] + verts_clip[..., 3]
    assert (distance < 0).any()
    assert (distance > 0).any()
    assert gradcheck_coverage(verts_clip, mesh.topology, (6, 6))


@pytest.mark.parametrize("name", ALL)
def test_gradient_matches_differences_of_the_supersampled_union(name: str):
    mesh = ALL[name]()
    image_size = (40, 40)
    world_to_clip = perspective(45) @ look_at(EYE)
    pixels_per_unit = 20 / math.tan(math.radians(22.5)) / math.hypot(*EYE)
    fields = smooth_directions(mesh.verts, count=10)
    directions = torch.nn.functional.pad(fields, (0, 1)) @ world_to_clip.T
    weights = smooth_weights(image_size)
    verts_clip = projected(mesh.verts, world_to_clip)

    expected = supersampled_derivatives(
        verts_clip[0], directions, mesh.faces, weights, step=STEP_PX / pixels_per_unit
    )
    grad = grad_of_weighted_area(verts_clip.float(), mesh, weights)
    actual = torch.einsum("kvc,vc->k", directions, grad[0].double())

    assert torch.cosine_similarity(actual, expected, dim=0) >= 0.9995
    assert abs(float(actual.norm() / expected.norm()) - 1) <= 5e-3


def grad_of_weighted_area(verts_clip: Tensor, mesh: Surface, weights: Tensor) -> Tensor:
    verts_clip = verts_clip.clone().requires_grad_()
    coverage = contour_coverage(verts_clip, mesh.topology, (weights.shape[0], weights.shape[1]))
    (grad,) = torch.autograd.grad((coverage * weights.to(coverage.dtype)).sum(), verts_clip)
    return grad


def test_gradient_of_a_rectangles_area_is_the_length_of_its_sides():
    #  0-------3      moving a corner by dx sweeps half the height of its side,
    #  |     / |      by dy half the width
    #  1-------2
    image_size = (8, 8)
    left, right, top, bottom = 1.25, 6.5, 2.0, 5.75
    xy = torch.tensor([[left, top], [left, bottom], [right, bottom], [right, top]]).double()
    topology = Topology.from_faces(torch.tensor([[0, 1, 2], [0, 2, 3]]), 4)
    xy.requires_grad_()
    area = contour_coverage(on_screen(xy, image_size)[None], topology, image_size).sum()
    (grad,) = torch.autograd.grad(area, xy)

    width, height = right - left, bottom - top
    expected = torch.tensor(
        [[-height, -width], [-height, width], [height, width], [height, -width]]
    )
    torch.testing.assert_close(area.detach(), torch.tensor(width * height).double())
    torch.testing.assert_close(grad, expected.double() / 2, rtol=0, atol=1e-7)


def test_gradient_of_a_discs_area_is_its_perimeter():
    image_size, sides = (40, 48), 720
    angle = 2 * math.pi * torch.arange(sides).double() / sides
    rim = torch.arange(sides)
    faces = torch.stack([torch.full_like(rim, sides), rim, (rim + 1) % sides], dim=1)
    topology = Topology.from_faces(faces, sides + 1)
    radius = torch.tensor(15.3, dtype=torch.float64, requires_grad=True)
    ring = radius * torch.stack([angle.cos(), angle.sin()], dim=1)
    xy = torch.cat([ring, ring.new_zeros(1, 2)]) + torch.tensor([23.7, 20.1]).double()
    area = contour_coverage(on_screen(xy, image_size)[None], topology, image_size).sum()
    (perimeter,) = torch.autograd.grad(area, radius)

    polygon = sides * math.sin(2 * math.pi / sides)
    assert area.item() == pytest.approx(0.5 * polygon * 15.3**2, rel=1e-9)
    assert perimeter.item() == pytest.approx(polygon * 15.3, rel=1e-7)
    assert perimeter.item() == pytest.approx(2 * math.pi * 15.3, rel=1e-4)


def test_only_vertices_of_the_outline_receive_gradient():
    mesh = icosphere(3)
    verts_clip = seen_from(mesh.verts)
    grad = grad_of_weighted_area(verts_clip, mesh, smooth_weights((64, 64)))[0]
    away = mesh.verts @ torch.nn.functional.normalize(torch.tensor(EYE).double(), dim=0)
    outline = (grad != 0).any(dim=1)
    assert 20 < outline.sum() < 200
    # Seen from distance d, the outline of a unit sphere lies on the plane at height 1 / d.
    assert (away[outline] - 1 / math.hypot(*EYE)).abs().max() < 0.2


def test_depth_has_no_gradient_where_nothing_is_clipped():
    mesh = icosphere(2)
    grad = grad_of_weighted_area(seen_from(mesh.verts), mesh, smooth_weights((64, 64)))
    assert (grad[..., 2] == 0).all()
    assert (grad[..., 3] != 0).any()


def test_no_gradient_is_computed_for_constant_vertices():
    mesh = icosphere(1)
    coverage = contour_coverage(seen_from(mesh.verts), mesh.topology, (8, 8))
    assert not coverage.requires_grad


def test_an_irrelevant_upstream_gradient_gives_zero():
    mesh = icosphere(1)
    grad = grad_of_weighted_area(seen_from(mesh.verts), mesh, torch.zeros(16, 16))
    assert (grad == 0).all()


def test_camera_parameters_receive_gradients():
    mesh = icosphere(2)
    camera = Camera.look_at(torch.tensor([EYE]), fov_deg=45, image_size=(32, 32))
    focal = camera.K.clone().requires_grad_()
    pose = camera.world_to_view.clone().requires_grad_()

    def area(focal: Tensor, pose: Tensor) -> Tensor:
        moved = Camera(world_to_view=pose, K=focal, image_size=(32, 32))
        return contour_coverage(moved.world_to_clip(mesh.verts), mesh.topology, (32, 32)).sum()

    grad_focal, grad_pose = torch.autograd.grad(area(focal, pose), (focal, pose))
    step = 1e-5
    for grad, entry in ((grad_focal, (0, 0, 0)), (grad_pose, (0, 2, 3))):
        offset = torch.zeros_like(grad)
        offset[entry] = step
        shifts = (offset, torch.zeros_like(pose)) if grad is grad_focal else (0 * focal, offset)
        ahead = area(focal + shifts[0], pose + shifts[1])
        behind = area(focal - shifts[0], pose - shifts[1])
        difference = (ahead - behind).item() / (2 * step)
        assert abs(difference) > 0.1
        assert grad[entry].item() == pytest.approx(difference, rel=1e-5)


def test_sheet_seen_edge_on_has_finite_gradient():
    mesh = surface([[0, -1, -1], [0, 1, -1], [0, 0, 1]], [[0, 1, 2]])
    verts_clip = seen_from(mesh.verts, eye=(0, 0.2, 3)).requires_grad_()
    coverage = contour_coverage(verts_clip, mesh.topology, (16, 16))
    coverage.sum().backward()
    assert (coverage == 0).all()
    assert verts_clip.grad is not None
    assert verts_clip.grad.isfinite().all()
