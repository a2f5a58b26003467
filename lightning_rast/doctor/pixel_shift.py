"""Whether all masks lie half a pixel beside where the cameras say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.views import Views
from lightning_rast.optim.agreement import Targets, agreement
from lightning_rast.optim.carving import carved
from lightning_rast.optim.voxels import extract_surface
from lightning_rast.scene import Camera, Mesh

_RESOLUTION = 56
_MOST_VIEWS = 16
_MOST_STEPS = 3  # to either side
_LEAST_STEP = 0.35  # px of the images at hand: smaller shifts change too little
# What half a pixel must cost at least, of the mean IoU, for its place to be told from noise; on
# fewer views than this share the gain would be chance.
_LEAST_CURVATURE = 4e-4
_LEAST_SHARE = 0.8
# px from where it should be, for the axis that tells more and for the other.
_SURE, _UNSURE = 0.2, 0.35


@dataclass(frozen=True)
class PixelShift:
    """Where pixels should lie: what must be added to (cx, cy), in pixels of the image files.

    x, y: None where the views do not tell (around a turntable, a shift along its axis moves
    nothing but the object). gain: of the mean IoU.
    """

    x: float | None
    y: float | None
    gain: float

    def nearest(self, steps: Sequence[float]) -> float | None:
        """The one of some shifts, the same in x and y, that it is, as well as that can be told."""
        told = [value for value in (self.x, self.y) if value is not None]
        for step in steps:
            off = [abs(value - step) for value in told]
            if told and min(off) < _SURE and max(off) < _UNSURE:
                return step
        return None


@torch.no_grad()
def pixel_shift(
    views: Views, distances: Float[Tensor, "N H W"], hull: Mesh, *, native_px: float = 1.0
) -> PixelShift:
    """The shift of all principal points with which the hull agrees best with the masks.

    native_px: pixels of the image files in one of the views'.
    """
    count = min(len(views), _MOST_VIEWS)
    chosen = [round(i * (len(views) - 1) / max(1, count - 1)) for i in range(count)]
    views, distances = views[chosen], distances[chosen]
    step = max(0.5 / native_px, _LEAST_STEP)
    found: list[float | None] = []
    gain = 0.0
    for axis in (0, 1):
        at, better = _best_shift(views, distances, hull, axis, step)
        found.append(None if at is None else at * native_px)
        gain += better
    return PixelShift(found[0], found[1], gain)


def _best_shift(
    views: Views, distances: Tensor, hull: Mesh, axis: int, step: float
) -> tuple[float | None, float]:
    """In px of the views, and how much better the mean IoU is there."""
    ious: dict[int, Tensor] = {}

    def mean(place: int) -> float:
        if place not in ious:
            ious[place] = _ious(views, distances, hull, axis, place * step)
        return float(ious[place].mean())

    best = max((-1, 0, 1), key=mean)
    while abs(best) < _MOST_STEPS and mean(best + (1 if best > 0 else -1 if best < 0 else 0)) > (
        mean(best)
    ):
        best += 1 if best > 0 else -1
    slope = (mean(best + 1) - mean(best - 1)) / 2
    curvature = 2 * mean(best) - mean(best + 1) - mean(best - 1)
    if curvature < _LEAST_CURVATURE:
        return None, 0.0
    place = best + slope / curvature
    if best:
        share = float((ious[best] > ious[0]).double().mean())
        if share < _LEAST_SHARE:
            return None, 0.0
    return place * step, mean(best) - mean(0)


def _ious(views: Views, distances: Tensor, hull: Mesh, axis: int, shift: float) -> Tensor:
    cameras = _shifted(views.cameras, axis, shift)
    low, high = hull.bounds.double()
    cell = float((high - low).max()) / (_RESOLUTION - 4)
    size = ((high - low) / cell).round().long() + 5
    origin = (low + high) / 2 - 0.5 * cell * (size - 1)
    field = carved(
        distances,
        cameras,
        origin=origin,
        cell=cell,
        size=size.tolist(),
        ks=(1, 1),
        least_seen=max(2, math.ceil(len(views) / 2)),
    )[0]
    mesh = extract_surface(field, origin=origin, cell=cell)
    if mesh.num_faces == 0:
        return torch.zeros(len(views), dtype=torch.float64)
    return agreement(mesh, Targets(views.coverage, cameras, views.known)).iou


def _shifted(cameras: Camera, axis: int, shift: float) -> Camera:
    move = torch.zeros_like(cameras.K)
    move[:, axis, 2] = shift
    return replace(cameras, K=cameras.K + move)
