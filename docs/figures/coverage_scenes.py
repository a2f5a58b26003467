"""Outlines in plain numpy, for the pictures of docs/coverage.md. Frame: screen, pixels, y down."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor

from lightning_rast.scene import Camera, screen_from_ndc

Points = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

INK, GREY, PALE, RED, BLUE, GOLD = "#1b1b1b", "#9a9a9a", "#d9e2ec", "#c8102e", "#1f5fa8", "#d98200"


class Outline(NamedTuple):
    """Edges whose weight is not zero: `verts (E, 2)` and `weights (E,)` in that direction."""

    verts: Numbers
    weights: Numbers


def screen_positions(verts: Tensor, camera: Camera) -> Points:
    """Pixels `(V, 2)` of `verts (V, 3)` in the camera's first view."""
    clip = camera.world_to_clip(verts.double())[0]
    return screen_from_ndc(clip / clip[:, 3:], camera.image_size).numpy()


def clip_from_screen(xy: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Pixels `(V, 2)` to clip space `(1, V, 4)` at depth 0."""
    height, width = image_size
    ndc = torch.stack([2 * xy[:, 0] / width - 1, 1 - 2 * xy[:, 1] / height], dim=1)
    return torch.cat([ndc, torch.zeros_like(ndc[:, :1]), torch.ones_like(ndc[:, :1])], dim=1)[None]


def face_signs(screen: Points, faces: Numbers) -> Numbers:
    a, b, c = screen[faces].transpose(1, 0, 2)
    u, v = b - a, c - a
    return np.sign(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).astype(np.int64)


def outline(screen: Points, faces: Numbers) -> Outline:
    """Every projected face turned to positive area; what is left when its sides are added up."""
    sides = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2)
    along = np.where(sides[:, 0] < sides[:, 1], 1, -1) * np.repeat(face_signs(screen, faces), 3)
    low, high = sides.min(axis=1), sides.max(axis=1)
    keys, place = np.unique(low * len(screen) + high, return_inverse=True)
    weights = np.bincount(place, weights=along).astype(np.int64)
    kept = weights != 0
    return Outline(np.stack(np.divmod(keys[kept], len(screen)), axis=1), weights[kept])


def windings(screen: Points, edges: Outline, x: Points, y: float) -> Numbers:
    """Winding number of the weighted edges around the points `(x, y)` of one row."""
    a, b = screen[edges.verts].transpose(1, 0, 2)
    crossed = (a[:, 1] <= y) != (b[:, 1] <= y)
    a, b, weights = a[crossed], b[crossed], edges.weights[crossed]
    at = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    step = np.where(a[:, 1] > b[:, 1], weights, -weights)  # met from the left
    return (step[:, None] * (at[:, None] < x)).sum(axis=0)


def layers(screen: Points, faces: Numbers, x: Points, y: float) -> Numbers:
    """Number of faces over the points `(x, y)` of one row, face by face."""
    a = screen[faces]
    b = np.roll(a, -1, axis=1)
    crossed = (a[..., 1] <= y) != (b[..., 1] <= y)
    a, b = a[crossed].reshape(-1, 2, 2), b[crossed].reshape(-1, 2, 2)  # two sides of each face
    at = a[..., 0] + (y - a[..., 1]) / (b[..., 1] - a[..., 1]) * (b[..., 0] - a[..., 0])
    left, right = at.min(axis=1)[:, None], at.max(axis=1)[:, None]
    return ((left < x) & (x <= right)).sum(axis=0)


def draw_edges(
    ax: Axes, screen: Points, verts: Numbers, color: str | Sequence[str], width: float
) -> None:
    ax.add_collection(LineCollection(screen[verts], colors=color, linewidths=width))


def frame(ax: Axes, image_size: tuple[int, int], title: str) -> None:
    """Pixel axes: y down, square pixels, no ticks."""
    height, width = image_size
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xticks=[], yticks=[])
    ax.set_title(title, fontsize=9)
