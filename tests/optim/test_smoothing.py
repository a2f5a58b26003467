"""S = (I + lambda L)^-1, however it is computed."""

import pytest
import torch

from lightning_rast.optim import Smoother
from lightning_rast.optim.smoothing import factored_smoother, polynomial_smoother
from lightning_rast.scene import Topology, grid, icosphere

MAKERS = [factored_smoother, polynomial_smoother]
OPTIONS = {"dtype": torch.float64, "device": torch.device("cpu")}


def dense_laplacian(topology):
    matrix = torch.zeros(topology.num_verts, topology.num_verts, dtype=torch.float64)
    for a, b in topology.edge_verts.tolist():
        matrix[a, b] -= 1
        matrix[b, a] -= 1
    return matrix - torch.diag(matrix.sum(1))


def dense(make, topology, strength):
    return make(topology, strength, **OPTIONS)(torch.eye(topology.num_verts, dtype=torch.float64))


@pytest.mark.parametrize("topology", [icosphere(2).topology, grid(7, 5).topology])
@pytest.mark.parametrize("strength", [0.5, 4.0, 19.0, 300.0])
def test_the_factorisation_is_the_inverse(topology, strength):
    expected = torch.linalg.inv(
        torch.eye(topology.num_verts, dtype=torch.float64) + strength * dense_laplacian(topology)
    )
    torch.testing.assert_close(dense(factored_smoother, topology, strength), expected)


@pytest.mark.parametrize("topology", [icosphere(2).topology, grid(7, 5).topology])
@pytest.mark.parametrize("strength", [0.5, 4.0, 19.0, 300.0])
def test_the_polynomial_is_the_inverse_within_one_percent_at_every_frequency(topology, strength):
    frequency, wave = torch.linalg.eigh(dense_laplacian(topology))
    gain = (wave.T @ dense(polynomial_smoother, topology, strength) @ wave).diagonal()
    torch.testing.assert_close(gain, 1 / (1 + strength * frequency), rtol=0.01, atol=0)


@pytest.mark.parametrize("make", MAKERS)
def test_constants_are_kept(make):
    topology = icosphere(2).topology
    ones = torch.ones(topology.num_verts, 3, dtype=torch.float64)
    torch.testing.assert_close(make(topology, 19.0, **OPTIONS)(ones), ones)


@pytest.mark.parametrize("make", MAKERS)
def test_it_is_symmetric(make):
    matrix = dense(make, icosphere(1).topology, 19.0)
    torch.testing.assert_close(matrix, matrix.T)


@pytest.mark.parametrize("make", MAKERS)
def test_vertices_without_edges_are_left_alone(make):
    topology = Topology.from_faces(torch.tensor([[0, 1, 3]]), 5)
    values = torch.rand(5, 3, dtype=torch.float64)
    smooth = make(topology, 4.0, **OPTIONS)(values)
    torch.testing.assert_close(smooth[[2, 4]], values[[2, 4]], rtol=1e-3, atol=0)
    torch.testing.assert_close(smooth.sum(0), values.sum(0), rtol=1e-3, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_type_shape_and_bits_are_kept(device, dtype):
    topology = icosphere(3).topology.to(device)
    values = torch.rand(topology.num_verts, 3, dtype=dtype, device=device)
    first, second = (Smoother(topology, 19.0)(values) for _ in range(2))
    assert (first.dtype, first.shape, first.device) == (dtype, values.shape, values.device)
    assert torch.equal(first, second)


def test_devices_agree(device):
    topology = icosphere(3).topology
    values = torch.rand(topology.num_verts, 3)
    there = Smoother(topology.to(device), 4.0)(values.to(device)).cpu()
    torch.testing.assert_close(there, Smoother(topology, 4.0)(values), rtol=0, atol=1e-2)


def test_strength_zero_changes_nothing():
    values = torch.rand(42, 3)
    assert torch.equal(Smoother(icosphere(1).topology, 0.0)(values), values)


def test_no_faces_change_nothing():
    values = torch.rand(4, 3)
    topology = Topology.from_faces(torch.zeros(0, 3, dtype=torch.int32), 4)
    assert torch.equal(Smoother(topology, 4.0)(values), values)


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_impossible_strengths_are_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        Smoother(icosphere(0).topology, strength)
