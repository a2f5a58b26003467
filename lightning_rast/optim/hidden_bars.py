"""Thin bars of a solid that join two places and show in no mask."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from scipy import ndimage
from torch import Tensor

from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim.agreement import Targets
from lightning_rast.optim.carving import least_depth, pixel_from_world
from lightning_rast.optim.occupancy import Voxels
from lightning_rast.render.silhouette import render_silhouettes

_TOUCHING = np.ones((3, 3, 3), dtype=bool)
# px: points of a bar so far beyond the rest's silhouette show.
_BEYOND = 1.0
# A bar is hidden where at most this part of its points shows in some view. Not none: where it
# joins the rest, the corners that it fills belong to it.
_MOST_SEEN = 0.1


def depth_inside(voxels: Voxels) -> Float64[Tensor, "X Y Z"]:
    """Cells from each point to the nearest one that is not inside."""
    return torch.from_numpy(np.asarray(ndimage.distance_transform_edt(voxels.inside.numpy())))


def hidden_bars(
    voxels: Voxels,
    targets: Targets,
    *,
    radius: int,
    depth: Float64[Tensor, "X Y Z"] | None = None,
) -> Bool[Tensor, "X Y Z"]:
    """Points that are at most about 2 `radius` cells thick, join two places, and show nowhere.

    What a ball of that radius cannot reach from inside is thin (a morphological opening). A thin
    piece that touches the rest in one place is a tip, a limb or a roughness; one that touches it in
    two or more is a bar. It shows where a mask is inside and neither the rest nor another thin
    piece covers the pixel; bars are judged one by one against all that is not a bar.

    depth: `depth_inside(voxels)`, if it is there already.
    """
    inside = voxels.inside.numpy()
    depth = depth_inside(voxels) if depth is None else depth
    core = _dilated(depth.numpy() > radius, radius)
    label = np.empty(inside.shape, dtype=np.int32)
    ndimage.label(inside & ~core, structure=_TOUCHING, output=label)
    rest = core.copy()
    bars = []
    for index, sides in enumerate(ndimage.find_objects(label), start=1):
        box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in sides)
        piece = label[box] == index
        touched = ndimage.binary_dilation(piece, structure=_TOUCHING) & core[box]
        if _num_pieces(touched) >= 2:
            bars.append((box, piece))
        else:
            rest[box] |= piece
    hidden = np.zeros_like(inside)
    if bars:
        surface = replace(voxels, inside=torch.from_numpy(rest)).surface(blur=0.0)
        distance = mask_distance(render_silhouettes(surface, targets.cameras))
        shows = (distance < -_BEYOND) & (targets.coverage > 0.5)
        if targets.known is not None:
            shows &= targets.known
        for box, piece in bars:
            corner = np.array([side.start for side in box])
            points = voxels.origin + voxels.cell * torch.from_numpy(np.argwhere(piece) + corner)
            if _part_on(points, shows, targets) <= _MOST_SEEN:
                hidden[box] |= piece
    return torch.from_numpy(hidden)


def _num_pieces(points: np.ndarray) -> int:
    number = ndimage.label(points, structure=_TOUCHING, output=np.empty(points.shape, np.int32))
    assert isinstance(number, int)
    return number


def _dilated(points: np.ndarray, radius: int) -> np.ndarray:
    """With all points not farther than `radius` cells: column by column of the ball."""
    columns = [points]  # columns[h]: with h points above and below
    for height in range(1, radius + 1):
        taller = columns[-1].copy()
        taller[:, :, height:] |= points[:, :, :-height]
        taller[:, :, :-height] |= points[:, :, height:]
        columns.append(taller)
    dilated = columns[radius].copy()
    reach = range(-radius, radius + 1)
    for x, y in product(reach, reach):
        if 0 < x * x + y * y <= radius**2:
            column = columns[math.isqrt(radius**2 - x * x - y * y)]
            (to_x, from_x), (to_y, from_y) = _overlap(x), _overlap(y)
            dilated[to_x, to_y] |= column[from_x, from_y]
    return dilated


def _overlap(shift: int) -> tuple[slice, slice]:
    """Places that have one `shift` before them, and those places."""
    if shift >= 0:
        return slice(shift, None), slice(None, -shift or None)
    return slice(None, shift), slice(-shift, None)


def _part_on(
    points: Float64[Tensor, "P 3"], pixels: Bool[Tensor, "N H W"], targets: Targets
) -> float:
    """The part of the points that lie on such a pixel in at least one view."""
    height, width = targets.cameras.image_size
    homogeneous = torch.nn.functional.pad(points, (0, 1), value=1.0)
    image: Float[Tensor, "N 3 P"] = pixel_from_world(targets.cameras) @ homogeneous.T
    column, row = ((image[:, i] / image[:, 2]).nan_to_num(-1.0, -1.0, -1.0) for i in (0, 1))
    seen = (image[:, 2] > least_depth(targets.cameras)) & (column >= 0) & (column < width)
    seen &= (row >= 0) & (row < height)
    column, row = column.clamp(0, width - 1).long(), row.clamp(0, height - 1).long()
    view = torch.arange(len(pixels))[:, None].expand_as(row)
    return float((seen & pixels[view, row, column]).any(dim=0).double().mean())
