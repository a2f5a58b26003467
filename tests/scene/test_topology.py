"""`Topology`: what the kernels read, and what it says about a mesh."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lightning_rast.scene import Mesh, Topology, cube, cylinder, grid, icosphere, torus


def topology_of(*faces: tuple[int, int, int], num_verts: int = 0) -> Topology:
    table = torch.tensor(faces, dtype=torch.int64).reshape(-1, 3)
    return Topology.from_faces(table, num_verts or int(table.max()) + 1)


def incidences(topology: Topology) -> dict[tuple[int, int], list[tuple[int, bool]]]:
    """Edge -> sorted (face, runs b->a), read back from both halves of the layout."""
    edges = [tuple(edge) for edge in topology.edge_verts.tolist()]
    assert len(set(edges)) == len(edges)
    found = {
        edge: [(forward, False), (backward, True)]
        for edge, (forward, backward) in zip(
            edges[: topology.num_regular], topology.edge_faces.tolist(), strict=True
        )
    }
    offsets, codes = topology.irregular_offsets.tolist(), topology.irregular_codes.tolist()
    for index, edge in enumerate(edges[topology.num_regular :]):
        own = codes[offsets[index] : offsets[index + 1]]
        found[edge] = [(code >> 1, bool(code & 1)) for code in own]
    return {edge: sorted(entries) for edge, entries in found.items()}


def incidences_by_hand(faces: list[list[int]]) -> dict[tuple[int, int], list[tuple[int, bool]]]:
    found: dict[tuple[int, int], list[tuple[int, bool]]] = {}
    for index, (a, b, c) in enumerate(faces):
        for tail, head in ((a, b), (b, c), (c, a)):
            if tail != head:
                found.setdefault((min(tail, head), max(tail, head)), []).append(
                    (index, tail > head)
                )
    return {edge: sorted(entries) for edge, entries in found.items()}


def test_edges_of_a_quad():
    # 3---2
    # | / |
    # 0---1
    topology = topology_of((0, 1, 2), (0, 2, 3))
    assert topology.num_regular == 1
    assert topology.edge_verts.tolist()[0] == [0, 2]
    assert topology.edge_faces.tolist() == [[1, 0]]  # face 1 runs 0->2, face 0 runs 2->0
    assert topology.edge_verts.tolist()[1:] == [[0, 1], [1, 2], [0, 3], [2, 3]]
    assert topology.irregular_codes.tolist() == [0, 0, 3, 2]


@given(st.lists(st.lists(st.integers(0, 7), min_size=3, max_size=3), max_size=20))
def test_any_soup_is_listed_completely(faces: list[list[int]]):
    topology = Topology.from_faces(torch.tensor(faces, dtype=torch.int32).reshape(-1, 3), 8)
    expected = incidences_by_hand(faces)
    assert incidences(topology) == expected
    regular = {
        edge for edge, found in expected.items() if len(found) == 2 and found[0][1] != found[1][1]
    }
    assert {tuple(e) for e in topology.edge_verts[: topology.num_regular].tolist()} == regular


@given(st.lists(st.lists(st.integers(0, 7), min_size=3, max_size=3), max_size=20))
def test_edges_are_sorted_by_their_first_face(faces: list[list[int]]):
    topology = Topology.from_faces(torch.tensor(faces, dtype=torch.int32).reshape(-1, 3), 8)
    regular = topology.edge_faces.amin(dim=1) if topology.num_regular else torch.zeros(0)
    assert (regular.diff() >= 0).all()
    first = topology.irregular_codes[topology.irregular_offsets[:-1].long()] >> 1
    assert (first.diff() >= 0).all()


def test_tables_are_contiguous_int32():
    topology = icosphere(1).topology
    for table in (
        topology.faces,
        topology.edge_verts,
        topology.edge_faces,
        topology.irregular_offsets,
        topology.irregular_codes,
    ):
        assert table.dtype == torch.int32
        assert table.is_contiguous()


def test_a_face_with_a_repeated_vertex_cancels_itself():
    topology = topology_of((3, 3, 5))
    assert topology.edge_verts.tolist() == [[3, 5]]
    assert topology.edge_faces.tolist() == [[0, 0]]
    assert topology.num_degenerate_faces == 1
    assert not topology.is_manifold


@pytest.mark.parametrize("num_verts", [0, 4])
def test_no_faces_are_fine(num_verts: int):
    topology = Topology.from_faces(torch.zeros(0, 3, dtype=torch.int64), num_verts)
    assert topology.edge_verts.shape == (0, 2)
    assert topology.irregular_offsets.tolist() == [0]
    assert topology.num_components == 0
    assert topology.vert_degree.tolist() == [0] * num_verts


@pytest.mark.parametrize(
    ("mesh", "genus"), [(icosphere(2), 0), (cube(), 0), (cylinder(), 0), (torus(8, 6), 1)]
)
def test_closed_primitives_have_their_genus(mesh, genus: int):
    topology = mesh.topology
    assert topology.is_closed
    assert topology.is_oriented
    assert topology.is_manifold
    assert topology.genus == genus
    assert topology.num_components == 1


def test_genus_adds_over_components():
    first, second = torus(8, 6), torus(5, 4)
    faces = torch.cat((first.faces, second.faces + first.num_verts))
    topology = Topology.from_faces(faces, first.num_verts + second.num_verts)
    assert topology.num_components == 2
    assert topology.genus == 2


def test_a_sheet_has_its_border_as_boundary():
    topology = grid(3, 5).topology
    assert not topology.is_closed
    assert topology.is_manifold
    assert topology.is_oriented
    assert topology.genus is None
    assert topology.euler == 1
    assert len(topology.boundary_edges) == 2 * (3 + 5)


def test_one_flipped_face_is_not_oriented_but_manifold():
    faces = icosphere(1).faces.clone()
    faces[7] = faces[7].flip(0)
    topology = Topology.from_faces(faces, 42)
    assert not topology.is_oriented
    assert topology.is_manifold
    assert topology.is_closed
    assert topology.report().num_inconsistent_edges == 3


def test_three_faces_at_an_edge_are_not_manifold():
    topology = topology_of((0, 1, 2), (1, 0, 3), (0, 1, 4))
    assert not topology.is_manifold
    assert topology.report().num_non_manifold_edges == 1


def test_cones_that_touch_in_a_vertex_are_not_manifold():
    topology = topology_of((0, 1, 2), (0, 3, 4))
    assert topology.num_pinched_verts == 1
    assert not topology.is_manifold
    assert topology.num_components == 1


def test_a_moebius_strip_is_manifold_but_not_oriented():
    faces = [(i, (i + 1) % 5, (i + 2) % 5) for i in range(5)]
    topology = topology_of(*faces)
    assert topology.is_manifold
    assert not topology.is_oriented
    assert topology.euler == 0


def test_degrees_count_edges():
    assert icosphere(0).topology.vert_degree.tolist() == [5] * 12
    assert topology_of((0, 1, 3), num_verts=5).vert_degree.tolist() == [2, 2, 0, 2, 0]


def test_adjacent_faces_come_with_the_vertices_across():
    topology = topology_of((0, 1, 2), (0, 2, 3))
    assert topology.face_adjacency.tolist() == [[1, 0]]
    assert topology.face_adjacency_edges.tolist() == [[0, 2]]
    assert topology.opposite_verts.tolist() == [[3, 1]]


def test_every_edge_of_a_closed_mesh_joins_two_faces():
    mesh = icosphere(2)
    topology = mesh.topology
    assert topology.face_adjacency.shape == (mesh.num_faces * 3 // 2, 2)
    corners = torch.cat((topology.face_adjacency_edges, topology.opposite_verts[:, :1]), dim=1)
    first = mesh.faces[topology.face_adjacency[:, 0].long()]
    assert torch.equal(corners.sort(dim=1).values, first.sort(dim=1).values)


def test_the_report_reads_well():
    assert str(cube().topology.report()) == (
        "8 vertices, 12 faces, 1 component(s), genus 0; closed, oriented and manifold"
    )
    assert "1 vertices where separate fans touch" in str(topology_of((0, 1, 2), (0, 3, 4)).report())


def test_topologies_are_equal_only_to_themselves():
    faces = cube().faces
    first, second = Topology.from_faces(faces, 8), Topology.from_faces(faces, 8)
    assert first == first
    assert first != second
    assert len({first, second}) == 2


def test_moving_to_its_own_device_is_free(device):
    topology = Topology.from_faces(cube().faces.to(device), 8)
    assert topology.device.type == device.type
    assert topology.to(topology.device) is topology
    np.testing.assert_array_equal(topology.to("cpu").edge_verts, cube().topology.edge_verts)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("faces", "num_verts", "message"),
    [
        (torch.zeros(4, 4, dtype=torch.int32), 5, r"\(F, 3\), got shape \(4, 4\)"),
        (torch.zeros(3, dtype=torch.int32), 5, r"\(F, 3\), got shape \(3,\)"),
        (torch.zeros(4, 3), 5, "integers, got torch.float32"),
        (torch.tensor([[0, 1, 2], [0, 1, 5]]), 5, r"faces\[1\] = \[0, 1, 5\]"),
        (torch.tensor([[0, -1, 2]]), 5, r"outside \[0, 5\)"),
        (torch.tensor([[0, 1, 2]]), -1, "num_verts must lie in"),
    ],
)
def test_bad_faces_are_named(faces: torch.Tensor, num_verts: int, message: str):
    with pytest.raises(ValueError, match=message):
        Topology.from_faces(faces, num_verts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_verts": 10}, r"faces holds 41, which lies outside \[0, 10\)"),
        ({"faces": torch.zeros(3, 3, dtype=torch.int32)}, r"edge_faces holds 79.*\[0, 3\)"),
        ({"faces": torch.full((80, 3), -1, dtype=torch.int32)}, "faces holds -1"),
        ({"faces": torch.zeros(80, 3, dtype=torch.int64)}, "faces must be int32 .*got torch.int64"),
        ({"edge_faces": torch.zeros(2, 120, dtype=torch.int32).T}, "edge_faces must be .*strided"),
        (
            {"edge_faces": torch.zeros(120, 3, dtype=torch.int32)},
            r"edge_faces must be .*\(120, 3\)",
        ),
        ({"edge_verts": torch.full((120, 2), 42, dtype=torch.int32)}, "edge_verts holds 42"),
        ({"irregular_offsets": torch.zeros(2, dtype=torch.int32)}, "irregular_offsets"),
        ({"edge_verts": torch.zeros(119, 2, dtype=torch.int32)}, "irregular_offsets"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_tables_that_kernels_must_not_read_are_refused(change, message: str):
    with pytest.raises(ValueError, match=message):
        replace(icosphere(1).topology, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"irregular_codes": torch.full((4,), 4, dtype=torch.int32)}, "irregular_codes holds 4"),
        ({"irregular_offsets": torch.tensor([0, 3, 2, 3, 4], dtype=torch.int32)}, "rise from 0"),
        ({"irregular_offsets": torch.tensor([0, 1, 2, 3, 5], dtype=torch.int32)}, "rise from 0"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_incidences_that_do_not_exist_are_refused(change, message: str):
    with pytest.raises(ValueError, match=message):
        replace(topology_of((0, 1, 2), (0, 2, 3)), **change)


def edge_lengths(mesh: Mesh):
    a, b = mesh.verts[mesh.topology.edge_verts.long()].unbind(1)
    return (a - b).norm(dim=1)


def untouched(mesh: Mesh) -> Mesh:
    return Mesh(mesh.verts, mesh.faces)


def test_a_topology_first_touched_in_one_compiled_graph_is_refused_with_the_remedy():
    compiled = torch.compile(edge_lengths, fullgraph=True, backend="eager")
    with pytest.raises(RuntimeError, match=r"touch mesh\.topology .* once before what is compiled"):
        compiled(untouched(icosphere(1)))


def test_a_topology_touched_before_goes_into_one_compiled_graph():
    mesh = untouched(icosphere(1))
    expected = edge_lengths(mesh)
    compiled = torch.compile(edge_lengths, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(mesh), expected)


def test_a_topology_may_be_first_touched_in_compiled_code_of_several_graphs():
    compiled = torch.compile(edge_lengths, backend="eager")
    torch.testing.assert_close(compiled(untouched(icosphere(1))), edge_lengths(icosphere(1)))
