"""How good a silhouette is, for people; nothing here is differentiable."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@torch.no_grad()
def box_iou(
    coverage: Float[Tensor, "N H W"],
    target: Float[Tensor, "N H W"],
    known: Bool[Tensor, "N H W"] | None = None,
    *,
    margin: float = 0.08,
) -> Float[Tensor, "N"]:
    """Intersection over union per view, float64, of both images cut at one half.

    Only the target's box counts, widened on every side by `margin` of its longer side, as in
    published figures: what is drawn far away (a turntable, another object) stays out. 1 where
    both are empty there.
    """
    inside, wanted = coverage > 0.5, target > 0.5
    counted = _widened_box(wanted, margin)
    if known is not None:
        counted = counted & known
    both = (inside & wanted & counted).sum(dim=(1, 2)).double()
    either = ((inside | wanted) & counted).sum(dim=(1, 2)).double()
    return torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both))


def _widened_box(mask: Tensor, margin: float) -> Tensor:
    """True within the box; everywhere for an empty mask, so that false hits still count."""
    row_low, row_high = _extent(mask.any(dim=2))
    column_low, column_high = _extent(mask.any(dim=1))
    longest = torch.maximum(row_high - row_low, column_high - column_low)
    pad = (margin * longest.clamp(min=0)).long()
    pad = torch.where(longest > 0, pad, max(mask.shape[1:]))
    rows = _between(row_low - pad, row_high + pad, mask.shape[1])
    columns = _between(column_low - pad, column_high + pad, mask.shape[2])
    return rows[:, :, None] & columns[:, None, :]


def _extent(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """First occupied index and the one past the last; (size, 0) where there is none."""
    size = occupied.shape[1]
    index = torch.arange(size, device=occupied.device)
    low = torch.where(occupied, index, size).amin(dim=1)
    high = torch.where(occupied, index + 1, 0).amax(dim=1)
    return low, high


def _between(low: Tensor, high: Tensor, size: int) -> Tensor:
    index = torch.arange(size, device=low.device)
    return (index >= low[:, None]) & (index < high[:, None])
