"""The visual hull of the training views, fine enough to be the usual ceiling of what they tell."""

from collections.abc import Iterator

from lightning_rast.data.views import Views
from lightning_rast.evaluation.silhouettes import native_ious, silhouettes_of
from lightning_rast.ops import mask_distance
from lightning_rast.optim.visual_hull import carved_hull
from lightning_rast.scene import Mesh


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


def _hulls(views: Views, resolution: int) -> Iterator[Mesh]:
    """Carved with k = 1 and k = 2."""
    views = views.to("cpu")
    distances = mask_distance(views.coverage, views.known)
    for num_disagreeing in range(min(2, len(views) - 1)):
        yield carved_hull(
            distances, views.cameras, num_disagreeing=num_disagreeing, resolution=resolution
        )
