"""Decodes a mask image file to coverage 0..1."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lightning_rast.data.views import ViewsError

# Anything darker than half an 8-bit step is what a compressor leaves of black.
_LEAST_PEAK = 0.5


class EmptyMaskError(ViewsError):
    """A mask image without an object."""


def read_mask(path: Path) -> Float[Tensor, "H W"]:
    """The object's coverage in an image file: white or opaque is 1, black or transparent 0.

    1-bit, 8-bit and 16-bit grey, palette and colour images are read by their luminance, images
    with an alpha channel by that, unless it is opaque everywhere. Values in between are kept:
    they are the fractions of antialiased masks.

    Raises:
        ViewsError: if the file is missing, no image, or (EmptyMaskError) its mask is empty.
    """
    try:
        with Image.open(path) as image:
            coverage = _coverage(image)
    except FileNotFoundError:
        raise ViewsError(f"missing mask image: {path}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ViewsError(f"cannot read mask image {path}: {error}") from None
    peak = float(coverage.max())
    if peak < _LEAST_PEAK:
        hint = "it is black everywhere" if peak == 0 else f"its brightest pixel is {peak:.3g} of 1"
        raise EmptyMaskError(f"empty mask: {path} ({hint}; the object must be white or opaque)")
    return torch.from_numpy(coverage)


def _coverage(image: Image.Image) -> np.ndarray:
    if "A" in image.getbands() or "transparency" in image.info:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"), dtype=np.float32) / 255
        if alpha.min() < 1:
            return alpha
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow holds in one of several modes
        return np.asarray(image, dtype=np.float32) / 65535
    if image.mode == "F":
        return np.clip(np.asarray(image, dtype=np.float32), 0, 1)
    return np.asarray(image.convert("L"), dtype=np.float32) / 255
