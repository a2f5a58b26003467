"""Regularizers: values known in closed form, exact gradients, and odd meshes."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from lightning_rast.losses import Regularizers
from lightning_rast.scene import Topology, cube, grid, icosphere

TERMS = ("laplacian", "normal_consistency", "edge_length")


def bumpy_sphere(level=1):
    mesh = icosphere(level)
    verts = mesh.verts.double()
    return verts + 0.05 * torch.randn_like(verts), mesh.topology


def soup(faces, num_verts):
    return Topology.from_faces(torch.tensor(faces), num_verts)


@pytest.mark.parametrize("term", ["normal_consistency", "edge_length"])
def test_gradients(term):
    verts, topology = bumpy_sphere()
    assert gradcheck(getattr(Regularizers(topology, scale=1.0), term), verts.requires_grad_())


def test_gradient_of_bending_takes_the_mean_edge_for_a_constant():
    verts, topology = bumpy_sphere()
    regularizers = Regularizers(topology, scale=1.0)
    edges = topology.edge_verts.long()
    h = (verts[edges[:, 0]] - verts[edges[:, 1]]).norm(dim=1).mean()
    difference = torch.zeros(len(verts), len(verts), dtype=torch.float64)
    for a, b in edges.tolist():
        difference[a, a] += 1
        difference[b, b] += 1
        difference[a, b] -= 1
        difference[b, a] -= 1

    def by_hand(v):
        return 4 / 9 * (difference @ v).square().sum(1).mean() / h**4

    verts.requires_grad_()
    value, expected = regularizers.laplacian(verts), by_hand(verts)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(
        torch.autograd.grad(value, verts)[0], torch.autograd.grad(expected, verts)[0]
    )


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("unit", [1e-4, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_unit_of_length_does_not_matter(term, unit, dtype):
    verts, topology = bumpy_sphere(2)
    one = getattr(Regularizers(topology, scale=1.0), term)(verts.to(dtype))
    other = getattr(Regularizers(topology, scale=unit), term)((verts * unit).to(dtype))
    torch.testing.assert_close(one, other, rtol=2e-4, atol=0)


def test_bending_of_an_even_patch_is_its_squared_curvature():
    # A hexagon of equilateral triangles whose centre is lifted by h^2 / 4: the Laplacian of the
    # surface z = -(x^2 + y^2) / 4 is -1. The rim adds what is worked out below.
    h = 0.1
    angle = torch.arange(6, dtype=torch.float64) * math.pi / 3
    rim = torch.stack((h * angle.cos(), h * angle.sin(), torch.full((6,), -(h**2) / 4)), dim=1)
    verts = torch.cat((torch.zeros(1, 3, dtype=torch.float64), rim))
    topology = soup([[0, i + 1, (i + 1) % 6 + 1] for i in range(6)], 7)
    regularizers = Regularizers(topology, scale=1.0)
    edges = topology.edge_verts.long()
    mean = float((verts[edges[:, 0]] - verts[edges[:, 1]]).norm(dim=1).mean())
    # At a rim vertex: its neighbours on the rim and the centre pull it inwards by h + h, and the
    # centre lifts it by h^2 / 4.
    of_rim = 4 / 9 * ((2 * h) ** 2 + (h**2 / 4) ** 2) / mean**4
    of_center = 7 * float(regularizers.laplacian(verts)) - 6 * of_rim
    assert of_center == pytest.approx(1, rel=0.01)


def test_normal_consistency_of_a_cube():
    # 18 edges: 12 right angles and 6 flat diagonals.
    mesh = cube()
    value = Regularizers(mesh.topology, scale=1.0).normal_consistency(mesh.verts)
    assert float(value) == pytest.approx(12 / 18, rel=1e-6)


def test_a_folded_pair_of_faces_has_the_largest_inconsistency():
    topology = soup([[0, 1, 2], [1, 0, 3]], 4)
    verts = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1.0, 0]])
    value = Regularizers(topology, scale=1.0).normal_consistency(verts)
    assert float(value) == pytest.approx(2, rel=1e-6)


def test_a_flat_sheet_is_consistent():
    mesh = grid(4, 4)
    assert float(Regularizers(mesh.topology, scale=1.0).normal_consistency(mesh.verts)) < 1e-6


def test_edge_length_of_two_lengths():
    # Edges of an isosceles right triangle: 1, 1, sqrt(2).
    verts = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)
    mean = (2 + math.sqrt(2)) / 3
    expected = (2 * (1 / mean - 1) ** 2 + (math.sqrt(2) / mean - 1) ** 2) / 3
    value = Regularizers(soup([[0, 1, 2]], 3), scale=1.0).edge_length(verts)
    assert float(value) == pytest.approx(expected)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize(
    ("faces", "positions"),
    [
        ([[0, 1, 2], [1, 0, 3]], [[0.0, 0, 0]] * 4),
        ([[0, 1, 2], [1, 0, 3]], [[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0]]),
        ([[0, 1, 2], [1, 0, 3]], [[0.0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0]]),
        ([[3, 3, 1], [0, 1, 2]], [[0.0, 0, 0], [1, 0, 0], [2, 5, 0], [0, 1, 0]]),
        ([[0, 1, 2], [0, 1, 2], [2, 1, 0]], [[0.0, 0, 0], [1, 0, 0], [2, 5, 0], [9, 9, 9]]),
    ],
    ids=["a point", "zero area", "zero edge", "repeated corner", "repeated face"],
)
def test_degenerate_faces_are_finite(term, faces, positions):
    verts = torch.tensor(positions, requires_grad=True)
    value = getattr(Regularizers(soup(faces, 4), scale=1.0), term)(verts)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(verts.grad).all()


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("num_verts", [0, 3])
def test_no_faces_cost_nothing(term, num_verts):
    topology = Topology.from_faces(torch.zeros(0, 3, dtype=torch.int32), num_verts)
    verts = torch.rand(num_verts, 3, requires_grad=True)
    value = getattr(Regularizers(topology, scale=1.0), term)(verts)
    value.backward()
    assert value == 0
    assert (verts.grad == 0).all()
