"""How well silhouettes match views, held-out ones above all."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.masks import native_views
from lightning_rast.data.views import Views, ViewsError, split_held_out
from lightning_rast.losses import box_iou
from lightning_rast.ops import contour_overflowed
from lightning_rast.render import render_silhouettes
from lightning_rast.scene import Camera, Mesh

Silhouettes = Callable[[Camera], Tensor]  # cameras -> coverage (N, H, W)

# Views are rendered in groups of about this many pixels, to bound the memory.
_PIXELS_AT_ONCE = 2**23
_MOST_REPEATS = 2


def silhouettes_of(mesh: Mesh) -> Silhouettes:
    """The exact silhouettes of a mesh that does not change."""
    return partial(render_silhouettes, mesh)


def view_ious(silhouettes: Silhouettes, views: Views) -> Float[Tensor, "N"]:
    """`box_iou` of the silhouettes with each view, float64, on the views' device."""
    found = _view_ious(silhouettes, views)
    for _ in range(_MOST_REPEATS):
        if not _lacked_room(found.device):
            break
        found = _view_ious(silhouettes, views)
    return found


def native_ious(silhouettes: Silhouettes, views: Views) -> tuple[list[float], str]:
    """IoU of each view in the resolution of its image file, and that resolution in words.

    Views that come from no file, and views whose files have gone meanwhile, are taken as they
    are.
    """
    height, width = views.image_size
    if views.files is not None:
        try:
            found, sizes = [], set()
            for view in native_views(views):
                found += view_ious(silhouettes, view).tolist()
                sizes.add(f"{view.image_size[1]} x {view.image_size[0]}")
            return found, sizes.pop() if len(sizes) == 1 else "as in the files"
        except ViewsError:
            pass
    return view_ious(silhouettes, views).tolist(), f"{width} x {height}"


def folds(views: Views, num_folds: int) -> Iterator[tuple[Views, Views]]:
    """Training and held-out views of each fold; fold f holds out the views i % num_folds == f.

    Every view is held out once.

    Raises:
        ViewsError: there are fewer views than folds.
    """
    if not 2 <= num_folds <= len(views):
        raise ViewsError(f"{len(views)} views make 2 to {len(views)} folds, not {num_folds}")
    for offset in range(num_folds):
        training, held_out = split_held_out(views, every=num_folds, offset=offset)
        assert held_out is not None
        yield training, held_out


def _lacked_room(device: torch.device) -> bool:
    # Edges are missing from such pictures; the next ones have room for them.
    return device.type == "cuda" and contour_overflowed()


def _view_ious(silhouettes: Silhouettes, views: Views) -> Tensor:
    height, width = views.image_size
    at_once = max(1, _PIXELS_AT_ONCE // (height * width))
    found = []
    with torch.no_grad():
        for start in range(0, len(views), at_once):
            group = views[range(start, min(start + at_once, len(views)))]
            found.append(box_iou(silhouettes(group.cameras), group.coverage, group.known))
    return torch.cat(found)
