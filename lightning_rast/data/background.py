"""Masks of photographs before a plain background, by a threshold on the colour's distance."""

import numpy as np
import scipy.ndimage
import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.errors import EmptyMaskError, ViewsError

_NUM_BINS = 256
# Of the border's pixels, those that must be within the threshold of the background's colour.
_LEAST_PLAIN = 0.5
# Specks of noise outside and of highlights inside are smaller than this part of the object.
_SPECK = 0.002


def foreground(colors: Float[Tensor, "H W 3"], *, threshold: float = 0.0) -> Float[Tensor, "H W"]:
    """1 where the largest difference of a colour channel from the background exceeds `threshold`.

    The background's colour is the median over the image's border. `threshold` in 0..1; 0 = Otsu's:
    the value that parts the differences into two groups of least variance. Specks and holes
    smaller than 0.2 % of the object are removed; larger holes stay: one may look through them.

    Raises:
        ViewsError: most of the border differs from its own median: no plain background.
        EmptyMaskError: nothing differs.
    """
    values = colors.cpu().numpy()
    border = np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])
    difference = np.abs(values - np.median(border, axis=0)).max(axis=2)
    level = threshold or _otsu(difference)
    edges = (difference[0], difference[-1], difference[1:-1, 0], difference[1:-1, -1])
    if (np.concatenate(edges) <= level).mean() < _LEAST_PLAIN:
        raise ViewsError(
            f"the image's border has no plain colour (threshold {level:.3g}); masks from the"
            " background need a photograph before one of a single colour"
        )
    found = difference > level
    if not found.any():
        raise EmptyMaskError(f"empty mask: nothing differs from the background by {level:.3g} of 1")
    found = _without_specks(found)
    holes = ~found
    return torch.from_numpy((~_without_specks(holes, found.sum())).astype(np.float32))


def _otsu(values: np.ndarray) -> float:
    """Otsu, A threshold selection method from gray-level histograms, 1979."""
    counts, edges = np.histogram(values, bins=_NUM_BINS, range=(0, 1))
    middles = (edges[:-1] + edges[1:]) / 2
    below, sums = counts.cumsum(), (counts * middles).cumsum()
    above = below[-1] - below
    with np.errstate(all="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * gap**2)
    return float(edges[int(between.argmax()) + 1])


def _without_specks(mask: np.ndarray, whole: int = 0) -> np.ndarray:
    """Without connected parts below `_SPECK` of `whole` pixels (0 = of the mask's own)."""
    labels = np.empty(mask.shape, dtype=np.int32)
    scipy.ndimage.label(mask, output=labels)
    sizes = np.bincount(labels.ravel())
    keep = sizes >= _SPECK * (whole or mask.sum())
    keep[0] = False
    return keep[labels]
