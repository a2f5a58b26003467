"""A hull that holds when some views are wrong, and which ones those are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from lightning_rast.data.views import Views
from lightning_rast.doctor.blame import blamed_views
from lightning_rast.doctor.quick_hull import fits
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim.carving import least_depth, pixel_from_world
from lightning_rast.optim.hull_box import first_bounds
from lightning_rast.optim.visual_hull import HullError, visual_hull
from lightning_rast.optim.voxels import extract_surface
from lightning_rast.scene import Mesh

_RESOLUTION = 64
_VOTING_RESOLUTION = 40
_MAJORITY = 0.7
_ROUNDS = 3
# Where views fit worse, what most of them say is asked.
_GOOD = 0.93
_HARM = 0.01  # less for the others: a view was blamed with reason
_LEAST_GAIN = 0.02  # of the score, by leaving out views that are to blame
# A view is odd when it fits this much worse than the typical one, and beyond the usual scatter.
_LEAST_GAP = 0.08
_SCATTERS = 6.0
_MOST_ODD = 0.4  # of the views: with more, none is the exception
_TYPICAL = 0.7  # a set whose typical view fits worse agrees on nothing


@dataclass(frozen=True, eq=False)
class Consensus:
    """What the views agree on.

    mesh: None where nothing is left. fit: per view as `quick_hull.fits`, of all views, also of
    those that had no say in the mesh. odd: views that disagree with the others.
    """

    mesh: Mesh | None
    fit: Float64[Tensor, " N"]
    odd: tuple[int, ...]

    @property
    def score(self) -> float:
        """Mean fit of the views that are not odd."""
        kept = [view for view in range(len(self.fit)) if view not in self.odd]
        return float(self.fit[kept].mean())


@torch.no_grad()
def consensus(
    views: Views,
    distances: Float[Tensor, "N H W"] | None = None,
    *,
    resolution: int = _RESOLUTION,
) -> Consensus:
    """The hull of the views that agree; `distances` are their `mask_distance`."""
    if distances is None:
        distances = mask_distance(views.coverage, views.known)
    found = _hull(views, distances, range(len(views)), resolution)
    if found.mesh is not None and not found.odd and found.score >= _GOOD:
        return found
    voted = _voted_hull(views, distances)
    fit = torch.zeros(len(views), dtype=torch.float64) if voted is None else fits(voted, views)
    candidate = Consensus(voted, fit, odd_views(fit))
    best = found
    for _ in range(_ROUNDS):
        if not candidate.odd and candidate.mesh is not voted:
            break
        kept = [view for view in range(len(views)) if view not in candidate.odd]
        again = _hull(views, distances, kept, resolution)
        if again.mesh is None or again.odd == candidate.odd or not candidate.odd:
            candidate = again
            break
        candidate = again
    if candidate.mesh is not None and candidate.score > best.score:
        best = candidate
    blamed = blamed_views(views, distances)
    if blamed and blamed != best.odd:
        kept = [view for view in range(len(views)) if view not in blamed]
        rest = _hull(views, distances, kept, resolution)
        for view in sorted(blamed, key=lambda view: -float(rest.fit[view])):
            again = _hull(views, distances, sorted([*kept, view]), resolution)
            unharmed = float(again.fit[kept].mean()) > float(rest.fit[kept].mean()) - _HARM
            if unharmed and view not in again.odd:
                kept, rest = sorted([*kept, view]), again
        if rest.odd and rest.score > best.score + _LEAST_GAIN:
            best = rest
    return best


def odd_views(fit: Float64[Tensor, " N"]) -> tuple[int, ...]:
    """Views that fit far worse than the typical one; none where that would be too many."""
    typical = float(fit.median())
    if typical < _TYPICAL or len(fit) < 4:
        return ()
    scatter = 1.4826 * float((fit - typical).abs().median())
    limit = typical - max(_LEAST_GAP, _SCATTERS * scatter)
    odd = (fit < limit).nonzero()[:, 0].tolist()
    return tuple(odd) if len(odd) <= _MOST_ODD * len(fit) else ()


def _hull(views: Views, distances: Tensor, kept: Sequence[int], resolution: int) -> Consensus:
    used = views[list(kept)]
    try:
        hull = visual_hull(
            used.coverage,
            used.cameras,
            known=used.known,
            distances=distances[list(kept)],
            resolution=resolution,
        )
    except (HullError, ValueError, RuntimeError):
        return Consensus(None, torch.zeros(len(views), dtype=torch.float64), ())
    fit = fits(hull.mesh, views)
    return Consensus(hull.mesh, fit, odd_views(fit))


def _voted_hull(views: Views, distances: Tensor) -> Mesh | None:
    """What most of the views that see a point call inside."""
    known = distances < math.inf
    try:
        bounds = first_bounds((distances > 0) & known, known, views.cameras)
    except (ValueError, RuntimeError):
        return None
    if not bool(torch.isfinite(bounds).all()):
        return None
    mesh = None
    for _ in range(2):
        sides = bounds[1] - bounds[0]
        cell = float(sides.max()) / _VOTING_RESOLUTION
        size = (sides / cell).round().long().clamp(min=1) + 1
        origin = bounds.mean(dim=0) - 0.5 * cell * (size - 1)
        field = _votes(views, distances, origin, cell, size) - _MAJORITY
        if not bool((field > 0).any()):
            return mesh
        mesh = extract_surface(field, origin=origin, cell=cell)
        bounds = mesh.bounds.double() + 1.5 * cell * torch.tensor([[-1.0], [1.0]])
    return mesh


def _votes(
    views: Views, distances: Tensor, origin: Tensor, cell: float, size: Tensor
) -> Float[Tensor, "X Y Z"]:
    """At each point the part of the views that see it and call it inside; 0 where less than half
    of the views see it."""
    axes = [origin[axis] + cell * torch.arange(int(size[axis])) for axis in range(3)]
    points = torch.cartesian_prod(*axes).double()
    points = torch.nn.functional.pad(points, (0, 1), value=1.0).T
    height, width = views.image_size
    near = least_depth(views.cameras)
    inside = torch.zeros(points.shape[1])
    seen = torch.zeros(points.shape[1])
    for project, distance in zip(pixel_from_world(views.cameras), distances, strict=True):
        column, row, depth = project @ points
        x, y = (column / depth).nan_to_num(-1, -1, -1), (row / depth).nan_to_num(-1, -1, -1)
        sees = (depth > near) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
        at = y.long().clamp(0, height - 1), x.long().clamp(0, width - 1)
        value = distance[at]
        sees &= value < math.inf
        seen += sees
        inside += sees & (value > 0)
    share = torch.where(seen >= len(views) / 2, inside / seen.clamp(min=1), 0.0)
    return share.reshape(*size.tolist())
