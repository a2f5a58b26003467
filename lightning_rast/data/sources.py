"""Where the image of a view comes from, so that it can be read again at its own resolution."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lightning_rast.data.background import DEFAULT_THRESHOLD
from lightning_rast.data.distortion import Distortion, undistorted
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.mask_files import Reading
from lightning_rast.data.mask_image import read_alpha, read_foreground, read_mask


@dataclass(frozen=True, kw_only=True)
class MaskReading:
    """How masks are decoded; `read_mask`, `read_alpha` and `read_foreground` say what it means."""

    reading: Reading = "mask"
    threshold: float = DEFAULT_THRESHOLD
    inverted: bool = False


def read_coverage(path: Path, how: MaskReading) -> Float[Tensor, "H W"]:
    """The object's coverage in an image file.

    Raises:
        ViewsError: there is none; EmptyMaskError: it is 0 everywhere.
    """
    if how.reading == "alpha":
        return read_alpha(path, inverted=how.inverted)
    if how.reading == "background":
        return read_foreground(path, threshold=how.threshold, inverted=how.inverted)
    return read_mask(path, inverted=how.inverted)


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewSource:
    """The image file of a view.

    image_size: (H, W) of the file.
    K: the view's intrinsics at that size, centres at +0.5; what `distortion` is undone with.
    scale: pixels of the file per pixel of the view, (y, x).
    photograph: the colour image of the view, where there is one.
    """

    path: Path
    how: MaskReading
    image_size: tuple[int, int]
    K: Float[Tensor, "3 3"]
    scale: tuple[float, float] = (1.0, 1.0)
    distortion: Distortion | None = None
    photograph: Path | None = None

    def read(self) -> tuple[Float[Tensor, "H W"], Bool[Tensor, "H W"] | None]:
        """Coverage at `image_size`, distortion undone, and what is known of it (None = all).

        Raises:
            ViewsError: the file has gone, has changed its size or cannot be read any more.
        """
        coverage = read_coverage(self.path, self.how)
        if tuple(coverage.shape) != self.image_size:
            height, width = coverage.shape
            raise ViewsError(f"{self.path} has changed its size to {width} x {height} pixels")
        return pinhole_image(coverage, self.K, self.distortion)


def pinhole_image(
    coverage: Float[Tensor, "H W"], K: Float[Tensor, "3 3"], distortion: Distortion | None
) -> tuple[Float[Tensor, "H W"], Bool[Tensor, "H W"] | None]:
    """The image with its distortion, if any, undone, and what is known of it (None = all)."""
    if distortion is None:
        return coverage, None
    coverage, known = undistorted(coverage, K, distortion)
    return coverage, None if bool(known.all()) else known


def everything(image_size: tuple[int, ...]) -> Bool[Tensor, "H W"]:
    return torch.ones(image_size, dtype=torch.bool)
