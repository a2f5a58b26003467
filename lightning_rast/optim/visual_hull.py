"""The visual hull of masks: where a fit starts from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from lightning_rast.ops.carve import MOST_DISAGREEING
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim.agreement import Targets, agreement
from lightning_rast.optim.carving import carved, least_depth, pixel_from_world
from lightning_rast.optim.hull_box import first_bounds
from lightning_rast.optim.parts import drop_hidden_parts, drop_small_parts
from lightning_rast.optim.voxels import extract_surface
from lightning_rast.scene import Camera, Mesh

_BOX_RESOLUTION = 64
_BOX_ROUNDS = 2
_BOX_MARGIN = 1.5  # cells
_MOST_GROWTHS = 6
# The hull is carved again in its own box where that makes cells this much smaller.
_WORTHWHILE_SHRINKING = 0.85
# Where fewer than this part of the views that see the object's middle look, nothing is inside.
# The second is tried where the first leaves little of the masks covered: parts that few views see.
_LEAST_SEEN = (0.5, 0.2)
_GOOD_IOU = 0.9
# No hull that tolerates one more wrong view is tried beyond: no mask can be far off then.
_BEYOND_DOUBT = 0.99
# A hull that is so many times as long as the first box is open: views from nearly one side say
# nothing about how deep the object is. It is cut at the first box, of twice the masks' extent.
_OPEN = 2.0
_SMALLEST_PART = 0.01
_LOOKED_AT_SIZE = 128  # px: the first box, a rough one, is found with every so many pixels
_HALF_EXTENT = 0.9  # units


class HullError(ValueError):
    """Masks and cameras that leave nothing inside.

    views: those that disagree most, the worst first.
    """

    def __init__(self, message: str, views: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.views = tuple(views)


@dataclass(frozen=True, eq=False)
class VisualHull:
    """A hull and how it came about.

    mesh: closed, oriented manifold, float32, world units.
    bounds: of the box that was carved, world units.
    cell: side of a grid cell, world units.
    num_disagreeing: how many views may contradict that a point is inside, k - 1.
    ious: with the masks, mean over views, for 0, 1, ... disagreeing views, as far as tried: not
        beyond one of .99. 0 for an empty hull.
    dropped: volumes of separate parts left out as too small or because no mask shows them beside
        the others, and of hollows filled, as fractions of the whole, the largest first.
    uncovered: per view the part of its mask that the hull leaves out, 0..1: where it is much
        larger than elsewhere, that mask or camera disagrees with the others.
    is_open: the views bound it nowhere near the object, so that it was cut at twice the masks'
        extent.
    """

    mesh: Mesh
    bounds: Float64[Tensor, "2 3"]
    cell: float
    num_disagreeing: int
    ious: tuple[float, ...]
    dropped: tuple[float, ...]
    uncovered: Float64[Tensor, " N"]
    is_open: bool = False

    @property
    def unit(self) -> float:
        """World units of one unit of length that is relative to the object.

        The longest side of the hull's box measures 1.8 of them.
        """
        low, high = self.mesh.bounds.double()
        return float((high - low).max()) / 2 / _HALF_EXTENT


@torch.no_grad()
def visual_hull(
    coverage: Float[Tensor, "N H W"],
    cameras: Camera,
    *,
    known: Bool[Tensor, "N H W"] | None = None,
    distances: Float[Tensor, "N H W"] | None = None,
    resolution: int = 96,
    max_disagreeing: int = 2,
    bounds: Float[Tensor, "2 3"] | None = None,
) -> VisualHull:
    """The largest object that the masks allow, carved from their sub-pixel distances.

    A point's value is the k-th smallest over the views of its signed distance to the mask's
    outline, in pixels; the hull is where that is positive. With k = 1 one wrong mask cuts off what
    it lacks; with a larger k the hull of few views swells. So k is chosen from 1 to
    `max_disagreeing` + 1 by how well the hull, painted back, matches the masks. What lies outside
    of an image, on unknown pixels or behind a camera is neither in nor out for that view.

    Args:
        coverage: fraction of each pixel that the object covers, 0..1.
        known: False where nothing was measured.
        distances: `mask_distance(coverage, known)`, if it is there already.
        resolution: cells along the longest side of the box, which is found from masks and cameras
            alone, in any unit. With 256 and a hundred views it takes 0.3 GB and seconds.
        bounds: a box (lowest and highest corner) to carve instead.

    Raises:
        HullError: no k leaves anything inside; the message says which views disagree most.
        ValueError: shapes do not fit, or fewer than two masks show an outline.

    Source: Laurentini, "The visual hull concept for silhouette-based image understanding", 1994.
    """
    _check(coverage, cameras, resolution, max_disagreeing)
    coverage = coverage.detach().cpu()
    cameras = cameras.to("cpu")
    known = None if known is None else known.cpu()
    if distances is None:
        distances = mask_distance(coverage, known)
    most = min(max_disagreeing + 1, len(cameras) - 1, MOST_DISAGREEING)
    hulls: list[tuple[VisualHull, _Space]] = []
    for least_seen in _LEAST_SEEN:
        space = _Space(distances.detach().cpu(), cameras, least_seen)
        try:
            box = space.bounds if bounds is None else bounds.double().cpu()
            hulls.append((_best(space, box, resolution, (1, most), coverage, known), space))
        except HullError:
            if not hulls and least_seen == _LEAST_SEEN[-1]:
                raise
            continue
        if max(hulls[-1][0].ious) >= _GOOD_IOU:
            break
    hull, space = max(hulls, key=lambda found: max(found[0].ious))
    own = _widened(hull.mesh.bounds.double(), _BOX_MARGIN * hull.cell)
    if bounds is None and _longest(own) < _WORTHWHILE_SHRINKING * _longest(hull.bounds):
        k = hull.num_disagreeing + 1
        ious = hull.ious
        hull = _best(space, own, resolution, (k, k), coverage, known)
        hull = replace(hull, ious=(*ious[: k - 1], *hull.ious, *ious[k:]))
    return replace(hull, is_open=bounds is None and space.is_open)


def view_bounds(distances: Float[Tensor, "N H W"], cameras: Camera) -> Float64[Tensor, "2 3"]:
    """The box around a coarse hull that tolerates one wrong view, from masks and cameras alone.

    distances: as `mask_distance` makes them.

    Raises:
        HullError, ValueError: as `visual_hull`.
    """
    return _Space(distances.detach().cpu(), cameras.to("cpu"), _LEAST_SEEN[0]).bounds


def carved_hull(
    distances: Float[Tensor, "N H W"],
    cameras: Camera,
    *,
    num_disagreeing: int = 0,
    resolution: int = 96,
) -> Mesh:
    """The hull that so many views may deny at each point, without small parts; the mesh has no
    faces where nothing is left.

    distances: as `mask_distance` makes them.

    Raises:
        HullError, ValueError: as `visual_hull`.
    """
    space = _Space(distances.detach().cpu(), cameras.to("cpu"), _LEAST_SEEN[0])
    k = num_disagreeing + 1

    def carved(bounds: Tensor, resolution: int) -> tuple[Mesh, float]:
        fields, origin, cell = space.fields(bounds, resolution, (k, k))
        mesh = extract_surface(fields[0], origin=origin, cell=cell)
        kept = drop_small_parts(mesh, smallest=_SMALLEST_PART)[0] if mesh.num_faces else mesh
        return kept, cell

    rough, cell = carved(space.bounds, _BOX_RESOLUTION)
    if rough.num_faces == 0:
        return rough
    return carved(_widened(rough.bounds.double(), _BOX_MARGIN * cell), resolution)[0]


class _Space:
    """Masks' distances with their cameras, to be carved in boxes."""

    def __init__(
        self, distances: Float[Tensor, "N H W"], cameras: Camera, least_seen: float
    ) -> None:
        self.distances = distances
        self.cameras = cameras
        self.project = pixel_from_world(cameras)
        self.near = least_depth(cameras)
        height, width = cameras.image_size
        every = max(1, min(height, width) // _LOOKED_AT_SIZE)
        coarse = distances[:, ::every, ::every]
        looked_at = cameras.resized((coarse.shape[1], coarse.shape[2]))
        known = coarse < math.inf
        self.first_bounds = first_bounds((coarse > 0) & known, known, looked_at)
        num_seen = self._num_seen(self.first_bounds.mean(dim=0))
        self.least_seen = max(2, math.ceil(least_seen * num_seen))
        edges = (distances[:, 0], distances[:, -1], distances[:, :, 0], distances[:, :, -1])
        self.is_open = False
        self.is_whole = (torch.cat(edges, dim=1) < 0).all(dim=1)  # unknown pixels are +inf

    def _num_seen(self, point: Tensor) -> int:
        height, width = self.cameras.image_size
        column, row, depth = (self.project @ torch.nn.functional.pad(point, (0, 1), value=1.0)).T
        column, row = column / depth, row / depth
        seen = (
            (depth > self.near) & (column >= 0) & (column <= width) & (row >= 0) & (row <= height)
        )
        return int(seen.sum())

    def fields(
        self, bounds: Tensor, resolution: int, ks: tuple[int, int]
    ) -> tuple[Tensor, Tensor, float]:
        """Fields (K, X, Y, Z), the position of their first point and the cells' side."""
        cell = _longest(bounds) / resolution
        size = ((bounds[1] - bounds[0]) / cell).round().long().clamp(min=1) + 1
        middle = bounds.mean(dim=0)
        origin = middle - 0.5 * cell * (size - 1)
        fields = carved(
            self.distances,
            self.cameras,
            origin=origin,
            cell=cell,
            size=size.tolist(),
            ks=ks,
            least_seen=self.least_seen,
        )
        for k, field in zip(range(ks[0], ks[1] + 1), fields, strict=True):
            self._empty_beyond_images(field, origin, cell, k)
        return fields, origin, cell

    def _empty_beyond_images(self, field: Tensor, origin: Tensor, cell: float, k: int) -> None:
        """What is inside, but beyond k images that hold the whole object, is not.

        Those where the mask does not reach the border: with few views, much of space is seen by
        so few of them that nothing else denies it.
        """
        inside = (field > 0).nonzero()
        points = torch.nn.functional.pad(origin + cell * inside.double(), (0, 1), value=1.0)
        height, width = self.cameras.image_size
        beyond = torch.zeros(len(points), dtype=torch.int32)
        for project in self.project[self.is_whole]:
            column, row, depth = project @ points.T
            beyond += ~(
                (column >= 0)
                & (row >= 0)
                & (column <= width * depth)
                & (row <= height * depth)
                & (depth > self.near)
            )
        x, y, z = inside[beyond >= k].T
        field[x, y, z] = -1.0

    @property
    def bounds(self) -> Tensor:
        """Two rounds of carving with few cells, after as many as it takes to hold everything."""
        k = min(2, len(self.cameras) - 1)
        bounds = self.first_bounds
        shrinkings = growths = 0
        while shrinkings < _BOX_ROUNDS:
            fields, origin, cell = self.fields(bounds, _BOX_RESOLUTION, (k, k))
            inside = fields[0] > 0
            if not bool(inside.any()):
                self._raise_empty(bounds)
            occupied = [inside.any(dim=d1).any(dim=d2) for d1, d2 in ((2, 1), (2, 0), (1, 0))]
            low = torch.tensor([int(line.nonzero()[0, 0]) for line in occupied])
            high = torch.tensor([int(line.nonzero()[-1, 0]) for line in occupied])
            size = torch.tensor(inside.shape)
            cut = torch.stack((low == 0, high == size - 1))
            if bool(cut.any()) and growths < _MOST_GROWTHS:
                growths += 1
                grown = bounds.clone()
                step = 0.5 * (bounds[1] - bounds[0])
                grown[0] -= torch.where(cut[0], step, 0.0)
                grown[1] += torch.where(cut[1], step, 0.0)
                bounds = grown
                continue
            shrinkings += 1
            corners = torch.stack((origin + cell * low, origin + cell * high))
            bounds = _widened(corners, _BOX_MARGIN * cell)
        if _longest(bounds) > _OPEN * _longest(self.first_bounds):
            self.is_open = True
            return self.first_bounds
        return bounds

    def _raise_empty(self, bounds: Tensor) -> None:
        """Names the views that say no where most others say yes."""
        axes = [torch.linspace(float(low), float(high), 40) for low, high in bounds.T]
        points = torch.cartesian_prod(*axes).double()
        height, width = self.cameras.image_size
        inside = torch.zeros(len(self.cameras), len(points), dtype=torch.bool)
        outside = torch.zeros_like(inside)
        for view, (project, distance) in enumerate(zip(self.project, self.distances, strict=True)):
            column, row, depth = project @ torch.nn.functional.pad(points, (0, 1), value=1.0).T
            x, y = column / depth, row / depth
            seen = (depth > self.near) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
            x, y = (v.nan_to_num(0.0, 0.0, 0.0).long() for v in (x, y))
            there = distance[y.clamp(0, height - 1), x.clamp(0, width - 1)]
            inside[view] = seen & (there > 0) & (there < math.inf)
            outside[view] = seen & (there <= 0)
        votes = inside.sum(dim=0)
        best = votes == votes.max()
        share = outside[:, best].double().mean(dim=1)
        worst = [int(view) for view in share.argsort(descending=True) if share[view] > 0.5]
        named = ", ".join(map(str, worst[:5])) + (", ..." if len(worst) > 5 else "")
        raise HullError(
            "no point in space is inside of all masks but one: where most masks agree "
            f"({int(votes.max())} of {len(votes)}), views {named or 'of no one camera'} do not. "
            "Check those masks (is the object white, is it the same object?) and cameras (world to "
            "camera, x right, y down, z forward; pixel centres; the order of the files)",
            worst,
        )


def _best(
    space: _Space,
    bounds: Tensor,
    resolution: int,
    ks: tuple[int, int],
    coverage: Tensor,
    known: Tensor | None,
) -> VisualHull:
    fields, origin, cell = space.fields(bounds, resolution, ks)
    targets = Targets.of(coverage, space.cameras, known)
    best: tuple[float, int, Mesh, Tensor] | None = None
    ious = []
    for k, field in zip(range(ks[0], ks[1] + 1), fields, strict=True):
        mesh = extract_surface(field, origin=origin, cell=cell)
        if mesh.num_faces == 0:
            ious.append(0.0)
            continue
        agrees = agreement(mesh, targets)
        ious.append(float(agrees.iou.mean()))
        if best is None or ious[-1] > best[0]:
            best = ious[-1], k, mesh, agrees.uncovered
        if ious[-1] >= _BEYOND_DOUBT:
            break
    if best is None:
        space._raise_empty(bounds)
    assert best is not None
    _, k, mesh, uncovered = best
    mesh, small = drop_small_parts(mesh, smallest=_SMALLEST_PART)
    mesh, hidden = drop_hidden_parts(mesh, targets)
    dropped = tuple(sorted((*small, *hidden), reverse=True))
    grid_bounds = torch.stack((origin, origin + cell * (torch.tensor(fields.shape[1:]) - 1)))
    return VisualHull(mesh, grid_bounds, cell, k - 1, tuple(ious), dropped, uncovered)


def _longest(bounds: Tensor) -> float:
    return float((bounds[1] - bounds[0]).max())


def _widened(bounds: Tensor, margin: float) -> Tensor:
    return torch.stack((bounds[0] - margin, bounds[1] + margin))


def _check(coverage: Tensor, cameras: Camera, resolution: int, max_disagreeing: int) -> None:
    expected = (len(cameras), *cameras.image_size)
    if tuple(coverage.shape) != expected:
        raise ValueError(f"visual_hull: coverage must be {expected}, got {tuple(coverage.shape)}")
    if len(cameras) < 2:
        raise ValueError("visual_hull: one view bounds nothing in depth; at least two are needed")
    if resolution < 4:
        raise ValueError(f"visual_hull: resolution must be at least 4, got {resolution}")
    if not 0 <= max_disagreeing < MOST_DISAGREEING:
        raise ValueError(
            f"visual_hull: max_disagreeing must lie between 0 and {MOST_DISAGREEING - 1}, got "
            f"{max_disagreeing}"
        )
