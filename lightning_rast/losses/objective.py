"""The weighted sum that a fit minimises, term by term."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from lightning_rast.losses.image import silhouette_l1, silhouette_l2
from lightning_rast.losses.regularizers import Regularizers
from lightning_rast.scene import Mesh, Topology


@runtime_checkable
class Weights(Protocol):
    """Weights of the terms; a term with weight 0 is neither computed nor reported."""

    silhouette_l2: float
    silhouette_l1: float
    laplacian: float
    normal_consistency: float
    edge_length: float


@runtime_checkable
class Targets(Protocol):
    """What was seen: coverage (N, H, W) and where it is known."""

    @property
    def coverage(self) -> Tensor: ...

    @property
    def known(self) -> Tensor | None: ...


class Objective:
    """Terms by name for a mesh of one topology.

    scale: half of the object's extent in world units; makes every term independent of the unit.
    """

    def __init__(self, weights: Weights, topology: Topology, *, scale: float) -> None:
        self.weights = weights
        self.regularizers = Regularizers(topology, scale=scale)

    def __call__(
        self,
        coverage: Float[Tensor, "N H W"],
        targets: Targets,
        mesh: Mesh,
        *,
        bending_length: float,
    ) -> dict[str, Tensor]:
        """Every active term, times its weight, and their sum as `total`.

        bending_length: in units of `scale`; with weight 1 the Laplacian term keeps the surface
            smooth over about this length, whatever the image size or the number of vertices.
        """
        weights, verts, image = self.weights, mesh.verts, (targets.coverage, targets.known)
        terms: dict[str, Tensor] = {}
        if weights.silhouette_l2:
            terms["silhouette_l2"] = weights.silhouette_l2 * silhouette_l2(coverage, *image)
        if weights.silhouette_l1:
            terms["silhouette_l1"] = weights.silhouette_l1 * silhouette_l1(coverage, *image)
        if weights.laplacian and bending_length:
            bending = outline_stiffness(targets.coverage) * bending_length**4
            terms["laplacian"] = weights.laplacian * bending * self.regularizers.laplacian(verts)
        if weights.normal_consistency:
            terms["normal_consistency"] = (
                weights.normal_consistency * self.regularizers.normal_consistency(verts)
            )
        if weights.edge_length:
            terms["edge_length"] = weights.edge_length * self.regularizers.edge_length(verts)
        terms["total"] = sum(terms.values(), start=verts.new_zeros(()))
        return terms


def outline_stiffness(images: Tensor) -> float:
    """Second derivative of `silhouette_l2` by a vertex's position, typically, in units of scale.

    An outline of p pixels that moves by d < 1 pixels changes the squared coverage by p d^2; an
    object of k pixels per unit of scale has k p k / (H W) of it. For k near 0.43 and p near 2.5 of
    an image's side, shared by the vertices (a piece of outline pulls its two end points by 2/3 in
    all, along one direction of three), that is a tenth of the side.
    """
    height, width = images.shape[1:]
    return 0.1 * (height * width) ** 0.5
