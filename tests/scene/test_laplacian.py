"""The graph Laplacian: D - A of any mesh."""

import torch

from lightning_rast.scene import Topology, icosphere
from lightning_rast.scene.laplacian import as_torch_csr, graph_laplacian


def test_of_two_triangles():
    # 2---3
    # | \ |      and vertex 4, which no face uses
    # 0---1
    topology = Topology.from_faces(torch.tensor([[0, 1, 2], [1, 3, 2]]), 5)
    assert graph_laplacian(topology).toarray().tolist() == [
        [2, -1, -1, 0, 0],
        [-1, 3, -1, -1, 0],
        [-1, -1, 3, -1, 0],
        [0, -1, -1, 2, 0],
        [0, 0, 0, 0, 0],
    ]


def test_faces_that_share_an_edge_or_name_a_vertex_twice_count_it_once():
    topology = Topology.from_faces(torch.tensor([[0, 1, 2], [0, 1, 2], [2, 2, 0]]), 3)
    assert graph_laplacian(topology).toarray().tolist() == [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]]


def test_the_torch_matrix_is_the_same(device):
    matrix = graph_laplacian(icosphere(2).topology)
    values = torch.rand(matrix.shape[0], 3, dtype=torch.float64)
    there = as_torch_csr(matrix, dtype=torch.float64, device=device) @ values.to(device)
    torch.testing.assert_close(there.cpu(), torch.from_numpy(matrix @ values.numpy()))


def test_no_faces_give_an_empty_matrix():
    topology = Topology.from_faces(torch.zeros(0, 3, dtype=torch.int32), 3)
    assert graph_laplacian(topology).nnz == 0
