"""The visual hull of the training views, fine enough to be the usual ceiling of what they tell."""

import torch
from torch import Tensor

from lightning_rast.data.views import Views
from lightning_rast.evaluation.silhouettes import native_ious, silhouettes_of
from lightning_rast.ops import mask_distance
from lightning_rast.ops.carve import carve
from lightning_rast.optim.parts import drop_small_parts
from lightning_rast.optim.visual_hull import visual_hull
from lightning_rast.optim.voxels import extract_surface
from lightning_rast.scene import Camera, Mesh

_SMALLEST_PART = 0.01  # of the volume, as where a fit starts from
_MARGIN = 0.02  # of the box, on each side


def better_hull(
    train_views: Views, held_out_views: Views | None, *, resolution: int = 256
) -> tuple[Mesh, int]:
    """The signed-distance hull of the training views, and the k that it was carved with.

    Of k = 1 (all views agree that a point is inside) and k = 2 (one may not) the one that matches
    the held-out views better, or the training views where none is held out: a choice that a fit
    never has, so that this is a strong reference.

    Raises:
        HullError, ValueError: the masks leave nothing inside.
    """
    found: list[tuple[float, int, Mesh]] = []
    for k, mesh in enumerate(_hulls(train_views, resolution), start=1):
        if mesh.num_faces == 0:
            continue
        ious, _ = native_ious(silhouettes_of(mesh), held_out_views or train_views)
        found.append((sum(ious) / len(ious), k, mesh))
    if not found:
        raise ValueError("the masks of the training views leave nothing inside")
    _, k, mesh = max(found, key=lambda each: each[0])
    return mesh, k


def _hulls(views: Views, resolution: int) -> list[Mesh]:
    """Carved with k = 1 and k = 2."""
    views = views.to("cpu")
    distances = mask_distance(views.coverage, views.known)
    coarse = visual_hull(views.coverage, views.cameras, known=views.known, distances=distances)
    low, high = coarse.mesh.bounds.double()
    low, high = low - _MARGIN * (high - low).max(), high + _MARGIN * (high - low).max()
    cell = float((high - low).max()) / resolution
    size = ((high - low) / cell).round().long() + 1
    cameras = views.cameras
    fields = carve(
        distances,
        _projection(cameras),
        origin=low.tolist(),
        cell=cell,
        size=size.tolist(),
        near=0.0 if cameras.orthographic else cameras.near,
        ks=(1, min(2, len(views))),
        least_seen=min(2, len(views)),
    )
    meshes = (extract_surface(field, origin=low, cell=cell) for field in fields)
    return [drop_small_parts(mesh, smallest=_SMALLEST_PART)[0] for mesh in meshes]


def _projection(cameras: Camera) -> Tensor:
    K, view = cameras.K.double(), cameras.world_to_view.double()
    if not cameras.orthographic:
        return K @ view[:, :3]
    return K @ torch.cat((view[:, :2], view[:, 3:]), dim=1)  # one in place of the depth
