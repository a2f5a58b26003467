"""`Mesh`: welding, subdivision and what follows from positions."""

import pytest
import torch
from torch.autograd import gradcheck

from lightning_rast.scene import Mesh, Topology, cube, cylinder, grid, icosphere, quad, torus


def exploded(mesh: Mesh) -> Mesh:
    """Every face with vertices of its own."""
    verts = mesh.verts[mesh.faces.long()].reshape(-1, 3)
    return Mesh(verts, torch.arange(len(verts)).reshape(-1, 3))


def test_weld_undoes_seams():
    mesh = icosphere(2)
    welded = exploded(mesh).weld()
    assert welded.num_verts == mesh.num_verts
    assert welded.num_faces == mesh.num_faces
    assert welded.topology.genus == 0
    assert torch.equal(welded.verts[welded.faces.long()], mesh.verts[mesh.faces.long()])


def test_weld_keeps_the_first_of_equals_in_order():
    verts = torch.tensor([[2.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [1, 0, 0]])
    welded = Mesh(verts, torch.tensor([[0, 1, 3], [2, 4, 3]])).weld()
    assert welded.verts[:, 0].tolist() == [2, 1, 3]
    assert welded.faces.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_weld_treats_both_zeros_as_equal_and_neighbours_as_different():
    verts = torch.tensor([[0.0, 1, 1], [-0.0, 1, 1], [1e-30, 1, 1]])
    assert Mesh(verts, torch.zeros(0, 3, dtype=torch.int32)).weld().num_verts == 2


def test_weld_lets_gradients_through():
    mesh = exploded(cube())
    verts = mesh.verts.clone().requires_grad_()
    mesh.with_verts(verts).weld().area.backward()
    assert verts.grad is not None
    assert verts.grad.abs().sum() > 0


@pytest.mark.parametrize("mesh", [cube(), torus(8, 6), grid(2, 3), cylinder(5)])
def test_subdividing_keeps_the_surface(mesh: Mesh):
    finer = mesh.subdivide()
    assert finer.num_faces == 4 * mesh.num_faces
    assert finer.num_verts == mesh.num_verts + mesh.topology.num_edges
    assert finer.topology.euler == mesh.topology.euler
    assert torch.equal(finer.verts[: mesh.num_verts], mesh.verts)
    torch.testing.assert_close(finer.area, mesh.area)
    torch.testing.assert_close(finer.volume, mesh.volume)
    assert torch.allclose(finer.face_normals, mesh.face_normals.repeat_interleave(4, 0), atol=1e-5)


def test_subdividing_accepts_faces_that_name_a_vertex_twice():
    finer = Mesh(torch.rand(4, 3), torch.tensor([[0, 0, 1], [0, 1, 2], [3, 3, 3]])).subdivide()
    assert finer.num_faces == 12
    assert finer.num_verts == 4 + 3


def test_subdividing_only_points_changes_nothing():
    finer = Mesh(torch.rand(4, 3), torch.tensor([[3, 3, 3]])).subdivide()
    assert finer.num_verts == 4
    assert (finer.faces == 3).all()


def test_normals_of_a_sphere_point_outwards():
    mesh = icosphere(4)
    assert (mesh.vertex_normals() * mesh.verts).sum(1).min() > 0.9999
    centers = mesh.verts[mesh.faces.long()].mean(1)
    assert (mesh.face_normals * centers).sum(1).min() > 0.99


def test_normals_without_area_are_zero():
    mesh = Mesh(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]))
    assert (mesh.face_normals == 0).all()
    assert (mesh.vertex_normals() == 0).all()


def test_normals_of_a_tiny_mesh_have_unit_length():
    mesh = icosphere(1, radius=1e-9)
    assert torch.allclose(mesh.face_normals.norm(dim=1), torch.ones(mesh.num_faces))


def test_area_and_volume_are_differentiable():
    verts = icosphere(0).verts.double().requires_grad_()
    faces = icosphere(0).faces
    assert gradcheck(lambda v: Mesh(v, faces).area, verts)
    assert gradcheck(lambda v: Mesh(v, faces).volume, verts)


def test_volume_does_not_depend_on_where_the_mesh_is():
    far = icosphere(2, center=(1e4, -1e4, 1e4)).to(torch.float64)
    assert far.volume.item() == pytest.approx(icosphere(2).volume.item(), rel=2e-3)


def test_inside_out_is_noticed():
    mesh = cube()
    assert not mesh.is_inside_out
    assert Mesh(mesh.verts, mesh.faces.flip(1)).is_inside_out
    assert not Mesh(quad().verts, quad().faces.flip(1)).is_inside_out


def test_bounds_ignore_unused_vertices():
    verts = torch.cat((quad(size=2).verts, torch.tensor([[9.0, 9, 9]])))
    assert Mesh(verts, quad().faces).bounds.tolist() == [[-1, -1, 0], [1, 1, 0]]


def test_bounds_of_nothing_are_refused():
    with pytest.raises(ValueError, match="no faces"):
        _ = Mesh(torch.rand(3, 3), torch.zeros(0, 3, dtype=torch.int32)).bounds


def test_moving_vertices_keeps_the_topology():
    mesh = icosphere(1)
    topology = mesh.topology
    assert mesh.with_verts(2 * mesh.verts).topology is topology
    assert mesh.to(torch.float64).topology is topology
    assert mesh.to(torch.float64).verts.dtype == torch.float64


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("verts", "faces", "message"),
    [
        (torch.zeros(3, 2), torch.zeros(1, 3, dtype=torch.int32), r"got torch.float32 \(3, 2\)"),
        (torch.zeros(3, 3).long(), torch.zeros(1, 3, dtype=torch.int32), "floating point"),
        (torch.zeros(3, 3), torch.zeros(1, 4, dtype=torch.int32), r"\(F, 3\)"),
        (torch.zeros(3, 3), torch.tensor([[0, 1, 3]]), r"faces\[0\] = \[0, 1, 3\]"),
    ],
)
def test_bad_parts_are_named(verts: torch.Tensor, faces: torch.Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        Mesh(verts, faces)


def test_meshes_moved_before_the_topology_was_known_share_it_too():
    mesh = icosphere(1)
    moved = mesh.with_verts(2 * mesh.verts)
    again = moved.with_verts(3 * mesh.verts)
    assert again.topology is moved.topology
    assert mesh.topology is moved.topology
    assert mesh.with_verts(mesh.verts).topology is mesh.topology


def test_a_mesh_of_more_vertices_has_a_topology_of_its_own():
    mesh = icosphere(1)
    assert mesh.with_verts(2 * mesh.verts).topology.num_verts == mesh.num_verts
    larger = mesh.with_verts(torch.cat([mesh.verts, mesh.verts[:1]]))
    assert larger.topology.num_verts == mesh.num_verts + 1
    assert mesh.topology.num_verts == mesh.num_verts


def test_a_foreign_topology_is_refused():
    topology = Topology.from_faces(cube().faces, 8)
    with pytest.raises(ValueError, match="topology is of 8 vertices and 12 faces"):
        Mesh(icosphere(0).verts, icosphere(0).faces, topology=topology)


def test_a_topology_of_other_faces_is_refused():
    mesh = icosphere(1)
    with pytest.raises(ValueError, match="topology is of other faces"):
        Mesh(mesh.verts, mesh.faces.flip(0), topology=mesh.topology)


def test_equal_faces_share_the_topology_and_its_table():
    mesh = icosphere(1)
    topology = mesh.topology
    copy = Mesh(mesh.verts, mesh.faces.long(), topology=topology)
    assert copy.topology is topology
    assert copy.faces is topology.faces
