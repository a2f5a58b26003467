"""The bending energy, and the smoother that goes with it."""

import pytest
import torch

from lightning_rast.optim.bending import Bending, bending_weight, stiff_smoother
from lightning_rast.scene import Mesh, icosphere
from lightning_rast.scene.laplacian import graph_laplacian


@pytest.fixture
def sphere():
    return icosphere(2).to(torch.float64)


def matrix(mesh, *, smoothing, bending):
    laplacian = torch.from_numpy(graph_laplacian(mesh.topology).toarray())
    near = torch.eye(mesh.num_verts, dtype=torch.float64) + smoothing * laplacian
    return near @ near + 2 * bending * laplacian @ laplacian


def test_the_energy_is_that_of_the_laplacian(sphere):
    laplacian = torch.from_numpy(graph_laplacian(sphere.topology).toarray())
    value, _ = Bending(sphere.topology, dtype=torch.float64)(sphere.verts)
    torch.testing.assert_close(value, (laplacian @ sphere.verts).square().sum())


def test_the_gradient_is_that_of_the_energy(sphere):
    bending = Bending(sphere.topology, dtype=torch.float64)
    along = torch.randn(sphere.verts.shape, dtype=torch.float64)
    _, gradient = bending(sphere.verts)
    after, before = (bending(sphere.verts + step * along)[0] for step in (1e-5, -1e-5))
    torch.testing.assert_close((after - before) / 2e-5, (gradient * along).sum())


def test_the_weight_undoes_what_shorter_edges_do_to_the_energy():
    # L v of one smooth surface is as the square of the edges.
    assert bending_weight(0.1, 0.01) == pytest.approx(16 * bending_weight(0.1, 0.02))


def test_the_energy_of_a_plane_wave_is_the_data_stiffness_at_its_length():
    # On a triangle lattice of edge h, L cos(x / ell) = 3/2 (h / ell)^2 cos(x / ell).
    edge, length = 0.01, 0.2
    rows = [(edge * (i + j / 2), edge * j * 3**0.5 / 2) for j in range(60) for i in range(60)]
    plane = torch.tensor(rows, dtype=torch.float64)
    corner = torch.tensor([j * 60 + i for j in range(59) for i in range(59)])
    lower = torch.stack((corner, corner + 1, corner + 60), dim=1)
    upper = torch.stack((corner + 1, corner + 61, corner + 60), dim=1)
    height = torch.cos(plane[:, :1] / length)
    mesh = Mesh(torch.cat((plane, height), dim=1), torch.cat((lower, upper)))
    _, gradient = Bending(mesh.topology, dtype=torch.float64)(mesh.verts)
    inside = torch.zeros(60, 60, dtype=torch.bool)
    inside[3:-3, 3:-3] = True
    stiffness = bending_weight(length, edge) * gradient[:, 2] / (2 * height[:, 0])
    torch.testing.assert_close(
        stiffness[inside.reshape(-1)], torch.ones(54 * 54, dtype=torch.float64), rtol=1e-2, atol=0
    )


@pytest.mark.parametrize("bending", [0.0, 3.0, 1000.0])
def test_the_smoother_is_the_inverse_it_says(sphere, bending):
    smooth = stiff_smoother(sphere.topology, smoothing=4.0, bending=bending)
    values = torch.randn(sphere.num_verts, 3, dtype=torch.float64)
    restored = matrix(sphere, smoothing=4.0, bending=bending) @ smooth(values)
    torch.testing.assert_close(restored, values, rtol=1e-6, atol=1e-6)


def test_a_gradient_in_single_precision_is_smoothed_in_double(sphere):
    smooth = stiff_smoother(sphere.topology, smoothing=4.0, bending=1000.0)
    values = torch.randn(sphere.num_verts, 3, dtype=torch.float64).float()
    assert smooth(values).dtype == torch.float32
    torch.testing.assert_close(smooth(values), smooth(values.double()).float())


def test_constants_stay(sphere):
    smooth = stiff_smoother(sphere.topology, smoothing=4.0, bending=100.0)
    torch.testing.assert_close(
        smooth(torch.full((sphere.num_verts, 3), 2.0)), torch.full((sphere.num_verts, 3), 2.0)
    )


def test_vertices_without_faces_are_left_as_they_are():
    mesh = Mesh(torch.eye(4)[:, :3].contiguous(), torch.tensor([[0, 1, 2]]))
    smooth = stiff_smoother(mesh.topology, smoothing=4.0, bending=1.0)
    assert torch.equal(smooth(torch.ones(4, 3))[3], torch.ones(3))


def test_two_factorisations_smooth_with_the_same_bits(sphere):
    values = torch.randn(sphere.num_verts, 3)
    found = [stiff_smoother(sphere.topology, smoothing=4.0, bending=30.0)(values) for _ in range(2)]
    assert torch.equal(*found)


@pytest.mark.cuda
def test_cuda_descends_where_the_cpu_does(sphere):
    values = torch.randn(sphere.num_verts, 3)
    topology = sphere.topology
    expected = stiff_smoother(topology, smoothing=4.0, bending=3.0)(values)
    found = stiff_smoother(topology.to("cuda"), smoothing=4.0, bending=3.0)(values.cuda()).cpu()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
