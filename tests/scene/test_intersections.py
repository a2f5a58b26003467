import math

import numpy as np
import pytest
import torch

from lightning_rast.scene import (
    Mesh,
    count_self_intersections,
    cube,
    cylinder,
    flipped_faces,
    grid,
    icosphere,
    self_intersections,
    torus,
)
from tests.reference.triangle_overlap import intersecting_faces


def pairs_of(verts: list, faces: list) -> list[list[int]]:
    mesh = Mesh(torch.tensor(verts, dtype=torch.float32), torch.tensor(faces))
    return self_intersections(mesh).tolist()


def joined(*meshes: Mesh) -> Mesh:
    offsets = np.cumsum([0] + [mesh.num_verts for mesh in meshes])
    return Mesh(
        torch.cat([mesh.verts for mesh in meshes]),
        torch.cat([mesh.faces + int(at) for mesh, at in zip(meshes, offsets, strict=False)]),
    )


@pytest.mark.parametrize("shape", [cube(), icosphere(3), torus(), cylinder(), grid()])
def test_simple_shapes_do_not_intersect_themselves(shape):
    assert len(self_intersections(shape)) == 0


def test_a_sheet_that_lies_askew_does_not_intersect_itself():
    # Its vertices are not in one plane after rounding, its faces nearly are.
    turn = torch.linalg.qr(torch.randn(3, 3))[0]
    assert len(self_intersections(grid(20, 20).with_verts(grid(20, 20).verts @ turn))) == 0


def test_two_spheres_that_overlap_intersect_along_a_ring():
    pair = joined(icosphere(3), icosphere(3, center=(1.0, 0.1, 0.05)))
    found = self_intersections(pair).long()
    assert len(found) > 50
    assert bool((found[:, 0] < 1280).all())
    assert bool((found[:, 1] >= 1280).all())
    middle = pair.corners.mean(dim=1)[found.reshape(-1)]
    assert float((middle[:, 0] - 0.5).abs().max()) < 0.2


def test_a_sphere_inside_another_does_not_intersect_it():
    assert len(self_intersections(joined(icosphere(2), icosphere(2, radius=0.5)))) == 0


#   2           The faces (0, 1, 2) in the plane z = 0 and (3, 4, 5), as each case places it.
#   | \
#   0---1
CASES = {
    "pierced": ([[1, 1, -1], [1, 1, 1], [9, 9, 1]], True),
    "beside": ([[5, 5, -1], [5, 5, 1], [9, 9, 1]], False),
    "above": ([[1, 1, 1], [2, 1, 1], [1, 2, 1]], False),
    "touched by a corner": ([[1, 1, 0], [1, 1, 1], [2, 1, 1]], True),
    "touched by an edge": ([[1, 1, 0], [2, 1, 0], [1, 1, 1]], True),
    "touched at its border": ([[2, 2, -1], [2, 2, 1], [9, 9, 0]], True),
    "a part of it": ([[1, 1, 0], [2, 1, 0], [1, 2, 0]], True),
    "overlapping in its plane": ([[1, 1, 0], [9, 1, 0], [1, 9, 0]], True),
    "beside it in its plane": ([[5, 0, 0], [9, 0, 0], [9, 9, 0]], False),
    "across it in its plane": ([[-1, 1, 0], [5, 1, 0], [5, 2, 0]], True),
}


@pytest.mark.parametrize("case", CASES)
def test_two_faces_apart(case):
    other, expected = CASES[case]
    verts = [[0, 0, 0], [4, 0, 0], [0, 4, 0], *other]
    assert pairs_of(verts, [[0, 1, 2], [3, 4, 5]]) == ([[0, 1]] if expected else [])


CORNER_CASES = {
    "only the corner": ([[-1, -1, 0], [-1, 0, 1]], False),
    "through the face": ([[1, 1, -1], [1, 1, 1]], True),
    "along a side": ([[2, 0, 0], [2, 0, 3]], True),
    "overlapping in the plane": ([[3, 1, 0], [1, 3, 0]], True),
    "side by side in the plane": ([[-3, 1, 0], [-1, 3, 0]], False),
    "crossing the plane elsewhere": ([[-1, -1, -1], [-1, -1, 1]], False),
}


@pytest.mark.parametrize("case", CORNER_CASES)
def test_two_faces_with_a_common_corner(case):
    other, expected = CORNER_CASES[case]
    verts = [[0, 0, 0], [4, 0, 0], [0, 4, 0], *other]
    assert pairs_of(verts, [[0, 1, 2], [3, 0, 4]]) == ([[0, 1]] if expected else [])


