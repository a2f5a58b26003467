"""`contour_coverage` on meshes as they come: open, broken, repeated, inside out, empty."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage
from tests.ops.contour_meshes import (
    Surface,
    bumpy_sphere,
    icosphere,
    joined,
    nested_shells,
    sheet,
    surface,
    torus,
)
from tests.ops.contour_views import seen_from
from tests.reference.coverage import supersampled_coverage
from tests.reference.exact_area import exact_coverage

IMAGE_SIZE = (32, 36)


def coverage_and_gradient(mesh: Surface) -> tuple[Tensor, Tensor]:
    """Coverage of one view, and the gradient of its row-weighted sum."""
    verts_clip = seen_from(mesh.verts).requires_grad_()
    coverage = contour_coverage(verts_clip, mesh.topology, IMAGE_SIZE)
    weights = torch.linspace(0.5, 1.5, IMAGE_SIZE[0], dtype=torch.float64)[:, None]
    (grad,) = torch.autograd.grad((coverage * weights).sum(), verts_clip)
    return coverage[0].detach(), grad[0]


def assert_same(actual: Surface, expected: Surface) -> None:
    """Same picture; same gradient on the vertices that both have."""
    coverage, grad = coverage_and_gradient(actual)
    expected_coverage, expected_grad = coverage_and_gradient(expected)
    assert expected_coverage.sum() > 10
    torch.testing.assert_close(coverage, expected_coverage, rtol=0, atol=1e-9)
    torch.testing.assert_close(grad[: len(expected_grad)], expected_grad, rtol=0, atol=1e-7)


def assert_matches_exact(mesh: Surface) -> None:
    expected = exact_coverage(seen_from(mesh.verts), mesh.faces, IMAGE_SIZE)[0]
    coverage, grad = coverage_and_gradient(mesh)
    assert expected.sum() > 10
    torch.testing.assert_close(coverage, expected, rtol=0, atol=1e-6)
    assert grad.isfinite().all()


def test_inside_out_is_the_same():
    mesh = bumpy_sphere(3)
    assert_same(Surface(mesh.verts, mesh.faces.flip(1)), mesh)


@pytest.mark.parametrize("make", [bumpy_sphere, sheet, nested_shells])
def test_winding_of_single_faces_does_not_matter(make):
    mesh = make()
    turned = torch.rand(len(mesh.faces), generator=torch.Generator().manual_seed(0)) < 0.4
    faces = torch.where(turned[:, None], mesh.faces.flip(1), mesh.faces)
    assert not Surface(mesh.verts, faces).topology.is_oriented
    assert_same(Surface(mesh.verts, faces), mesh)


@pytest.mark.parametrize("make", [bumpy_sphere, sheet])
def test_repeated_faces_do_not_matter(make):
    mesh = make()
    again = torch.cat([mesh.faces, mesh.faces[::3], mesh.faces[::5].flip(1), mesh.faces[::3]])
    assert_same(Surface(mesh.verts, again), mesh)


def test_order_of_faces_does_not_matter():
    mesh = bumpy_sphere(3)
    order = torch.randperm(len(mesh.faces), generator=torch.Generator().manual_seed(0))
    assert_same(Surface(mesh.verts, mesh.faces[order].roll(1, dims=1)), mesh)


def test_unreferenced_vertices_get_no_gradient():
    mesh = icosphere(2)
    extra = Surface(torch.cat([mesh.verts, torch.full((5, 3), 0.3).double()]), mesh.faces)
    assert_same(extra, mesh)
    assert (coverage_and_gradient(extra)[1][-5:] == 0).all()


def test_faces_that_repeat_a_vertex_do_not_matter():
    mesh = icosphere(2)
    degenerate = torch.tensor([[3, 3, 5], [7, 9, 7], [1, 1, 1], [20, 21, 21]], dtype=torch.int32)
    assert_same(Surface(mesh.verts, torch.cat([degenerate, mesh.faces])), mesh)


def test_faces_with_corners_on_a_line_do_not_matter():
    mesh = icosphere(2)
    tip = len(mesh.verts)
    verts = torch.cat([mesh.verts, (mesh.verts[:1] + mesh.verts[1:2]) / 2])
    faces = torch.cat([mesh.faces, torch.tensor([[0, 1, tip]], dtype=torch.int32)])
    assert_same(Surface(verts, faces), mesh)


def test_cracks_between_unwelded_faces_do_not_show():
    mesh = bumpy_sphere(3)
    split = Surface(
        mesh.verts[mesh.faces.reshape(-1).long()],
        torch.arange(3 * len(mesh.faces), dtype=torch.int32).reshape(-1, 3),
    )
    coverage, _ = coverage_and_gradient(split)
    torch.testing.assert_close(coverage, coverage_and_gradient(mesh)[0], rtol=0, atol=1e-9)


def test_a_shell_inside_another_is_hidden():
    coverage, grad = coverage_and_gradient(nested_shells())
    outer, outer_grad = coverage_and_gradient(icosphere(3, radius=0.9))
    torch.testing.assert_close(coverage, outer, rtol=0, atol=1e-12)
    torch.testing.assert_close(grad[: len(outer_grad)], outer_grad, rtol=0, atol=1e-9)
    assert (grad[len(outer_grad) :] == 0).all()


def test_overlapping_components_form_one_union():
    right = icosphere(3, radius=0.5)
    mesh = joined(
        torus(),
        icosphere(3, radius=0.45),
        Surface(right.verts + torch.tensor([0.6, 0.3, 0]), right.faces),
    )
    coverage, _ = coverage_and_gradient(mesh)
    expected = supersampled_coverage(seen_from(mesh.verts), mesh.faces, IMAGE_SIZE)[0]
    assert (coverage - expected).abs().max() <= 0.01


def test_three_sheets_on_one_edge():
    #   2   3   4     three triangles that share the edge 0-1
    #    \  |  /
    #     0---1
    verts = [[-0.5, -0.6, 0], [0.5, -0.6, 0.1], [-0.9, 0.7, 0.2], [0.1, 0.9, -0.3], [0.9, 0.5, 0.3]]
    mesh = surface(verts, [[0, 1, 2], [0, 1, 3], [1, 0, 4]])
    assert not mesh.topology.is_manifold
    assert_matches_exact(mesh)


def test_moebius_strip():
    angle = 2 * torch.pi * torch.arange(9).double() / 9
    across = torch.stack(
        [
            torch.cos(angle / 2) * angle.cos(),
            torch.cos(angle / 2) * angle.sin(),
            torch.sin(angle / 2),
        ]
    ).T
    centre = torch.stack([angle.cos(), angle.sin(), 0 * angle]).T
    verts = torch.stack([0.7 * centre - 0.25 * across, 0.7 * centre + 0.25 * across], dim=1)
    faces = []
    for k in range(9):
        a, b = 2 * k, 2 * k + 1
        c, d = ((2 * k + 2) % 18, (2 * k + 3) % 18) if k < 8 else (1, 0)
        faces += [[a, b, d], [a, d, c]]
    mesh = surface(verts.reshape(-1, 3), faces)
    assert not mesh.topology.is_oriented
    coverage, _ = coverage_and_gradient(mesh)
    expected = exact_coverage(seen_from(mesh.verts), mesh.faces, IMAGE_SIZE)[0]
    torch.testing.assert_close(coverage, expected, rtol=0, atol=1e-6)


def test_two_triangles_touching_in_a_vertex():
    verts = [[0, 0, 0], [-0.9, 0.4, 0], [-0.8, -0.6, 0.2], [0.9, 0.5, 0], [0.7, -0.7, 0]]
    assert_matches_exact(surface(verts, [[0, 1, 2], [0, 3, 4]]))


def test_a_star_that_crosses_itself():
    angle = 4 * torch.pi * torch.arange(5).double() / 5
    rim = torch.stack([angle.sin(), angle.cos(), 0.1 * angle], dim=1)
    mesh = surface(rim, [[0, 1, 2], [0, 2, 3], [0, 3, 4]])
    assert_matches_exact(mesh)


def test_a_sphere_with_faces_missing():
    mesh = icosphere(1)
    assert_matches_exact(Surface(mesh.verts, mesh.faces[::8]))


@pytest.mark.parametrize("num_views", [0, 1, 3])
@pytest.mark.parametrize("num_verts", [0, 4])
def test_no_faces_cover_nothing(num_views: int, num_verts: int):
    mesh = Surface(torch.zeros(num_verts, 3).double(), torch.zeros(0, 3, dtype=torch.int32))
    verts_clip = torch.ones(num_views, num_verts, 4, requires_grad=True)
    coverage = contour_coverage(verts_clip, mesh.topology, (5, 7))
    coverage.sum().backward()
    assert coverage.shape == (num_views, 5, 7)
    assert (coverage == 0).all()
    assert verts_clip.grad is not None
    assert (verts_clip.grad == 0).all()


def test_no_views_give_no_images():
    mesh = icosphere(1)
    verts_clip = torch.zeros(0, len(mesh.verts), 4, requires_grad=True)
    coverage = contour_coverage(verts_clip, mesh.topology, (5, 7))
    coverage.sum().backward()
    assert coverage.shape == (0, 5, 7)
    assert verts_clip.grad is not None
    assert verts_clip.grad.shape == (0, len(mesh.verts), 4)


def test_a_mesh_without_area_covers_nothing():
    mesh = Surface(torch.full((12, 3), 0.2).double(), icosphere(0).faces)
    coverage, grad = coverage_and_gradient(mesh)
    assert (coverage == 0).all()
    assert grad.isfinite().all()
