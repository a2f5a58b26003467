"""Volumes shared by solids whose overlap is known."""

import math

import pytest
import torch

from lightning_rast.evaluation import volume_iou
from lightning_rast.scene import Mesh, cube, grid, icosphere, torus


def joined(*meshes: Mesh) -> Mesh:
    start, verts, faces = 0, [], []
    for mesh in meshes:
        verts.append(mesh.verts)
        faces.append(mesh.faces + start)
        start += mesh.num_verts
    return Mesh(torch.cat(verts), torch.cat(faces))


@pytest.mark.parametrize("shift", [(0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)])
def test_cubes_moved_by_half_share_a_third(shift):
    assert volume_iou(cube(center=shift), cube()) == pytest.approx(1 / 3, abs=2e-4)


def test_a_solid_shares_all_with_itself():
    mesh = torus(32, 16)
    assert volume_iou(mesh, mesh) == 1


def test_solids_apart_share_nothing():
    assert volume_iou(cube(), cube(center=(5.0, 0, 0))) == 0


def test_a_sphere_within_a_larger_one_shares_its_volume():
    mesh, reference = icosphere(4, radius=0.9), icosphere(4, radius=1.0)
    assert volume_iou(mesh, reference) == pytest.approx(0.9**3, abs=2e-4)


def test_unit_and_place_do_not_matter():
    small, large = icosphere(2), icosphere(2, radius=1.1)
    expected = volume_iou(small, large)
    for scale, place in ((1e-3, 0.0), (1e3, 7e3)):
        moved = [mesh.with_verts(mesh.verts.double() * scale + place) for mesh in (small, large)]
        assert volume_iou(*moved) == pytest.approx(expected, abs=1e-9)


def test_parts_that_overlap_count_once():
    assert volume_iou(joined(cube(), cube()), cube()) == 1


def test_a_mesh_inside_out_encloses_the_same():
    mesh = torus(16, 8)
    assert volume_iou(Mesh(mesh.verts, mesh.faces.flip(1)), mesh) == 1


def test_a_cavity_is_outside():
    ball = icosphere(3, radius=0.5)
    hollow = joined(icosphere(3), Mesh(ball.verts, ball.faces.flip(1)))
    assert volume_iou(hollow, icosphere(3)) == pytest.approx(7 / 8, abs=2e-4)


def test_vertices_and_edges_on_the_lines_between_cells_lose_nothing():
    # A regular stack of boxes, all of whose sides lie along the axes.
    stack = joined(*(cube(center=(x, y, 0.0)) for x in (-1.5, 0, 1.5) for y in (-1.5, 0, 1.5)))
    wall = cube(size=4.0)
    wall = wall.with_verts(wall.verts * torch.tensor([1.0, 1.0, 0.25]))
    assert volume_iou(stack, wall) == pytest.approx(9 / 16, abs=1e-3)


def test_more_columns_come_nearer_to_the_truth():
    mesh, reference = icosphere(4, radius=0.7), icosphere(4)
    errors = [abs(volume_iou(mesh, reference, num_columns=count) - 0.7**3) for count in (16, 256)]
    assert errors[1] < errors[0] / 8
    assert not math.isnan(errors[0])


def test_an_open_mesh_is_refused():
    with pytest.raises(ValueError, match="not closed"):
        volume_iou(grid(2, 2), cube())


def test_positions_that_are_not_finite_are_refused():
    mesh = cube()
    with pytest.raises(ValueError, match="not finite"):
        volume_iou(mesh.with_verts(mesh.verts * torch.nan), cube())
