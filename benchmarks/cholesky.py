"""Time of the sparse factorisation behind a polish: cholespy against scipy's splu.

python benchmarks/cholesky.py [--level 5]
"""

import argparse

import numpy as np
import scipy.sparse
import torch
from cholespy import CholeskySolverD, MatrixType  # pyright: ignore[reportAttributeAccessIssue]
from coverage import table
from scipy.sparse.linalg import SuperLU, splu
from stopwatch import best_ms

from lightning_rast.scene import Topology, icosphere
from lightning_rast.scene.laplacian import graph_laplacian

SMOOTHING, BENDING = 4.0, 50.0


def stiff_matrix(topology: Topology) -> scipy.sparse.coo_matrix:
    """What `optim.bending.stiff_smoother` inverts."""
    laplacian = graph_laplacian(topology)
    near = scipy.sparse.identity(topology.num_verts) + SMOOTHING * laplacian
    return (near @ near + 2 * BENDING * (laplacian @ laplacian)).tocoo()


def cholespy_solver(matrix: scipy.sparse.coo_matrix, num_verts: int) -> CholeskySolverD:
    return CholeskySolverD(
        num_verts,
        torch.from_numpy(matrix.row.astype(np.int32)),
        torch.from_numpy(matrix.col.astype(np.int32)),
        torch.from_numpy(matrix.data),
        MatrixType.COO,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--level", type=int, default=5, help="of the icosphere")
    topology = icosphere(parser.parse_args().level).topology
    num_verts = topology.num_verts
    matrix = stiff_matrix(topology)
    columns = matrix.tocsc()
    right = torch.rand(num_verts, 3, dtype=torch.float64)
    solution = torch.zeros_like(right)

    def by_splu() -> SuperLU:
        options = {"SymmetricMode": True}
        return splu(columns, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)

    solver, factors = cholespy_solver(matrix, num_verts), by_splu()
    rows = [
        ["cholespy", best_ms(lambda: cholespy_solver(matrix, num_verts), repeats=5)],
        ["splu", best_ms(by_splu, repeats=3)],
    ]
    rows[0].append(best_ms(lambda: solver.solve(right, solution), repeats=20))
    rows[1].append(best_ms(lambda: factors.solve(right.numpy()), repeats=20))
    table([f"{num_verts} vertices", "factorise, ms", "solve, ms"], rows)


if __name__ == "__main__":
    main()
