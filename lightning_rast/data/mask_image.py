"""Decodes an image file to the coverage of the object in it, 0..1."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lightning_rast.data.background import DEFAULT_THRESHOLD, foreground
from lightning_rast.data.errors import EmptyMaskError, ViewsError

_T = TypeVar("_T")

# Anything darker than half an 8-bit step is what a compressor leaves of black.
_LEAST_PEAK = 0.5
# A file of a few kilobytes may announce any number.
_MOST_PIXELS = 2**26


def read_mask(path: Path, *, inverted: bool = False) -> Float[Tensor, "H W"]:
    """The object's coverage in an image file: white or opaque is 1, black or transparent 0.

    1-bit, 8-bit and 16-bit grey, palette and colour images are read by their luminance, images
    with an alpha channel by that, unless it is opaque everywhere. Values in between are kept:
    they are the fractions of antialiased masks. `inverted`: black is the object.

    Raises:
        ViewsError: if the file is missing, no image, or (EmptyMaskError) its mask is empty.
    """
    coverage = decoded(path, _coverage)
    if inverted:
        coverage = 1 - coverage
    peak = float(coverage.max())
    if peak < _LEAST_PEAK:
        hint = "it is black everywhere" if peak == 0 else f"its brightest pixel is {peak:.3g} of 1"
        raise EmptyMaskError(f"empty mask: {path} ({hint}; the object must be white or opaque)")
    return torch.from_numpy(coverage)


def read_alpha(path: Path, *, inverted: bool = False) -> Float[Tensor, "H W"]:
    """The alpha channel of an image file.

    Raises:
        ViewsError: as `read_mask`, or the image has no alpha channel.
    """
    coverage = decoded(path, _alpha)
    if coverage is None:
        raise ViewsError(f"{path} has no alpha channel to take the mask from")
    if inverted:
        coverage = 1 - coverage
    if coverage.max() < _LEAST_PEAK:
        raise EmptyMaskError(f"empty mask: {path} is transparent everywhere")
    return torch.from_numpy(coverage)


def read_foreground(
    path: Path, *, threshold: float = DEFAULT_THRESHOLD, inverted: bool = False
) -> Float[Tensor, "H W"]:
    """What differs from a plain background; `data.background.foreground` says how.

    inverted: what does not differ from it, as of a hole in a plain sheet.

    Raises:
        ViewsError: as `read_mask`, or the background is not plain.
    """
    colors = decoded(path, lambda image: np.asarray(image.convert("RGB"), dtype=np.float32) / 255)
    try:
        found = foreground(torch.from_numpy(colors), threshold=threshold)
    except ViewsError as error:
        raise type(error)(f"{path}: {error}") from None
    if inverted and bool(found.all()):
        raise EmptyMaskError(f"empty mask: nothing of {path} is like its border")
    return 1 - found if inverted else found


def has_alpha(path: Path) -> bool:
    """Whether an image file has an alpha channel that is not opaque everywhere.

    Raises:
        ViewsError: it is no image.
    """
    alpha = decoded(path, _alpha)
    return alpha is not None and bool(alpha.min() < 1)


def image_size_of(path: Path) -> tuple[int, int]:
    """(H, W), from the file's header.

    Raises:
        ViewsError: it is missing or no image.
    """
    return decoded(path, lambda image: (image.height, image.width))


def decoded(path: Path, decode: Callable[[Image.Image], _T], *, what: str = "mask image") -> _T:
    """What `decode` makes of an image file, of which Pillow has read the header alone by then.

    what: it is, for messages.

    Raises:
        ViewsError: whatever is wrong with the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a limit too
            with Image.open(path) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise ViewsError(
                        f"{path} has {image.width} x {image.height} pixels, more than the"
                        f" {_MOST_PIXELS >> 20} million that are read; scale it down"
                    )
                return decode(image)
    except FileNotFoundError:
        raise ViewsError(f"missing {what}: {path}") from None
    except ViewsError:
        raise
    except UnidentifiedImageError:  # whose text repeats the path
        raise ViewsError(f"cannot read {what} {path}: it is no image that Pillow knows") from None
    except Image.DecompressionBombError as error:
        raise ViewsError(f"cannot read {what} {path}: {error}") from None
    # Pillow's decoders let struct.error, IndexError, zlib.error and others of damaged files pass.
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) else error  # without the path
        text = f"{reason or error or type(error).__name__}"
        raise ViewsError(f"cannot read {what} {path}: {text}") from None


def _alpha(image: Image.Image) -> np.ndarray | None:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return None
    return np.asarray(image.convert("RGBA").getchannel("A"), dtype=np.float32) / 255


def _coverage(image: Image.Image) -> np.ndarray:
    alpha = _alpha(image)
    if alpha is not None and alpha.min() < 1:
        return alpha
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow holds in one of several modes
        return np.clip(np.asarray(image, dtype=np.float32) / 65535, 0, 1)
    if image.mode == "F":
        return np.clip(np.nan_to_num(np.asarray(image, dtype=np.float32)), 0, 1)
    return np.asarray(image.convert("L"), dtype=np.float32) / 255
