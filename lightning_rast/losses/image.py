"""Image terms: rendered coverage against measured coverage.

Both are area fractions of the same pixels, so targets averaged down a pyramid match what is
rendered at that size exactly. Each term is a mean over a view's known pixels, then over the
views; a view without known pixels counts as a perfect one.
"""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss


def silhouette_l2(
    coverage: Float[Tensor, "N H W"],
    target: Float[Tensor, "N H W"],
    known: Bool[Tensor, "N H W"] | None = None,
) -> Float[Tensor, ""]:
    """Mean squared difference over known pixels (None = all)."""
    if known is None:
        return mse_loss(coverage, target)
    return _known_mean((coverage - target).square(), known)


def silhouette_l1(
    coverage: Float[Tensor, "N H W"],
    target: Float[Tensor, "N H W"],
    known: Bool[Tensor, "N H W"] | None = None,
) -> Float[Tensor, ""]:
    """Mean absolute difference over known pixels (None = all)."""
    if known is None:
        return l1_loss(coverage, target)
    return _known_mean((coverage - target).abs(), known)


def _known_mean(error: Tensor, known: Tensor) -> Tensor:
    count = known.sum(dim=(1, 2)).clamp(min=1).to(error.dtype)
    return ((error * known).sum(dim=(1, 2)) / count).mean()
