"""Regularizers of the surface. Each is a pure number that no change of world unit alters.

A face without area and an edge without length have no direction; they contribute nothing, and
their gradients are zero, not NaN. Values and gradients have the same bits on every run.
"""

from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.ops.steady_sum import steady_sum
from lightning_rast.scene import Topology
from lightning_rast.scene.gather import Gather
from lightning_rast.scene.laplacian import as_torch_csr, graph_laplacian


class Regularizers:
    """Terms on the vertices of one topology, with what they need of it kept between steps.

    scale: the object's size in world units, the unit of curvature.
    """

    def __init__(self, topology: Topology, *, scale: float) -> None:
        self.topology = topology
        self.scale = scale
        self._laplacians: dict[torch.dtype, Tensor] = {}

    def laplacian(self, verts: Float[Tensor, "V 3"]) -> Float[Tensor, ""]:
        """Bending: mean over the vertices of `|surface Laplacian of position|^2 * scale^2`.

        On an even mesh, six neighbours at distance h, the graph Laplacian L v is 3/2 h^2 times the
        surface's, hence `4/9 |L v|^2 / h^4`. Unevenness adds to it, so minimising evens the mesh
        out. h, the mean edge length, is a constant to the gradient, since growing it would be an
        easy way out.
        """
        edge = self._mean_edge_length(verts)
        weight = 4 / 9 * self.scale**2 / (max(edge, self._tiny(verts)) ** 4)
        return _LaplacianEnergy.apply(verts, self._laplacian(verts.dtype)) * weight

    def normal_consistency(self, verts: Float[Tensor, "V 3"]) -> Float[Tensor, ""]:
        """Mean over pairs of adjacent faces of 1 - cos of the angle between their normals, 0..2."""
        if len(self.topology.face_adjacency) == 0:
            return verts.sum() * 0
        # In units of edges, so that products of four lengths neither vanish nor overflow.
        unit = max(self._mean_edge_length(verts), self._tiny(verts))
        a, b, c = self.topology.corner_gather(verts / unit).unflatten(0, (-1, 3)).unbind(1)
        normal = torch.linalg.cross(b - a, c - a)
        first, second = self._neighbours(normal).unflatten(0, (-1, 2)).unbind(1)
        squares = first.square().sum(1) * second.square().sum(1)
        has_angle = squares > torch.finfo(verts.dtype).eps ** 4
        lengths = torch.where(has_angle, squares, 1).sqrt()
        cosine = (first * second).sum(1) / lengths
        return steady_sum(torch.where(has_angle, 1 - cosine, 0)) / len(cosine)

    def edge_length(self, verts: Float[Tensor, "V 3"]) -> Float[Tensor, ""]:
        """Variance of the edges' lengths over the square of their mean."""
        if self.topology.num_edges == 0:
            return verts.sum() * 0
        squares = self._edge_vectors(verts).square().sum(1)
        is_long = squares > 0
        length = torch.where(is_long, torch.where(is_long, squares, 1).sqrt(), 0)
        mean = (steady_sum(length) / len(length)).clamp(min=self._tiny(verts))
        return steady_sum((length / mean - 1).square()) / len(length) * is_long.any()

    @torch.no_grad()
    def _mean_edge_length(self, verts: Tensor) -> float:
        if self.topology.num_edges == 0:
            return 0.0
        x, y, z = self._edge_vectors(verts).square().unbind(1)
        return float(steady_sum((x + y + z).sqrt())) / self.topology.num_edges

    def _edge_vectors(self, verts: Tensor) -> Tensor:
        tail, head = self._ends(verts).unflatten(0, (-1, 2)).unbind(1)
        return tail - head

    def _tiny(self, verts: Tensor) -> float:
        """A length that counts as none for an object of this size."""
        return self.scale * torch.finfo(verts.dtype).eps

    def _laplacian(self, dtype: torch.dtype) -> Tensor:
        if dtype not in self._laplacians:
            self._laplacians[dtype] = as_torch_csr(
                graph_laplacian(self.topology), dtype=dtype, device=self.topology.device
            )
        return self._laplacians[dtype]

    @cached_property
    def _neighbours(self) -> Gather:
        """Faces of the adjacent pairs, two rows each."""
        return Gather(self.topology.face_adjacency.reshape(-1), self.topology.num_faces)

    @cached_property
    def _ends(self) -> Gather:
        """Vertices of the edges, two rows each."""
        return Gather(self.topology.edge_verts.reshape(-1), self.topology.num_verts)


class _LaplacianEnergy(torch.autograd.Function):
    """Mean over the vertices of |L v|^2; L is symmetric, so the gradient is 2 L L v / V."""

    @staticmethod
    def forward(ctx, verts: Tensor, laplacian: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        difference = laplacian @ verts
        ctx.save_for_backward(difference, laplacian)
        return steady_sum(difference.square()) / max(1, len(verts))

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        difference, laplacian = ctx.saved_tensors
        return (laplacian @ difference) * (2 * grad / max(1, len(difference))), None
