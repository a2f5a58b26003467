"""What a polish step follows, beside bending: coverage against the views; and how far it goes."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lightning_rast.ops.outline_system import limit_outline_step
from lightning_rast.scene import Topology


class Misfit(NamedTuple):
    """What `coverage_misfit` finds."""

    of_view: Float[Tensor, " N"]  # pixels
    grad_coverage: Float[Tensor, "N H W"]


@torch.no_grad()
def coverage_misfit(
    coverage: Float[Tensor, "N H W"],
    target: Float[Tensor, "N H W"],
    known: Bool[Tensor, "N H W"] | None = None,
    *,
    weights: Float[Tensor, " N"] | None = None,
    l2: float = 1.0,
    l1: float = 0.0,
) -> Misfit:
    """Sums over the pixels of each view of `l2 d^2 + l1 |d|`, d = coverage - target, and the
    gradient of the sum over the views, each times its weight.

    Sums, not means: an outline that is off by d pixels along p of them counts about p d^2, which is
    what the outline's Gauss-Newton step counts too, so that both take the same bending weight.
    """
    difference = coverage - target
    if known is not None:
        difference = difference * known
    gradient = difference * (2 * l2)
    if l1:
        of_view = (l2 * difference.square() + l1 * difference.abs()).sum(dim=(1, 2))
        gradient += l1 * difference.sign()
    else:
        flat = difference.flatten(1)
        of_view = l2 * torch.linalg.vector_norm(flat, dim=1).square()
    if weights is not None:
        of_view = of_view * weights
        gradient *= weights[:, None, None]
    return Misfit(of_view, gradient)


@torch.no_grad()
def limited_move(
    before: Float[Tensor, "V 3"],
    after: Float[Tensor, "V 3"],
    topology: Topology,
    *,
    max_edges: float = 0.25,
) -> tuple[Float[Tensor, "V 3"], int]:
    """As far towards `after` as no vertex moves further than `max_edges` of the mean length of its
    edges and no face turns over, and how many vertices that held back."""
    delta, scale = limit_outline_step(
        before.double().cpu(),
        topology.edge_verts.cpu(),
        topology.faces.cpu(),
        (after - before).double().cpu(),
        max_edges=max_edges,
    )
    return before + delta.to(before), int((scale < 1).sum())