@pytest.mark.parametrize(("apex", "expected"), [([1, 3, 0], True), ([1, -3, 0], False)])
def test_neighbours_at_an_edge_intersect_if_folded_flat(apex, expected):
    verts = [[0, 0, 0], [4, 0, 0], [0, 4, 0], apex]
    assert pairs_of(verts, [[0, 1, 2], [1, 0, 3]]) == ([[0, 1]] if expected else [])


def test_neighbours_at_a_sharp_edge_do_not_intersect():
    assert pairs_of([[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 3, 1e-20]], [[0, 1, 2], [1, 0, 3]]) == []


def test_seams_of_repeated_vertices_are_no_intersections():
    ball = icosphere(2)
    soup = Mesh(ball.corners.reshape(-1, 3), torch.arange(3 * ball.num_faces).reshape(-1, 3))
    assert len(self_intersections(soup)) == 0


def test_a_face_given_twice_intersects_itself():
    verts = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert pairs_of(verts, [[0, 1, 2], [2, 1, 0]]) == [[0, 1]]


def test_faces_without_area_do_not_count():
    verts = [[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, -1], [1, 1, 1], [1, 1, 3]]
    assert pairs_of(verts, [[0, 1, 2], [3, 4, 5]]) == []


@pytest.mark.parametrize("seed", range(40))
def test_lattice_meshes_match_all_pairs_tried(seed):
    # Few places on a lattice: most pairs touch, lie in one plane or share corners.
    rng = np.random.default_rng(seed)
    side = int(rng.integers(2, 5))
    places = np.array(np.meshgrid(*[np.arange(side)] * 3)).reshape(3, -1).T
    faces = np.array([rng.choice(len(places), 3, replace=False) for _ in range(25)])
    mesh = Mesh(torch.from_numpy(places).float(), torch.from_numpy(faces))
    expected = intersecting_faces(places, faces)
    assert self_intersections(mesh).tolist() == [list(pair) for pair in expected]


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**40])
def test_the_unit_of_length_does_not_matter(scale):
    mesh = joined(torus(20, 10), torus(20, 10, center=(0.9, 0.1, 0.2)))
    expected = self_intersections(mesh)
    assert len(expected) > 20
    assert torch.equal(self_intersections(mesh.with_verts(mesh.verts * scale)), expected)


def test_the_result_does_not_depend_on_the_number_of_threads():
    mesh = joined(icosphere(5), icosphere(5, center=(0.5, 0.0, 0.0)))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = self_intersections(mesh)
        torch.set_num_threads(3)
        assert torch.equal(self_intersections(mesh), alone)
    finally:
        torch.set_num_threads(threads)


def crumpled(num_faces: int) -> Mesh:
    """Faces that all pass through one another."""
    turn = torch.linspace(0, math.pi, num_faces + 1, dtype=torch.float64)[:-1]
    x, y, zero = turn.cos(), turn.sin(), 0 * turn
    corners = torch.stack(
        [
            torch.stack((-x, -y, zero - 1), 1),
            torch.stack((x, y, zero - 1), 1),
            torch.stack((zero, zero, 1 + turn), 1),
        ],
        dim=1,
    )
    return Mesh(corners.reshape(-1, 3), torch.arange(3 * num_faces).reshape(-1, 3))


def test_the_count_is_exact_where_every_pair_intersects():
    assert count_self_intersections(crumpled(1000)) == 1000 * 999 // 2


def test_more_pairs_than_may_be_kept_are_counted_and_refused():
    mesh = crumpled(40)
    assert len(self_intersections(mesh, max_pairs=780)) == 780
    with pytest.raises(ValueError, match="780 pairs of faces intersect, more than max_pairs = 779"):
        self_intersections(mesh, max_pairs=779)


def test_a_mesh_without_faces_has_no_intersections():
    mesh = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32))
    assert self_intersections(mesh).shape == (0, 2)


def test_a_vertex_that_is_not_finite_is_refused():
    mesh = cube()
    with pytest.raises(ValueError, match="not finite"):
        self_intersections(mesh.with_verts(mesh.verts * math.inf))


def test_a_face_that_has_turned_over_is_found():
    mesh = grid(4, 4)
    verts = mesh.verts.clone()
    middle = 12
    verts[middle] += torch.tensor([0.3, 0.02, 0.0])
    found = flipped_faces(mesh.with_verts(verts))
    assert 0 < len(found) < 8
    assert bool((mesh.faces[found.long()] == middle).any())


@pytest.mark.parametrize("shape", [cube(), icosphere(1), torus()])
def test_sound_shapes_have_no_flipped_faces(shape):
    assert len(flipped_faces(shape)) == 0
