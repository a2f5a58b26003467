"""Separate pieces and holes of masks."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy import ndimage
from torch import Tensor

_EIGHT = np.ones((3, 3), dtype=bool)  # pixels that touch at a corner are joined
_FOUR = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True, eq=False)
class Hole:
    """A piece of background that the object encloses in one view."""

    view: int
    mask: Bool[Tensor, "H W"]

    @property
    def area(self) -> int:
        """px."""
        return int(self.mask.sum())


@dataclass(frozen=True, eq=False)
class ImageTopology:
    """Per view the number of the object's separate pieces, and all holes."""

    num_pieces: Int64[Tensor, " N"]
    holes: tuple[Hole, ...]

    @property
    def num_holes(self) -> Int64[Tensor, " N"]:
        views = torch.tensor([hole.view for hole in self.holes], dtype=torch.long)
        return torch.bincount(views, minlength=len(self.num_pieces))


def image_topology(
    coverage: Float[Tensor, "N H W"],
    known: Bool[Tensor, "N H W"] | None = None,
    *,
    smallest_px: float = 4.0,
) -> ImageTopology:
    """Pieces and holes of coverages cut at one half, of at least `smallest_px` squared pixels.

    Pixels of the object are joined across corners, those of the background across sides only.
    Beyond the image and where `known` is False nothing is known: background that reaches it
    encloses nothing, and pieces that reach it may be one, so all of them count as one.
    """
    least = smallest_px**2
    num_pieces, holes = [], []
    for view, image in enumerate((coverage > 0.5).cpu().numpy()):
        seen = np.ones_like(image) if known is None else known[view].cpu().numpy()
        # A frame of unknown pixels around the image.
        border = np.pad(~seen, 1, constant_values=True)
        inside = np.pad(image & seen, 1)
        near_border = np.asarray(ndimage.binary_dilation(border, structure=_EIGHT), dtype=bool)
        label, areas = _labelled(inside, _EIGHT)
        is_cut = np.zeros(len(areas), dtype=bool)
        is_cut[label[near_border]] = True
        large = 1 + (areas[1:] >= least).nonzero()[0]
        num_pieces.append(int((~is_cut[large]).sum()) + bool(is_cut[large].any()))
        label, areas = _labelled(~inside & ~border, _FOUR)
        is_open = np.zeros(len(areas), dtype=bool)
        is_open[label[near_border]] = True
        for index in 1 + ((areas[1:] >= least) & ~is_open[1:]).nonzero()[0]:
            hole = label[1:-1, 1:-1] == index
            holes.append(Hole(view, torch.from_numpy(hole)))
    return ImageTopology(torch.tensor(num_pieces), tuple(holes))


def _labelled(image: np.ndarray, structure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's connected piece, 0 where the image is False, and how many pixels each has."""
    label: np.ndarray = np.empty(image.shape, dtype=np.int32)
    count = ndimage.label(image, structure=structure, output=label)
    assert isinstance(count, int)
    return label, np.bincount(label.ravel(), minlength=count + 1)
