"""Where a surface passes through itself or folds over."""

import math

import torch
from jaxtyping import Int32
from torch import Tensor

from lightning_rast.ops.intersections import intersecting_faces
from lightning_rast.scene.mesh import Mesh
from lightning_rast.scene.normals import unit


@torch.no_grad()
def self_intersections(mesh: Mesh) -> Int32[Tensor, "P 2"]:
    """Pairs of faces, each lower number first and in ascending order, that intersect.

    Two faces intersect if they have a point in common besides corners that they share. Corners at
    exactly equal positions count as shared, whether or not they are one vertex, so that seams are
    no intersections. Faces that only touch count, those that lie upon each other in one plane too,
    and neighbours at an edge if one is folded back exactly onto the other. Faces without area do
    not count. Computed in exact arithmetic where rounding could decide; the same result on every
    run and for any number of threads. As many pairs as there are need memory.

    Sources: P. Guigue, O. Devillers, "Fast and robust triangle-triangle overlap test using
    orientation predicates", 2003; J. R. Shewchuk, 1997, for the predicates.

    Raises:
        ValueError: a vertex is not finite.
    """
    is_bad = ~torch.isfinite(mesh.verts).all(dim=1)
    if bool(is_bad.any()):
        row = int(is_bad.nonzero()[0, 0])
        raise ValueError(
            f"self_intersections: verts[{row}] = {mesh.verts[row].tolist()} is not finite"
        )
    welded = mesh.weld()
    pairs = intersecting_faces(welded.verts.cpu().double(), welded.faces.cpu())
    return pairs.to(mesh.verts.device)


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
