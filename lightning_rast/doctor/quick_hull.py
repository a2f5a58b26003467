"""A rough hull in a few milliseconds: enough to tell cameras that fit from those that do not."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from lightning_rast.data.views import Views
from lightning_rast.optim.carving import carved
from lightning_rast.optim.hull_box import first_bounds
from lightning_rast.optim.voxels import extract_surface
from lightning_rast.render.silhouette import render_silhouettes
from lightning_rast.scene import Camera, Mesh

_RESOLUTION = 32
_MARGIN = 1.5  # cells
_LEAST_SEEN = 0.5  # of the views
_MOST_GROWTHS = 3


@dataclass(frozen=True, eq=False)
class QuickHull:
    """mesh: without faces where nothing is left; fit: per view, see `fits`."""

    mesh: Mesh | None
    fit: Float64[Tensor, " N"]

    @property
    def score(self) -> float:
        return float(self.fit.mean())


@torch.no_grad()
def quick_hull(
    views: Views, distances: Float[Tensor, "N H W"], *, num_disagreeing: int = 1
) -> QuickHull:
    """The hull that so many views may deny, on few voxels, and how it fits each view.

    distances: `mask_distance` of the views. An empty hull fits nothing: 0 for every view.
    """
    nothing = QuickHull(None, torch.zeros(len(views), dtype=torch.float64))
    known = distances < math.inf
    if len(views) < 2:
        return nothing
    try:
        bounds = first_bounds((distances > 0) & known, known, views.cameras)
    except (ValueError, RuntimeError):
        return nothing
    if not bool(torch.isfinite(bounds).all()):
        return nothing
    k = min(num_disagreeing + 1, len(views) - 1)
    field, origin, cell = _field(views.cameras, distances, bounds, k)
    for _ in range(_MOST_GROWTHS):
        inside = (field > 0).nonzero()
        if len(inside) == 0:
            return nothing
        low, high = inside.amin(dim=0), inside.amax(dim=0)
        is_cut = bool((low == 0).any()) or bool((high == torch.tensor(field.shape) - 1).any())
        bounds = torch.stack((origin + cell * (low - _MARGIN), origin + cell * (high + _MARGIN)))
        if is_cut:
            bounds += 0.5 * (bounds - bounds.mean(dim=0))
        field, origin, cell = _field(views.cameras, distances, bounds, k)
        if not is_cut:
            break
    mesh = extract_surface(field, origin=origin, cell=cell)
    return QuickHull(mesh, fits(mesh, views)) if mesh.num_faces else nothing


def fits(mesh: Mesh, views: Views) -> Float64[Tensor, " N"]:
    """Per view, how a mesh's silhouette agrees with the mask, 0..1: the lesser of the IoUs of what
    is inside and of what is outside.

    The second matters where masks fill their images, as inverted ones do: there, anything large
    has a high IoU.
    """
    seen = render_silhouettes(mesh, views.cameras)
    wanted = views.coverage.to(seen)
    known = torch.ones_like(seen) if views.known is None else views.known.to(seen)
    return torch.minimum(
        _iou(seen * known, wanted * known), _iou((1 - seen) * known, (1 - wanted) * known)
    )


def _iou(a: Tensor, b: Tensor) -> Tensor:
    both = torch.minimum(a, b).sum(dim=(1, 2)).double()
    either = torch.maximum(a, b).sum(dim=(1, 2)).double()
    return torch.where(either > 1e-6, both / either.clamp(min=1e-6), 1.0)


def _field(
    cameras: Camera, distances: Tensor, bounds: Tensor, k: int
) -> tuple[Tensor, Tensor, float]:
    sides = bounds[1] - bounds[0]
    cell = float(sides.max()) / _RESOLUTION
    size = (sides / cell).round().long().clamp(min=1) + 1
    origin = bounds.mean(dim=0) - 0.5 * cell * (size - 1)
    fields = carved(
        distances,
        cameras,
        origin=origin,
        cell=cell,
        size=size.tolist(),
        ks=(k, k),
        least_seen=max(k + 1, math.ceil(_LEAST_SEEN * len(cameras))),
    )
    return fields[0], origin, cell
