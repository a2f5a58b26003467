"""Pictures of how a mesh fits its views, for light and dark pages alike."""

import base64
import io

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image, features
from torch import Tensor

from lightning_rast.data.area import area_average
from lightning_rast.data.photograph_image import faded, photograph_in_view
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.page.facts import ScoredViews

# sRGB. Where target and prediction agree; where the mesh covers too much, and too little; nothing
# measured. Told apart by all common kinds of colour vision, on white and on black.
AGREED, TOO_MUCH, TOO_LITTLE, UNKNOWN = (
    (150, 155, 163),
    (226, 74, 51),
    (41, 128, 214),
    (190, 160, 60),
)
OUTLINE = (255, 255, 255)  # of the mesh, over photographs
_AGREED_ALPHA, _UNKNOWN_ALPHA = 0.55, 0.25  # pale, so that thin differences stand out
_LARGEST_SIDE = 320  # pixels
_MARGIN = 0.08  # of the longer side of the box around object and mesh


def view_picture(scored: ScoredViews, index: int) -> str:
    """One view as a `data:` URL: target and mesh over each other, cut to their box.

    Each pixel shows which areas of it both cover, the mesh alone, the target alone.
    """
    return data_url("image/png", _png(_cut_difference(scored, index)))


def photograph_picture(scored: ScoredViews, index: int) -> Image.Image | None:
    """The photograph of a view, faded and cut as `view_picture`: the outline of the mesh over it,
    and what only one of target and mesh covers. None: there is none.

    Raises:
        ViewsError: it cannot be read.
    """
    rows, columns = _window_of(scored, index)
    height, width = scored.views.image_size
    scale = min(1.0, 2 * _LARGEST_SIDE / max(rows.stop - rows.start, columns.stop - columns.start))
    reduced = (max(1, round(scale * height)), max(1, round(scale * width)))
    photograph = photograph_in_view(scored.views, index, reduced)
    if photograph is None:
        return None
    over = _limited(Image.fromarray(_cut_difference(scored, index, agreed_alpha=0.0)))
    y, x = reduced[0] / height, reduced[1] / width
    box = (x * columns.start, y * rows.start, x * columns.stop, y * rows.stop)
    below = Image.fromarray(faded(photograph).astype(np.uint8))
    picture = below.resize(over.size, Image.Resampling.HAMMING, box)
    inside = area_average(scored.predictions[[index]][:, rows, columns], (over.height, over.width))
    line = (1.2 - mask_distance(inside)[0].abs()).clamp(0, 1).nan_to_num(0.0)
    picture.paste(OUTLINE, mask=Image.fromarray((255 * line).byte().numpy()))
    picture.paste(over, mask=over.getchannel("A"))
    return picture


def _window_of(scored: ScoredViews, index: int) -> tuple[slice, slice]:
    seen = torch.maximum(scored.views.coverage[index].float(), scored.predictions[index])
    return _window(seen > 0.02)


def _cut_difference(
    scored: ScoredViews, index: int, *, agreed_alpha: float = _AGREED_ALPHA
) -> UInt8[np.ndarray, "H W 4"]:
    target = scored.views.coverage[index].float()
    known = scored.views.known
    of_view = torch.ones_like(target, dtype=torch.bool) if known is None else known[index]
    cut = _window_of(scored, index)
    images = (target, scored.predictions[index], of_view)
    return difference(*(image[cut].numpy() for image in images), agreed_alpha=agreed_alpha)


def difference(
    target: Float[np.ndarray, "H W"],
    prediction: Float[np.ndarray, "H W"],
    known: Bool[np.ndarray, "H W"],
    *,
    agreed_alpha: float = _AGREED_ALPHA,
) -> UInt8[np.ndarray, "H W 4"]:
    """RGBA: the areas of a pixel, blended; what neither covers is transparent.

    Differences are drawn as strongly as their square root: at an outline they are often less than
    half a pixel.
    """
    excess = prediction - target
    too_much = np.sqrt(np.clip(excess, 0, 1)) * known
    too_little = np.sqrt(np.clip(-excess, 0, 1)) * known
    agreed = np.minimum(np.minimum(target, prediction), 1 - too_much - too_little) * known
    areas = np.stack((agreed_alpha * agreed, too_much, too_little, _UNKNOWN_ALPHA * ~known), axis=2)
    alpha = areas.sum(axis=2, keepdims=True)
    colors = np.array((AGREED, TOO_MUCH, TOO_LITTLE, UNKNOWN), dtype=np.float64)
    color = areas @ colors / np.maximum(alpha, 1e-6)
    return np.concatenate((color + 0.5, 255 * np.clip(alpha, 0, 1) + 0.5), axis=2).astype(np.uint8)


def data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _window(seen: Bool[Tensor, "H W"]) -> tuple[slice, slice]:
    """Rows and columns of the box around what is seen, with a margin; everything if nothing is."""
    height, width = seen.shape
    rows, columns = seen.any(dim=1).nonzero()[:, 0], seen.any(dim=0).nonzero()[:, 0]
    if not len(rows):
        return slice(0, height), slice(0, width)
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    margin = max(2, round(_MARGIN * max(bottom - top, right - left)))
    return (
        slice(max(0, top - margin), min(height, bottom + margin)),
        slice(max(0, left - margin), min(width, right + margin)),
    )


def _png(pixels: UInt8[np.ndarray, "H W 4"]) -> bytes:
    buffer = io.BytesIO()
    _limited(Image.fromarray(pixels)).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def small_photograph(picture: Image.Image, largest_side: int) -> str:
    """As a `data:` URL; WebP, which keeps thin coloured lines in half the size of JPEG."""
    buffer = io.BytesIO()
    limited = _limited(picture, largest_side)
    if not features.check("webp"):  # Pillow was built without
        limited.save(buffer, format="JPEG", quality=65, subsampling=0)
        return data_url("image/jpeg", buffer.getvalue())
    limited.save(buffer, format="WEBP", quality=60, use_sharp_yuv=True)
    return data_url("image/webp", buffer.getvalue())


def _limited(image: Image.Image, largest_side: int = _LARGEST_SIDE) -> Image.Image:
    if max(image.size) <= largest_side:
        return image
    scale = largest_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BOX)
