"""Cutting apart where a mesh is no manifold."""

import pytest
import torch

from lightning_rast.scene import Mesh, cube, cut_apart, grid, icosphere, load_mesh, mesh_report
from tests.scene.test_intersections import joined


def corner_to_corner() -> Mesh:
    return joined(cube(), cube(center=(1.0, 1.0, 1.0))).weld()


def edge_to_edge() -> Mesh:
    return joined(cube(), cube(center=(1.0, 1.0, 0.0))).weld()


@pytest.mark.parametrize("make", [corner_to_corner, edge_to_edge])
def test_solids_that_touch_become_two(make):
    mesh = make()
    assert not mesh.topology.is_manifold
    cut = cut_apart(mesh)
    assert torch.equal(cut.corners, mesh.corners)
    report = mesh_report(cut)
    assert report.is_sound
    assert [component.volume for component in report.components] == pytest.approx([1, 1])


@pytest.mark.parametrize("mesh", [cube(), icosphere(2), grid(3, 3)])
def test_a_manifold_stays_as_it_is(mesh):
    cut = cut_apart(mesh)
    assert torch.equal(cut.verts, mesh.verts)
    assert torch.equal(cut.faces, mesh.faces)


def test_a_third_wing_comes_off():
    #     2       three faces at the edge (0, 1)
    #   / | \
    #  3--0--4    (1 lies behind 0)
    verts = torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 1, 0], [-1, 0, 0], [1, 0, 0]])
    mesh = Mesh(verts, torch.tensor([[0, 1, 2], [1, 0, 3], [1, 0, 4]]))
    cut = cut_apart(mesh)
    assert cut.topology.is_manifold
    assert torch.equal(cut.corners, mesh.corners)


def test_vertices_without_faces_stay():
    mesh = corner_to_corner()
    more = Mesh(torch.cat((mesh.verts, torch.ones(1, 3))), mesh.faces)
    assert cut_apart(more).num_verts == mesh.num_verts + 2


@pytest.mark.parametrize(("name", "is_closed"), [("cow.obj", True), ("suzanne.obj", False)])
def test_real_scans_become_manifolds(shared_data, name, is_closed):
    mesh = load_mesh(shared_data / "meshes" / name)
    cut = cut_apart(mesh)
    assert not mesh.topology.is_manifold
    assert cut.topology.is_manifold
    assert cut.topology.is_oriented
    assert cut.topology.is_closed == is_closed
    assert torch.equal(cut.corners, mesh.corners)
