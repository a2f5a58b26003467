"""voxelize against solid angles, and where rays meet edges and vertices."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.optim import extract_surface, voxelize
from lightning_rast.scene import Mesh, cube, icosphere, torus


def winding_by_solid_angles(mesh: Mesh, origin: Tensor, cell: float, size: tuple) -> Tensor:
    """Sum of all faces' solid angles over 4 pi (van Oosterom and Strackee 1983), float64."""
    axes = [origin[i] + cell * torch.arange(size[i], dtype=torch.float64) for i in range(3)]
    points = torch.cartesian_prod(*axes)
    a, b, c = (corner[None] - points[:, None] for corner in mesh.corners.double().unbind(1))
    la, lb, lc = (v.norm(dim=-1) for v in (a, b, c))
    solid = 2 * torch.atan2(
        (a * torch.linalg.cross(b, c)).sum(-1),
        la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb,
    )
    return (solid.sum(dim=1) / (4 * math.pi)).reshape(size)


def assert_matches_solid_angles(mesh: Mesh, size: tuple, seed: int = 0) -> None:
    low, high = mesh.bounds.double()
    cell = 1.2 * float((high - low).max()) / max(size)
    shift = torch.rand(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    origin = (low + high) / 2 - cell * (torch.tensor(size) / 2 - shift)
    expected = winding_by_solid_angles(mesh, origin, cell, size)
    winding = voxelize(mesh, origin=origin, cell=cell, size=size)
    off_surface = (expected - expected.round()).abs() < 0.01
    assert float(off_surface.double().mean()) > 0.99
    assert torch.equal(winding[off_surface].double(), expected[off_surface].round())


@pytest.mark.parametrize(
    "mesh", [cube(), icosphere(2), torus(24, 12)], ids=["cube", "ball", "ring"]
)
def test_counts_are_winding_numbers(mesh):
    assert_matches_solid_angles(mesh, (17, 14, 19))


def test_an_inside_out_mesh_counts_negative():
    mesh = icosphere(2)
    assert_matches_solid_angles(Mesh(mesh.verts, mesh.faces.flip(1)), (12, 12, 12))


def test_overlapping_parts_count_twice():
    ball = icosphere(2)
    verts = torch.cat((ball.verts, ball.verts + torch.tensor([0.7, 0.1, 0.2])))
    mesh = Mesh(verts, torch.cat((ball.faces, ball.faces + ball.num_verts)))
    assert int(voxelize(mesh, origin=(-1, -1, -1), cell=0.1, size=(28, 21, 21)).max()) == 2
    assert_matches_solid_angles(mesh, (14, 11, 12))


@pytest.mark.parametrize("seed", range(8))
def test_a_crumpled_self_intersecting_mesh_counts_right(seed):
    generator = torch.Generator().manual_seed(seed)
    mesh = icosphere(2)
    verts = mesh.verts + 0.4 * torch.randn(mesh.verts.shape, generator=generator)
    assert_matches_solid_angles(mesh.with_verts(verts), (13, 11, 12), seed)


def test_rays_through_vertices_and_along_edges_and_faces_leave_no_trail():
    # All of the cube's vertices, edges and sides lie on columns of the grid.
    box = cube()
    low, high = box.bounds
    side = float((high - low).max())
    winding = voxelize(box, origin=low - side / 4, cell=side / 8, size=(13, 13, 13))
    inner = winding[3:10, 3:10, 3:10]
    assert bool((inner == 1).all())
    outer = winding.clone()
    outer[2:11, 2:11, 2:11] = 0
    assert not bool(outer.any())


def test_every_ray_leaves_as_often_as_it_enters():
    # Vertices of a surface of noise, rounded to halves: rays hit vertices and edges all the time.
    field = torch.randn(9, 8, 9)
    mesh = extract_surface(field, origin=(2, 2, 2), cell=1.0)
    mesh = mesh.with_verts((2 * mesh.verts).round() / 2)
    winding = voxelize(mesh, origin=(0, 0, 0), cell=0.5, size=(26, 24, 30))
    assert bool(winding.any())
    assert not bool(winding[:, :, -2:].any())


def test_a_surface_encloses_the_points_it_was_made_around():
    field = torch.randn(12, 9, 10)
    mesh = extract_surface(field, origin=(0.3, -4.0, 7.0), cell=0.7)
    winding = voxelize(mesh, origin=(0.3, -4.0, 7.0), cell=0.7, size=field.shape)
    assert torch.equal(winding, (field > 0).to(torch.int16))


def test_a_mesh_partly_beyond_the_grid_is_cut_off():
    winding = voxelize(icosphere(3), origin=(0, 0, 0), cell=0.1, size=(30, 30, 5))
    assert int(winding[0, 0, 0]) == 1
    assert not bool(winding[11:].any())
    assert bool((winding[:5, :5] == 1).all())


def test_degenerate_faces_change_nothing():
    mesh = icosphere(1)
    flat = torch.tensor([[0, 0, 1], [2, 2, 2]], dtype=torch.int32)
    more = Mesh(mesh.verts, torch.cat((mesh.faces, flat)))
    grid = {"origin": (-1.0, -1.0, -1.0), "cell": 0.25, "size": (9, 9, 9)}
    assert torch.equal(voxelize(more, **grid), voxelize(mesh, **grid))


def test_any_number_of_threads_gives_the_same_counts():
    mesh = torus()
    threads = torch.get_num_threads()
    counts = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        counts.append(voxelize(mesh, origin=(-2, -2, -2), cell=0.1, size=(41, 40, 39)))
    torch.set_num_threads(threads)
    assert torch.equal(counts[0], counts[1])
    assert torch.equal(counts[0], counts[2])


def test_a_vertex_that_is_not_finite_is_refused():
    mesh = icosphere(0)
    verts = mesh.verts.clone()
    verts[3, 1] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        voxelize(mesh.with_verts(verts), origin=(0, 0, 0), cell=1.0, size=(2, 2, 2))


def test_a_mesh_too_far_away_is_refused():
    mesh = icosphere(0)
    with pytest.raises(ValueError, match="cells from the grid"):
        voxelize(mesh.with_verts(mesh.verts + 1e9), origin=(0, 0, 0), cell=1.0, size=(2, 2, 2))
