"""Surfaces made anew from voxels, so that their topology may change."""

from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim.agreement import Targets
from lightning_rast.optim.carving import carved
from lightning_rast.optim.hidden_bars import depth_inside, hidden_bars
from lightning_rast.optim.occupancy import Voxels
from lightning_rast.optim.parts import drop_hidden_parts, drop_small_parts
from lightning_rast.optim.topology import compare_topology, needs_revoxelizing, part_genus
from lightning_rast.scene import Mesh

_MOST_OUTSIDE = 1.0  # px
_SMALLEST_PART = 0.01
_WIDEST_BAR = 4  # radius in cells of the coarse grid


@torch.no_grad()
def revoxelized(mesh: Mesh, resolution: int = 192, blur: float = 0.8) -> Mesh:
    """The boundary of all that the mesh goes around, as a closed manifold that cuts itself nowhere.

    Points of a grid with a winding number other than zero are inside. Of a self-intersecting mesh
    that is the outer hull; handles, tunnels and parts thinner than a cell or two, also thin tips,
    disappear.

    Args:
        resolution: cells along the longest side of the mesh's box.
        blur: of the voxels, in cells, before the surface is extracted.

    Raises:
        ValueError: nothing is left, the mesh is too thin for the resolution or not closed.
    """
    surface = Voxels.of(mesh.to("cpu"), resolution).surface(blur)
    if surface.num_faces == 0:
        raise ValueError(
            f"revoxelized: nothing is left at {resolution} cells; is the mesh closed, and thicker "
            "than two of them?"
        )
    return surface.to(mesh.verts.device)


@torch.no_grad()
def retopologized(
    mesh: Mesh,
    targets: Targets,
    *,
    resolution: int = 192,
    blur: float = 0.8,
    num_disagreeing: int = 0,
) -> Mesh:
    """The mesh revoxelized, opened where masks show background, without bars that none shows.

    1. What lies more than a pixel outside of the mask in more than `num_disagreeing` views is
       carved away: a hole that masks show opens.
    2. While there are handles, bars that join two places are removed where all else covers them in
       every view: handles that no mask shows. Thin ones first, then thicker ones, up to a twelfth
       of the box's longest side. Tips stay, as they join nothing, and so do real handles, as some
       view sees them in front of the background.
    3. Small parts and parts that no mask shows go.

    Thin parts may have been lost and the outline is coarse: fit it again and let `judge` decide
    whether it stays.

    Args:
        targets: masks and cameras to fit.
        resolution, blur: as for `revoxelized`; bars are looked for with half the resolution.
        num_disagreeing: views that may be wrong at a point, as of the visual hull.

    Raises:
        ValueError: nothing is left.
    """
    mesh = mesh.to("cpu")
    voxels = _opened(Voxels.of(mesh, resolution), targets, num_disagreeing)
    coarse = _opened(Voxels.of(mesh, resolution // 2), targets, num_disagreeing)
    best = _tidied(voxels.surface(blur), targets)
    depth = depth_inside(coarse)
    for radius in range(1, 1 + _WIDEST_BAR):
        if sum(part_genus(best)) == 0:
            break
        hidden = hidden_bars(coarse, targets, radius=radius, depth=depth)
        if not bool(hidden.any()):
            continue
        without = voxels.without(_with_skin(hidden, coarse), coarse)
        candidate = _tidied(without.surface(blur), targets)
        if sum(part_genus(candidate)) < sum(part_genus(best)):
            best, voxels = candidate, without
            coarse = replace(coarse, inside=coarse.inside & ~hidden)
            depth = depth_inside(coarse)
    return best.to(mesh.verts.device)


def other_topology(
    mesh: Mesh,
    targets: Targets,
    *,
    resolution: int = 192,
    blur: float = 0.8,
    num_disagreeing: int = 0,
) -> Mesh | None:
    """`retopologized` where there is reason to, None where it would make nothing better.

    There is where the mesh has handles or parts that no mask shows, or lacks a hole that one does.
    That does not find every phantom handle: where parts of the object overlap in an image, its
    background has more holes than the object has handles, and a surface that runs into itself may
    have handles of which nothing is to be seen from outside. So where a mesh has handles, they are
    counted again in voxels of half the resolution, without hidden bars; fewer are a reason, too.

    Raises:
        ValueError: as `retopologized`, or the mesh is not a closed, oriented manifold.
    """
    before = compare_topology(mesh, targets)
    if not needs_revoxelizing(before):
        if sum(before.genus) == 0:
            return None
        coarse = _opened(Voxels.of(mesh, resolution // 2), targets, num_disagreeing)
        if _fewest_handles(coarse, targets, blur) >= sum(before.genus):
            return None
    changed = retopologized(
        mesh, targets, resolution=resolution, blur=blur, num_disagreeing=num_disagreeing
    )
    after = compare_topology(changed, targets)
    is_better = (
        sum(after.genus) < sum(before.genus)
        or after.num_phantom_parts < before.num_phantom_parts
        or len(after.missing_holes) < len(before.missing_holes)
    )
    return changed if is_better else None


def _fewest_handles(voxels: Voxels, targets: Targets, blur: float) -> int:
    """Of the surface around the voxels, less hidden bars of the width that leaves fewest."""
    surface = voxels.surface(blur)
    if surface.num_faces == 0:
        raise ValueError("other_topology: no point of the mesh is inside of the masks")
    fewest = _num_handles(surface)
    depth = depth_inside(voxels)
    for radius in range(1, 1 + _WIDEST_BAR):
        if fewest == 0:
            break
        hidden = hidden_bars(voxels, targets, radius=radius, depth=depth)
        if bool(hidden.any()):
            without = replace(voxels, inside=voxels.inside & ~hidden).surface(blur)
            fewest = min(fewest, _num_handles(without))
    return fewest


def _num_handles(mesh: Mesh) -> int:
    return sum(part_genus(drop_small_parts(mesh, smallest=_SMALLEST_PART)[0]))


def _with_skin(piece: Bool[Tensor, "X Y Z"], voxels: Voxels) -> Bool[Tensor, "X Y Z"]:
    """With the empty points around: a finer grid may have occupied ones where these are nearest."""
    around = torch.nn.functional.max_pool3d(piece[None].float(), 3, stride=1, padding=1)[0] > 0
    return piece | (around & ~voxels.inside)


def _opened(voxels: Voxels, targets: Targets, num_disagreeing: int) -> Voxels:
    k = num_disagreeing + 1
    (field,) = carved(
        mask_distance(targets.coverage.float(), targets.known) + _MOST_OUTSIDE,
        targets.cameras,
        origin=voxels.origin,
        cell=voxels.cell,
        size=voxels.inside.shape,
        ks=(k, k),
        least_seen=0,
    )
    return replace(voxels, inside=voxels.inside & (field > 0))


def _tidied(mesh: Mesh, targets: Targets) -> Mesh:
    if mesh.num_faces == 0:
        raise ValueError("retopologized: no point of the mesh is inside of the masks")
    return drop_hidden_parts(drop_small_parts(mesh, smallest=_SMALLEST_PART)[0], targets)[0]
