"""How many pairs of a pixel and a face soft coverage has to look at."""

from collections.abc import Iterator

import torch
from torch import Tensor

from lightning_rast.ops.soft_coverage import SoftModel

_CHUNK = 100_000  # pairs looked at together: what caches hold


def count_pairs(verts_clip: Tensor, faces: Tensor, size: int, model: SoftModel) -> int:
    """Pairs in which the pixel's centre is inside the face or within the cut-off of its outline, of
    all views. No face may cross the near plane.

    The fewest pairs whose probability any way of computing soft coverage evaluates, unless it knows
    that a pixel is covered to all digits without them.
    """
    return sum(_count(verts_clip, faces, size, model, 1))


def count_looked_at(
    verts_clip: Tensor, faces: Tensor, size: int, model: SoftModel, block: int = 4
) -> int:
    """Pairs by blocks: all pixels of a block if its middle is so near to the face that one of them
    may be within reach. With blocks of 4 pixels across those that the CPU kernels evaluate for a
    picture in which all faces count."""
    return block**2 * sum(_count(verts_clip, faces, size, model, block))


def _count(
    verts_clip: Tensor, faces: Tensor, size: int, model: SoftModel, block: int
) -> Iterator[int]:
    """Per view: pairs of a block of that many pixels across and a face that may reach it."""
    reach = model.reach if model.linear else model.reach**0.5
    scale = torch.tensor([model.scale_x, model.scale_y], dtype=torch.float64)
    near = reach + 0.5001 * (block - 1) * float(scale.norm())
    for clip in verts_clip.double():
        ndc = clip[:, :2] / clip[:, 3:]
        corners = ((ndc * torch.tensor([0.5, -0.5]) + 0.5) * size)[faces.long()]
        first, second = (corners[:, k] - corners[:, 0] for k in (1, 2))
        area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
        corners = corners[area.abs() > model.min_area]
        low = (corners.amin(dim=1) - reach / scale - 0.5).ceil().clamp(min=0)
        high = (corners.amax(dim=1) + reach / scale - 0.5).floor().clamp(max=size - 1)
        inside = (low <= high).all(dim=1)  # of the picture
        corners, low, high = corners[inside], low[inside], high[inside]
        low, high = (low / block).floor(), (high / block).floor()
        pairs = 0
        across = int((high - low).amax()) + 1
        steps = torch.arange(across, dtype=torch.float64)
        offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1).flatten(0, 1)
        count = max(_CHUNK // len(offsets), 1)
        for few, begin, end in zip(
            corners.split(count), low.split(count), high.split(count), strict=True
        ):
            blocks = begin[:, None] + offsets
            distance2, inside = outline_distance2(few * scale, (blocks + 0.5) * block * scale)
            counts = inside | (distance2 < near**2)
            pairs += int((counts & (blocks <= end[:, None]).all(dim=2)).sum())
        yield pairs


def outline_distance2(corners: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances of `points (F, P, 2)` to the outlines of triangles `(F, 3, 2)`, and whether
    they are inside."""
    distances2, sides = [], []
    for k in range(3):
        begin, end = corners[:, None, k], corners[:, None, (k + 1) % 3]
        side, to = end - begin, points - begin
        t = ((to * side).sum(dim=2) / (side * side).sum(dim=2)).clamp(0, 1)
        distances2.append(((to - t[..., None] * side) ** 2).sum(dim=2))
        sides.append(side[..., 0] * to[..., 1] - side[..., 1] * to[..., 0])
    cross = torch.stack(sides)
    return torch.stack(distances2).amin(dim=0), (cross > 0).all(dim=0) | (cross < 0).all(dim=0)
