"""Photographs as pictures to look at: decoded small, in the frame of the view that they are of."""

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps

from lightning_rast.data.distortion import Distortion, undistorted
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.mask_image import decoded
from lightning_rast.data.sources import ViewSource
from lightning_rast.data.views import Views

# Behind what is transparent; neither black nor white objects vanish before it.
NEUTRAL = (128, 128, 128)
_PALER, _DARKER = 0.6, 0.52  # the part of colour that goes, and the part of light that is left
_EXIF_ORIENTATION = 0x0112
_ON_THEIR_SIDE = (5, 6, 7, 8)  # orientations whose width and height are exchanged
# Pillow's box counts whole pixels alone, which moves edges.
_FILTER = Image.Resampling.HAMMING


def photograph_in_view(
    views: Views, index: int, image_size: tuple[int, int] | None = None
) -> UInt8[np.ndarray, "H W 3"] | None:
    """The photograph of a view, sRGB, where its coverage is; None: there is none.

    image_size: (H, W) that the view's whole image, padding with it, is scaled to; None = as it is.

    The photograph may have any size of the mask file's shape, and any mode that Pillow reads: 16
    bits (the brightest pixel becomes white), grey, a palette; transparent parts are grey. The
    orientation that a camera noted (EXIF) counts where only that fits the mask. Lens distortion is
    undone. Padding repeats the border. One file is in memory at a time, JPEG never in full.

    Raises:
        ViewsError: it cannot be read, or has another shape than its mask.
    """
    source = None if views.sources is None else views.sources[index]
    if source is None or source.photograph is None:
        return None
    image_size = image_size or views.image_size
    # Of the picture, the part that comes from the file: the rest is padding.
    share = [
        file / scale / whole
        for file, scale, whole in zip(
            source.image_size, source.scale, views.image_size, strict=True
        )
    ]
    # Resampled a second time below, unless nothing is padded or bent.
    finer = 1 if source.distortion is None and min(share) > 1 - 1e-6 else 2
    height, width = (
        max(1, math.ceil(finer * side * part - 1e-6))
        for side, part in zip(image_size, share, strict=True)
    )
    picture = _straight(_small(source, (height, width)), source)
    right, below = width / share[1], height / share[0]
    if (right, below) != (width, height):
        padding = (0, math.ceil(below - 1e-6) - height), (0, math.ceil(right - 1e-6) - width)
        picture = np.pad(picture, (*padding, (0, 0)), mode="edge")
    box = (0, 0, min(right, picture.shape[1]), min(below, picture.shape[0]))
    placed = Image.fromarray(picture).resize((image_size[1], image_size[0]), _FILTER, box)
    return np.asarray(placed)


def faded(picture: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """Paler and darker, so that lines over it are readable; 0..255."""
    colors = picture.astype(np.float32)
    return _DARKER * (colors + _PALER * (colors.mean(axis=2, keepdims=True) - colors))


def _small(source: ViewSource, size: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    def decode(image: Image.Image) -> np.ndarray:
        turned = _fits_turned(image, source)
        height, width = size[::-1] if turned else size
        image.draft("RGB", (2 * width, 2 * height))  # JPEG comes at an eighth, say, of its size
        colors = _colors(image).resize((width, height), _FILTER, reducing_gap=3.0)
        if turned:
            colors.getexif()[_EXIF_ORIENTATION] = image.getexif()[_EXIF_ORIENTATION]
            colors = ImageOps.exif_transpose(colors)
        return np.asarray(colors)

    assert source.photograph is not None
    return decoded(source.photograph, decode, what="photograph")


def _fits_turned(image: Image.Image, source: ViewSource) -> bool:
    """Whether it has the shape of the mask after it was turned as its camera noted; False: before.

    Raises:
        ViewsError: neither.
    """
    if _has_shape((image.height, image.width), source.image_size):
        return False
    on_its_side = image.getexif().get(_EXIF_ORIENTATION) in _ON_THEIR_SIDE
    if on_its_side and _has_shape(image.size, source.image_size):
        return True
    (height, width), (own_width, own_height) = source.image_size, image.size
    raise ViewsError(
        f"photograph {source.photograph} has {own_width} x {own_height} pixels, another shape than"
        f" its mask of {width} x {height}"
    )


def _has_shape(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """The larger of the two is the other one scaled, but for the rounding of its sides."""
    scale = max(size) / max(wanted)
    return all(abs(a - scale * b) <= max(1.0, scale) for a, b in zip(size, wanted, strict=True))


def _colors(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float32))
        values = values / max(float(values.max()), 1.0)
        return Image.fromarray((255 * values.clip(0, 1)).astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        page = Image.new("RGB", image.size, NEUTRAL)
        page.paste(image, mask=image.getchannel("A"))
        return page
    return image if image.mode == "RGB" else image.convert("RGB")


def _straight(picture: np.ndarray, source: ViewSource) -> np.ndarray:
    distortion: Distortion | None = source.distortion
    if distortion is None:
        return picture
    scale = [new / old for new, old in zip(picture.shape[:2], source.image_size, strict=True)]
    K = torch.diag(source.K.new_tensor([scale[1], scale[0], 1.0])) @ source.K
    straight, _ = undistorted(torch.from_numpy(picture.copy()), K, distortion)
    return straight.numpy()
