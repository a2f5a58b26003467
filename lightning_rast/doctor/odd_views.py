"""What is wrong with a single view, where the others agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.views import Views
from lightning_rast.render.silhouette import render_silhouettes
from lightning_rast.scene import Mesh

_FITS = 0.85  # of the typical view's IoU
_CLEARLY = 0.08  # better than as it is
_AREA = 0.1  # a mask whose area differs by less is not called too small or too large


@dataclass(frozen=True)
class OddView:
    """A view that disagrees with the others; reason: the end of a sentence about its mask."""

    index: int
    name: str
    iou: float
    reason: str


@torch.no_grad()
def odd_reasons(
    views: Views, mesh: Mesh, odd: Sequence[int], *, typical: float
) -> tuple[OddView, ...]:
    """For each odd view what would make it fit, or at least how it differs.

    mesh: what the other views agree on; typical: their IoU.
    """
    if not odd:
        return ()
    seen = render_silhouettes(mesh, views.cameras)
    known = torch.ones_like(seen) if views.known is None else views.known.to(seen)
    masks, seen = views.coverage.to(seen) * known, seen * known
    found = []
    for index in odd:
        iou = float(_iou(masks[index], seen[index]))
        reason = _reason(index, iou, masks, seen, known, views.names, typical)
        found.append(OddView(index, views.names[index], iou, reason))
    return tuple(found)


def _reason(
    index: int,
    iou: float,
    masks: Float[Tensor, "N H W"],
    seen: Float[Tensor, "N H W"],
    known: Float[Tensor, "N H W"],
    names: Sequence[str],
    typical: float,
) -> str:
    mask, here = masks[index], seen[index]
    enough = max(_FITS * typical, iou + _CLEARLY)
    variants = {
        "is inverted (the object is black)": (1 - mask) * known[index],
        "is upside down": mask.flip(0),
        "is mirrored": mask.flip(1),
        "is turned by 180 degrees": mask.flip(0, 1),
    }
    if mask.shape[0] == mask.shape[1]:
        variants["is turned clockwise by 90 degrees"] = mask.rot90(1)
        variants["is turned counter-clockwise by 90 degrees"] = mask.rot90(-1)
        variants["is transposed"] = mask.T
    fit = {text: float(_iou(variant, here)) for text, variant in variants.items()}
    text = max(fit, key=lambda key: fit[key])
    others = _iou(mask[None].expand_as(seen), seen)
    others[index] = 0
    other = int(others.argmax())
    if max(fit[text], float(others[other])) < enough:
        return _difference(mask, here, enough)
    if fit[text] >= float(others[other]):
        return text
    back = float(_iou(masks[other], here))
    if back > float(_iou(masks[other], seen[other])):
        return f"and that of {names[other]} are exchanged"
    return f"fits the camera of {names[other]} instead"


def _difference(mask: Tensor, seen: Tensor, enough: float) -> str:
    area, expected = float(mask.sum()), float(seen.sum())
    if area < 1e-3 * expected:
        return "is empty where the others see the object"
    if expected == 0:
        return "shows an object where the others see none; its camera looks elsewhere"
    by = _center(seen) - _center(mask)
    rows, columns = (round(float(value)) for value in by)
    if float(_iou(_moved(mask, rows, columns), seen)) >= enough:
        return f"is displaced by {_percent(by, mask)} of the image; its camera is off"
    lacks = 1 - float(torch.minimum(mask, seen).sum()) / expected
    adds = 1 - float(torch.minimum(mask, seen).sum()) / area
    if lacks > adds + _AREA:
        return f"lacks {lacks:.0%} of what the others show there"
    if adds > lacks + _AREA:
        return f"shows {adds * area / expected:.0%} more than the others allow there"
    return "does not match what the others show there; its camera is off or it is another object"


def _moved(mask: Tensor, rows: int, columns: int) -> Tensor:
    moved = torch.zeros_like(mask)
    height, width = mask.shape
    if abs(rows) >= height or abs(columns) >= width:
        return moved
    target = (
        slice(max(rows, 0), height + min(rows, 0)),
        slice(max(columns, 0), width + min(columns, 0)),
    )
    source = (
        slice(max(-rows, 0), height - max(rows, 0)),
        slice(max(-columns, 0), width - max(columns, 0)),
    )
    moved[target] = mask[source]
    return moved


def _center(mask: Tensor) -> Tensor:
    mass = mask.sum()
    row = (mask.sum(dim=1) * torch.arange(len(mask))).sum() / mass
    column = (mask.sum(dim=0) * torch.arange(mask.shape[1])).sum() / mass
    return torch.stack((row, column))


def _percent(by: Tensor, mask: Tensor) -> str:
    height, width = mask.shape
    return f"{abs(float(by[1])) / width:.0%} across and {abs(float(by[0])) / height:.0%} down"


def _iou(a: Tensor, b: Tensor) -> Tensor:
    both = torch.minimum(a, b).sum(dim=(-2, -1))
    return both / torch.maximum(a, b).sum(dim=(-2, -1)).clamp(min=1e-6)
