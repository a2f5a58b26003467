"""Which views deny points that nearly all others call inside."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.views import Views
from lightning_rast.optim.carving import least_depth, pixel_from_world
from lightning_rast.optim.hull_box import first_bounds

_RESOLUTION = 36
_MOST_DENYING = 0.2  # of the views, at a point
_MOST_BLAMED = 0.3  # of the views, in all
_OUTSTANDING = 3.0  # times the typical blame
_LEAST_BLAME = 0.03  # of the points that all but a few call inside


@torch.no_grad()
def blamed_views(views: Views, distances: Float[Tensor, "N H W"]) -> tuple[int, ...]:
    """Views whose masks lack what the others show, by far more than is usual.

    A mask cut in half cuts the hull in half: then it is the good views that fit badly. But it is
    alone with its no, where near a surface all views take turns.
    """
    known = distances < math.inf
    try:
        bounds = first_bounds((distances > 0) & known, known, views.cameras)
    except (ValueError, RuntimeError):
        return ()
    if not bool(torch.isfinite(bounds).all()):
        return ()
    denies, sees = _said(views, distances, bounds)
    asked = sees.sum(dim=0) >= len(views) / 2
    denies = denies[:, asked].float()
    blamed: list[int] = []
    while len(blamed) < _MOST_BLAMED * len(views):
        kept = [view for view in range(len(views)) if view not in blamed]
        noes = denies[kept].sum(dim=0)
        accepted = noes <= max(1.0, _MOST_DENYING * len(kept))
        disputed = accepted & (noes > 0)
        blame = (denies[kept][:, disputed] / noes[disputed]).sum(dim=1)
        worst = int(blame.argmax())
        limit = max(_OUTSTANDING * float(blame.median()), _LEAST_BLAME * float(accepted.sum()))
        if float(blame[worst]) <= limit:
            break
        blamed.append(kept[worst])
    return tuple(sorted(blamed))


def _said(views: Views, distances: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor]:
    """Of points in a box: which views call them outside, and which see them; (N, P)."""
    axes = [torch.linspace(low, high, _RESOLUTION).double() for low, high in bounds.T.tolist()]
    points = torch.nn.functional.pad(torch.cartesian_prod(*axes), (0, 1), value=1.0).T
    height, width = views.image_size
    near = least_depth(views.cameras)
    denies, sees = [], []
    for project, distance in zip(pixel_from_world(views.cameras), distances, strict=True):
        column, row, depth = project @ points
        x, y = (column / depth).nan_to_num(-1, -1, -1), (row / depth).nan_to_num(-1, -1, -1)
        seen = (depth > near) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
        value = distance[y.long().clamp(0, height - 1), x.long().clamp(0, width - 1)]
        seen &= value < math.inf
        sees.append(seen)
        denies.append(seen & (value < -1))
    return torch.stack(denies), torch.stack(sees)
