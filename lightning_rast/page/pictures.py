"""Pictures of how a mesh fits its views, for light and dark pages alike."""

import base64
import io

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from lightning_rast.page.facts import ScoredViews

# sRGB. Where target and prediction agree; where the mesh covers too much, and too little; nothing
# measured. Told apart by all common kinds of colour vision, on white and on black.
AGREED, TOO_MUCH, TOO_LITTLE, UNKNOWN = (
    (150, 155, 163),
    (226, 74, 51),
    (41, 128, 214),
    (190, 160, 60),
)
_AGREED_ALPHA, _UNKNOWN_ALPHA = 0.55, 0.25  # pale, so that thin differences stand out
_LARGEST_SIDE = 320  # pixels
_MARGIN = 0.08  # of the longer side of the box around object and mesh


def view_picture(scored: ScoredViews, index: int) -> str:
    """One view as a `data:` URL: target and mesh over each other, cut to their box.

    Each pixel shows which areas of it both cover, the mesh alone, the target alone.
    """
    target = scored.views.coverage[index].float()
    prediction = scored.predictions[index]
    known = scored.views.known
    of_view = torch.ones_like(target, dtype=torch.bool) if known is None else known[index]
    rows, columns = _window(torch.maximum(target, prediction) > 0.02)
    pixels = difference(
        target[rows, columns].numpy(),
        prediction[rows, columns].numpy(),
        of_view[rows, columns].numpy(),
    )
    return data_url("image/png", _png(pixels))


def difference(
    target: Float[np.ndarray, "H W"],
    prediction: Float[np.ndarray, "H W"],
    known: Bool[np.ndarray, "H W"],
) -> UInt8[np.ndarray, "H W 4"]:
    """RGBA: the areas of a pixel, blended; what neither covers is transparent.

    Differences are drawn as strongly as their square root: at an outline they are often less than
    half a pixel.
    """
    excess = prediction - target
    too_much = np.sqrt(np.clip(excess, 0, 1)) * known
    too_little = np.sqrt(np.clip(-excess, 0, 1)) * known
    agreed = np.minimum(np.minimum(target, prediction), 1 - too_much - too_little) * known
    areas = np.stack(
        (_AGREED_ALPHA * agreed, too_much, too_little, _UNKNOWN_ALPHA * ~known), axis=2
    )
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
    image = Image.fromarray(pixels)
    if max(image.size) > _LARGEST_SIDE:
        scale = _LARGEST_SIDE / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()
