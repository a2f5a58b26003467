"""The smoother S = (I + lambda L)^-1, L the graph Laplacian of a mesh."""

import math
from collections.abc import Callable

import scipy.sparse
import torch
from jaxtyping import Float
from scipy.sparse.linalg import splu
from torch import Tensor

from lightning_rast.scene import Topology
from lightning_rast.scene.laplacian import as_torch_csr, graph_laplacian

# A factorisation takes 20 ms at 2,500 vertices, .4 s at 10,000 and 3 s at 40,000; from about here
# the polynomial, which needs none, is as fast per application too.
_MAX_FACTORED_VERTS = 30_000
# Of the smallest value of 1 / (1 + lambda x): small enough to stay positive.
_POLYNOMIAL_TOLERANCE = 0.01


class Smoother:
    """Applies S to each column of a (V, C) tensor: a low pass over about sqrt(lambda) edges.

    On the CPU by a sparse factorisation, made at the first use for each type of tensor. On CUDA,
    and for meshes of more than 30,000 vertices, by a Chebyshev polynomial in L that is within 1 %
    of the inverse at every frequency: only sparse products, no host round trip. Both are symmetric,
    positive definite, keep constants, and give the same bits on every run.

    strength: lambda; 0 changes nothing. Vertices without edges are left as they are.
    """

    def __init__(self, topology: Topology, strength: float) -> None:
        if not (math.isfinite(strength) and strength >= 0):
            raise ValueError(f"Smoother: strength must be 0 or more, got {strength}")
        self.topology = topology
        self.strength = strength
        self._maps: dict[tuple[torch.device, torch.dtype], Callable[[Tensor], Tensor]] = {}

    def __call__(self, values: Float[Tensor, "V C"]) -> Float[Tensor, "V C"]:
        if self.strength == 0 or self.topology.num_edges == 0:
            return values
        key = (values.device, values.dtype)
        if key not in self._maps:
            is_factored = (
                values.device.type == "cpu" and self.topology.num_verts <= _MAX_FACTORED_VERTS
            )
            make = factored_smoother if is_factored else polynomial_smoother
            self._maps[key] = make(
                self.topology, self.strength, dtype=values.dtype, device=values.device
            )
        return self._maps[key](values)


def factored_smoother(
    topology: Topology, strength: float, *, dtype: torch.dtype, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """S by sparse factorisation on the CPU."""
    laplacian = graph_laplacian(topology)
    matrix = scipy.sparse.identity(topology.num_verts) + strength * laplacian
    numpy_dtype = torch.empty(0, dtype=dtype).numpy().dtype
    # The matrix is symmetric and diagonally dominant: no pivoting, ordering for A^T + A.
    factors = splu(
        matrix.tocsc().astype(numpy_dtype),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )

    def smooth(values: Tensor) -> Tensor:
        return torch.from_numpy(factors.solve(values.detach().cpu().numpy())).to(device)

    return smooth


def polynomial_smoother(
    topology: Topology, strength: float, *, dtype: torch.dtype, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """S as a polynomial in L, of the degree that its spectrum asks for (about 30 at lambda 4)."""
    # Gershgorin: no eigenvalue of L exceeds twice the largest degree.
    largest = 2.0 * float(topology.vert_degree.max())
    coefficients = _inverse_coefficients(strength * largest / 2)
    # L mapped onto [-1, 1].
    mapped = graph_laplacian(topology) * (2 / largest) - scipy.sparse.identity(topology.num_verts)
    matrix = as_torch_csr(mapped.tocsr(), dtype=dtype, device=device)

    def smooth(values: Tensor) -> Tensor:
        # Clenshaw's recurrence.
        after, current = torch.zeros_like(values), coefficients[-1] * values
        for coefficient in coefficients[-2:0:-1]:
            before, after = after, current
            current = (2 * (matrix @ current)).sub_(before).add_(values, alpha=coefficient)
        return (matrix @ current).sub_(after).add_(values, alpha=coefficients[0])

    return smooth


def _inverse_coefficients(strength: float) -> list[float]:
    """Chebyshev series of 1 / (1 + strength (1 + x)) on [-1, 1], scaled to be 1 at x = -1.

    It is known in closed form: 1 / (a + b x) = c (1 + 2 sum (-q)^n T_n(x)) with
    q = (a - sqrt(a^2 - b^2)) / b.
    """
    a, b = 1 + strength, strength
    root = math.sqrt(a * a - b * b)
    q = (a - root) / b
    # What is cut off is less than 2 q^n / (1 - q) / root, at any x.
    allowed = _POLYNOMIAL_TOLERANCE / (1 + 2 * strength)
    degree = math.ceil(math.log(allowed * (1 - q) * root / 2) / math.log(q))
    series = [1 / root] + [2 / root * (-q) ** n for n in range(1, max(degree, 1) + 1)]
    at_constant = sum(value * (-1) ** n for n, value in enumerate(series))
    return [value / at_constant for value in series]
