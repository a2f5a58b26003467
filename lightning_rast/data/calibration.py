"""What a camera file says: one camera per view, and which image it belongs to.

Every reader returns a `Calibration`; `mask_files.py` finds the masks, `assembly.py` makes `Views`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lightning_rast.data.distortion import Distortion
from lightning_rast.data.errors import ViewsError
from lightning_rast.scene import Camera

# The coordinates of the first pixel's centre: (0, 0), (.5, .5) or (1, 1).
PixelCenters = Literal["integer", "half", "matlab"]

# A camera needs some size; this one is replaced by that of the view's image.
UNKNOWN_SIZE = (1, 1)


@dataclass(frozen=True, kw_only=True)
class CalibratedView:
    """One camera of a camera file.

    label: where it stands, for messages: "cameras.json, view 3 (masks/003.png)".
    camera: a single one. Its `image_size` is what it was calibrated for, or `UNKNOWN_SIZE`.
    image: the photograph as the file names it, perhaps without a suffix; "" = by order.
    mask: the mask as the file names it, if it does.
    number: the view's number in the file, for images that it does not name.
    distortion: what the lens did before the pinhole camera is right.
    has_free_sign: the matrix may be negated, so that in front and behind are not known yet.
    """

    label: str
    camera: Camera
    image: str = ""
    mask: Path | None = None
    number: int = 0
    distortion: Distortion | None = None
    has_free_sign: bool = False


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """All views of a camera file. Images and masks are looked for in `folder`."""

    path: Path
    folder: Path
    views: tuple[CalibratedView, ...]


def krt_camera(
    label: str,
    K: np.ndarray,
    R: np.ndarray,
    t: np.ndarray,
    *,
    pixel_centers: PixelCenters,
    image_size: tuple[int, int] = UNKNOWN_SIZE,
) -> Camera:
    """One camera from x_view = R x_world + t.

    Raises:
        ViewsError: a value is impossible; the message starts with `label`.
    """
    try:
        shifted = _half_pixel_shift(pixel_centers) @ _finite(label, "K", K)
        rotation, translation = _finite(label, "R", R)[None], _finite(label, "t", t)[None]
        return Camera.from_krt(
            shifted[None], rotation, translation, image_size, pixel_centers="half"
        )
    except ViewsError:
        raise
    except (ValueError, RuntimeError) as error:  # what Camera, or torch, says about a matrix
        raise ViewsError(f"{label}: {error}") from None


def matrix_camera(
    label: str,
    P: np.ndarray,
    *,
    pixel_centers: PixelCenters,
    image_size: tuple[int, int] = UNKNOWN_SIZE,
) -> Camera:
    """One camera from a 3x4 matrix of any scale; its sign decides what is in front.

    Raises:
        ViewsError: the matrix has no camera; the message starts with `label`.
    """
    try:
        matrix = _finite(label, "P", P)
        size = matrix.abs().max()
        if not size > 0:
            raise ViewsError(f"{label}: P is 0 everywhere")
        shifted = _half_pixel_shift(pixel_centers) @ (matrix / size)
        return Camera.from_projection_matrix(shifted[None], image_size, pixel_centers="half")
    except ViewsError:
        raise
    except (ValueError, RuntimeError) as error:
        raise ViewsError(f"{label}: {error}") from None


def is_scaled(image_size: tuple[int, int], calibrated: tuple[int, int]) -> bool:
    """Whether an image (H, W) is one of the calibrated size, scaled; its sides are rounded."""
    scale = max(image_size) / max(calibrated)
    pairs = zip(image_size, calibrated, strict=True)
    return all(abs(side - scale * own) <= 1 for side, own in pairs)


def check_distinct(masks: Iterable[tuple[str, Path]]) -> None:
    """Raises ViewsError where two views, given by label and file, have the same mask."""
    seen: dict[Path, str] = {}
    for label, mask in masks:
        if mask in seen:
            raise ViewsError(f"{label}: the same mask as {seen[mask]}")
        seen[mask] = label


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Sorts r_2 before r_10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]


def last_number(name: str) -> int | None:
    """The number that a file's stem ends with."""
    found = re.search(r"(\d+)\D*$", name)
    return int(found[1]) if found else None


def shown(names: Iterable[str], *, at_most: int = 5) -> str:
    """A list for a message, cut where it gets long."""
    names = list(names)
    return ", ".join(names[:at_most]) + (", ..." if len(names) > at_most else "")


def _half_pixel_shift(pixel_centers: PixelCenters) -> Tensor:
    """Moves pixels so that the first one's centre comes to lie at (.5, .5)."""
    offset = {"integer": 0.5, "half": 0.0, "matlab": -0.5}[pixel_centers]
    return torch.tensor([[1, 0, offset], [0, 1, offset], [0, 0, 1]], dtype=torch.float64)


def _finite(label: str, name: str, values: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(np.array(values, dtype=np.float64))
    if not bool(torch.isfinite(tensor).all()):
        raise ViewsError(f"{label}: {name} holds values that are not finite")
    return tensor
