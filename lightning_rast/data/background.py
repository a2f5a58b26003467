"""Masks of photographs before a plain background, by a threshold on the colour's distance."""

import numpy as np
import scipy.ndimage
import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.errors import EmptyMaskError, ViewsError

# Of a full channel: above the noise of sensors and JPEG, below the shadows on a white object before
# black (0.05 and 0.19 were worse on such photographs).
DEFAULT_THRESHOLD = 0.1
# Of the border's pixels, those that must be within the threshold of the background's colour.
_LEAST_PLAIN = 0.75
# Specks of noise outside and of highlights inside are smaller than this part of the object.
_SPECK = 0.002


def foreground(
    colors: Float[Tensor, "H W 3"], *, threshold: float = DEFAULT_THRESHOLD
) -> Float[Tensor, "H W"]:
    """1 where the largest difference of a colour channel from the background exceeds `threshold`.

    The background's colour is the median over the image's border. Specks and holes smaller than
    0.2 % of the object are removed; larger holes stay, since one may look through them.

    Raises:
        ViewsError: over a quarter of the border differs from its own median: no plain background.
        EmptyMaskError: nothing differs.
    """
    values = colors.cpu().numpy()
    border = np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])
    difference = np.abs(values - np.median(border, axis=0)).max(axis=2)
    edges = (difference[0], difference[-1], difference[1:-1, 0], difference[1:-1, -1])
    if (np.concatenate(edges) <= threshold).mean() < _LEAST_PLAIN:
        raise ViewsError(
            "the image's border has no plain colour (more than a quarter of it differs by over"
            f" {threshold:.3g} of 1 from its median); masks from the background need photographs"
            " before a plain one, or another data.background_threshold"
        )
    found = _without_specks(difference > threshold)
    if not found.any():
        text = f"nothing differs from the background by {threshold:.3g} of 1"
        raise EmptyMaskError(f"empty mask: {text}")
    filled = ~_without_specks(~found, int(found.sum()))
    return torch.from_numpy(filled.astype(np.float32))


def _without_specks(mask: np.ndarray, whole: int = 0) -> np.ndarray:
    """Without connected parts below `_SPECK` of `whole` pixels (0 = of the mask's own)."""
    labels = np.empty(mask.shape, dtype=np.int32)
    scipy.ndimage.label(mask, output=labels)
    sizes = np.bincount(labels.ravel())
    keep = sizes >= _SPECK * (whole or mask.sum())
    keep[0] = False
    return keep[labels]
