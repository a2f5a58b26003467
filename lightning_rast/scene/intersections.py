"""Where a surface passes through itself or folds over."""

import math

import torch
from jaxtyping import Int32
from torch import Tensor

from lightning_rast.ops.intersections import intersecting_faces
from lightning_rast.scene.mesh import Mesh
from lightning_rast.scene.normals import unit


@torch.no_grad()
def self_intersections(mesh: Mesh, *, max_pairs: int = 20_000_000) -> Int32[Tensor, "P 2"]:
    """Pairs of faces, each lower number first and in ascending order, that intersect.

    Two faces intersect if they have a point in common besides corners that they share. Corners at
    exactly equal positions count as shared, whether or not they are one vertex, so that seams are
    no intersections. Faces that only touch count, those that lie upon each other in one plane too,
    and neighbours at an edge if one is folded back exactly onto the other. Faces without area do
    not count. Computed in exact arithmetic where rounding could decide; the same result on every
    run and for any number of threads.

    Sources: P. Guigue, O. Devillers, "Fast and robust triangle-triangle overlap test using
    orientation predicates", 2003; J. R. Shewchuk, 1997, for the predicates.

    Raises:
        ValueError: a vertex is not finite, or there are more than `max_pairs` pairs: a crumpled
            mesh may have some F^2 of them, too many to keep. `count_self_intersections` keeps none.
    """
    num_pairs, pairs = _found(mesh, max_pairs)
    if pairs is None:
        raise ValueError(
            f"self_intersections: {num_pairs} pairs of faces intersect, more than max_pairs = "
            f"{max_pairs}; count_self_intersections(mesh) counts them without keeping them"
        )
    return pairs.to(mesh.verts.device)


@torch.no_grad()
def count_self_intersections(mesh: Mesh) -> int:
    """How many pairs `self_intersections` would return, exactly, in memory that does not grow with
    their number.

    Raises:
        ValueError: a vertex is not finite.
    """
    return _found(mesh, 0)[0]


def _found(mesh: Mesh, max_pairs: int) -> tuple[int, Int32[Tensor, "P 2"] | None]:
    is_bad = ~torch.isfinite(mesh.verts).all(dim=1)
    if bool(is_bad.any()):
        row = int(is_bad.nonzero()[0, 0])
        raise ValueError(
            f"self_intersections: verts[{row}] = {mesh.verts[row].tolist()} is not finite"
        )
    welded = mesh.weld()
    verts, faces = welded.verts.cpu().double(), welded.faces.cpu()
    return intersecting_faces(verts, faces, max_pairs=max_pairs)


@torch.no_grad()
def flipped_faces(mesh: Mesh, *, fold_deg: float = 150.0) -> Int32[Tensor, " K"]:
    """Faces at an edge where the surface bends by more than `fold_deg`, in ascending order.

    0 degrees is flat, 180 folded back onto itself. A face that has turned over among sound ones is
    found with its neighbours across such edges. Edges with other than two faces, and faces without
    area, do not count.
    """
    if not 0 < fold_deg < 180:
        raise ValueError(f"flipped_faces: fold_deg must lie between 0 and 180, got {fold_deg}")
    pairs = mesh.topology.face_adjacency.long()
    first, second = unit(mesh.face_area_vectors.double())[pairs].unbind(1)
    has_area = (first != 0).any(dim=1) & (second != 0).any(dim=1)
    folds = has_area & ((first * second).sum(dim=1) < math.cos(math.radians(fold_deg)))
    return torch.unique(pairs[folds]).to(torch.int32)
