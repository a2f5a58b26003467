import math

import pytest
import torch

from lightning_rast.optim import Remeshed, remesh
from lightning_rast.scene import Mesh, Topology, cube, grid, icosphere, torus


def edge_lengths(mesh: Mesh) -> torch.Tensor:
    a, b = mesh.verts[mesh.topology.edge_verts.long()].unbind(1)
    return (a - b).norm(dim=1)


def same_bits(one: Remeshed, other: Remeshed) -> bool:
    return torch.equal(one.mesh.verts, other.mesh.verts) and torch.equal(
        one.mesh.faces, other.mesh.faces
    )


@pytest.mark.parametrize("target", [0.05, 0.1, 0.3])
def test_edges_of_a_sphere_get_the_wished_length(target):
    lengths = edge_lengths(remesh(icosphere(3), target).mesh) / target
    assert 0.5 < float(lengths.min()) < float(lengths.max()) < 1.6
    assert 0.9 < float(lengths.mean()) < 1.1


def test_a_torus_keeps_its_handle():
    assert remesh(torus(), 0.2).mesh.topology.genus == 1


def test_vertices_lie_on_the_input():
    mesh = remesh(cube(size=2), 0.3, balance=False).mesh
    torch.testing.assert_close(mesh.verts.abs().amax(dim=1), torch.ones(mesh.num_verts))


def test_a_sheet_keeps_its_outline():
    made = remesh(grid(8, 8), 0.07).mesh
    assert made.topology.report().num_boundary_edges > 40
    torch.testing.assert_close(made.area, torch.tensor(1.0))


def test_edges_follow_a_sizing_field():
    mesh = icosphere(4)
    wish = 0.05 + 0.1 * (mesh.verts[:, 0] > 0)
    made = remesh(mesh, wish).mesh
    ends = made.verts[made.topology.edge_verts.long()][:, :, 0]
    lengths = edge_lengths(made)
    coarse, fine = lengths[(ends > 0.3).all(dim=1)], lengths[(ends < -0.3).all(dim=1)]
    assert float(coarse.mean()) == pytest.approx(0.15, rel=0.1)
    assert float(fine.mean()) == pytest.approx(0.05, rel=0.1)


def test_linear_attributes_stay_linear():
    mesh = icosphere(2).to(torch.float64)
    made = remesh(mesh, 0.1, balance=False, attributes={"place": mesh.verts})
    torch.testing.assert_close(made.attributes["place"], made.mesh.verts)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_attributes_keep_their_type_and_shape(dtype):
    mesh = icosphere(2)
    values = torch.ones(mesh.num_verts, 2, 3, dtype=dtype)
    made = remesh(mesh, 0.2, attributes={"moments": values})
    expected = torch.ones(made.mesh.num_verts, 2, 3, dtype=dtype)
    torch.testing.assert_close(made.attributes["moments"], expected)


def test_an_attribute_without_other_dimensions_is_carried():
    mesh = grid(4, 4)
    made = remesh(mesh, 0.1, attributes={"x": mesh.verts[:, 0]})
    torch.testing.assert_close(made.attributes["x"], made.mesh.verts[:, 0])


def test_the_result_does_not_depend_on_the_number_of_threads():
    mesh = icosphere(5)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(remesh(mesh, 0.06))
    finally:
        torch.set_num_threads(threads)
    assert same_bits(results[0], results[1])
    assert same_bits(results[0], results[2])


def test_no_iterations_only_drop_unused_vertices():
    mesh = icosphere(1)
    padded = Mesh(torch.cat((torch.zeros(3, 3), mesh.verts)), mesh.faces + 3)
    made = remesh(padded, 0.1, iterations=0)
    torch.testing.assert_close(made.mesh.corners, mesh.corners)
    assert made.mesh.num_verts == mesh.num_verts


def test_a_tetrahedron_is_not_collapsed_away():
    verts = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    faces = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    made = remesh(Mesh(verts, faces), 100.0).mesh
    assert made.topology.report() == Topology.from_faces(faces, 4).report()


def test_a_mesh_without_faces_is_returned():
    made = remesh(Mesh(torch.zeros(2, 3), torch.zeros(0, 3, dtype=torch.int32)), 1.0)
    assert made.mesh.num_verts == made.mesh.num_faces == 0


NOT_MANIFOLD = {
    "edge .* has 3 faces.*revoxelized": [[0, 1, 2], [1, 0, 3], [0, 1, 4]],
    "wound against each other": [[0, 1, 2], [0, 1, 3]],
    "touch in vertex 0": [[0, 1, 2], [0, 3, 4]],
    "names a vertex twice": [[0, 1, 1]],
    "faces 0 and 1 have the same three vertices": [[0, 1, 2], [2, 1, 0]],
}


@pytest.mark.parametrize("message", NOT_MANIFOLD)
def test_what_is_no_manifold_is_refused_with_its_place(message):
    with pytest.raises(ValueError, match=message):
        remesh(Mesh(torch.randn(5, 3), torch.tensor(NOT_MANIFOLD[message])), 1.0)


def test_a_vertex_that_is_not_finite_is_refused():
    mesh = icosphere(1)
    with pytest.raises(ValueError, match=r"verts\[0\].*not finite"):
        remesh(mesh.with_verts(mesh.verts * math.nan), 0.1)


@pytest.mark.parametrize("target", [0.0, -1.0, math.nan, math.inf])
def test_a_wished_length_that_is_none_is_refused(target):
    with pytest.raises(ValueError, match="target_edge must be positive"):
        remesh(icosphere(1), target)


def test_a_length_in_the_wrong_unit_is_refused():
    with pytest.raises(ValueError, match="world units"):
        remesh(icosphere(1), 1e-6)


def test_an_attribute_of_other_vertices_is_refused():
    with pytest.raises(ValueError, match="'colors' must be floating point"):
        remesh(icosphere(1), 0.1, attributes={"colors": torch.zeros(3, 3)})
