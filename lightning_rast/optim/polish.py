"""What a polish step follows, beside bending: coverage against the views."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


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
