"""The graph Laplacian of a mesh: what losses and smoothing mean by "smooth"."""

import warnings

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from lightning_rast.scene.topology import Topology


def graph_laplacian(topology: Topology) -> csr_matrix:
    """L = D - A over the edges of any mesh: (L x)_i = sum over neighbours j of x_i - x_j.

    Symmetric, float64 (V, V), rows in ascending column order; its eigenvalues lie between 0 and
    twice the largest degree. A vertex without edges has an empty row.
    """
    low, high = topology.edge_verts.cpu().numpy().astype(np.int64).T
    diagonal = np.arange(topology.num_verts)
    degree = topology.vert_degree.cpu().numpy()
    rows = np.concatenate((low, high, diagonal))
    columns = np.concatenate((high, low, diagonal))
    values = np.concatenate((np.full(2 * len(low), -1.0), degree))
    matrix = csr_matrix((values, (rows, columns)), (topology.num_verts, topology.num_verts))
    matrix.eliminate_zeros()
    return matrix


def as_torch_csr(matrix: csr_matrix, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The same matrix for products with dense tensors: `as_torch_csr(...) @ x`."""
    with warnings.catch_warnings():
        # "Sparse CSR tensor support is in beta state": the product is all that is used of it.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr),
            torch.from_numpy(matrix.indices),
            torch.from_numpy(matrix.data).to(dtype),
            size=matrix.shape,
            check_invariants=False,
        ).to(device)
