"""Hard rasterization by brute force: every pixel centre against every face, in float64.

Which side of an edge a pixel lies on is decided exactly: by float64 where its error bound allows,
else in rational numbers. On an edge itself the pixel counts as moved by (eps, eps^2) to the right
and down, which is what the top-left rule says. Faces that cross the near plane are never cut: their
pixels are those whose ray meets the face at a point in front of the plane. Weights and depth solve
one linear system per pixel; they are differentiable by autograd.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Rasterized(NamedTuple):
    """`(N, H, W)`, `(N, H, W, 3)`, `(N, H, W)`; with layers `(N, L, H, W)` and so on."""

    face_idx: Tensor
    bary: Tensor
    depth: Tensor


def rasterize(
    verts_clip: Tensor,
    faces: Tensor,
    image_size: tuple[int, int],
    *,
    cull: str = "none",
    num_layers: int | None = None,
    face_ranges: Tensor | None = None,
) -> Rasterized:
    """What `lightning_rast.ops.rasterize` returns, with bary and depth in float64."""
    if verts_clip.dim() == 2:
        assert face_ranges is not None
        verts_clip = verts_clip.expand(len(face_ranges), -1, -1)
    ranges = [(0, len(faces))] * len(verts_clip)
    if face_ranges is not None:
        ranges = [(int(begin), int(end)) for begin, end in face_ranges]
    views = [
        _rasterize_view(view.double(), faces[begin:end].long(), begin, image_size, cull, num_layers)
        for view, (begin, end) in zip(verts_clip, ranges, strict=True)
    ]
    layers = 1 if num_layers is None else num_layers
    empty = torch.zeros(0, layers, *image_size, dtype=torch.float64)
    face_idx = torch.stack([v[0] for v in views]) if views else empty.int()
    bary = (
        torch.stack([v[1] for v in views]) if views else empty[..., None].expand(0, -1, -1, -1, 3)
    )
    depth = torch.stack([v[2] for v in views]) if views else empty
    if num_layers is None:
        return Rasterized(face_idx[:, 0], bary[:, 0], depth[:, 0])
    return Rasterized(face_idx, bary, depth)


def _rasterize_view(
    verts: Tensor,
    faces: Tensor,
    first_face: int,
    image_size: tuple[int, int],
    cull: str,
    num_layers: int | None,
) -> tuple[Tensor, Tensor, Tensor]:
    height, width = image_size
    layers = num_layers or 1
    face_idx = torch.full((layers * height * width,), -1, dtype=torch.int32)
    bary = verts.new_zeros(layers * height * width, 3)
    depth = verts.new_zeros(layers * height * width)
    shape = (layers, height, width)
    pairs = _covered_pairs(verts.detach(), faces, image_size, cull)
    if len(pairs) > 0:
        pixel, face = pairs.unbind(dim=1)
        weights, pair_depth, key = _fragments(verts, faces, pixel, face, image_size)
        order = np.lexsort((face, -key.detach().float().numpy(), pixel))
        pixel, face = pixel[order], face[order]
        first = torch.searchsorted(pixel.contiguous(), pixel.contiguous())
        layer = torch.arange(len(pixel)) - first
        kept = layer < layers
        place = (layer * height * width + pixel)[kept]
        face_idx[place] = (face[kept] + first_face).int()
        bary = bary.index_put((place,), weights[order][kept])
        depth = depth.index_put((place,), pair_depth[order][kept])
    return face_idx.view(shape), bary.view(*shape, 3), depth.view(shape)


def _covered_pairs(verts: Tensor, faces: Tensor, image_size: tuple[int, int], cull: str) -> Tensor:
    """Rows (pixel, face) of all pixels that a face covers."""
    height, width = image_size
    x = (np.arange(height * width) % width + 0.5).astype(np.float64)
    y = (np.arange(height * width) // width + 0.5).astype(np.float64)
    clip = verts.numpy()
    with np.errstate(all="ignore"):
        half_inv_w = 0.5 / clip[:, 3]
        screen = np.stack(
            [(clip[:, 0] * half_inv_w + 0.5) * width, (0.5 - clip[:, 1] * half_inv_w) * height], 1
        )
    visible = clip[:, 2] + clip[:, 3] >= 0
    rows = []
    for number, corners in enumerate(faces.numpy()):
        if not visible[corners].any():
            continue
        if visible[corners].all():
            front, covered = _covered_on_screen(screen[corners], x, y)
        else:
            front, covered = _covered_in_front(clip[corners], 2 * x / width - 1, 1 - 2 * y / height)
        if cull == ("back" if not front else "front"):
            continue
        pixels = np.nonzero(covered)[0]
        rows.append(np.stack([pixels, np.full_like(pixels, number)], axis=1))
    return torch.from_numpy(np.concatenate(rows)) if rows else torch.zeros(0, 2, dtype=torch.int64)


def _covered_on_screen(corners: Array, x: Array, y: Array) -> tuple[bool, Bools]:
    a, b, c = corners
    area = int(_sides(a, b, c[:1], c[1:])[0])
    if area == 0:
        return False, np.zeros(len(x), dtype=bool)
    covered = np.ones(len(x), dtype=bool)
    for start, end in ((a, b), (b, c), (c, a)):
        moved_right = -np.sign(end[1] - start[1])
        moved_down = np.sign(end[0] - start[0])
        tie = moved_right if moved_right != 0 else moved_down
        side = _sides(start, end, x, y)
        covered &= np.where(side == 0, tie, side) == area
    return area < 0, covered  # y points down: what is counter-clockwise in NDC turns negative


def _sides(a: Array, b: Array, x: Array, y: Array) -> npt.NDArray[np.int64]:
    """Exact sign of (b - a) x (p - a) for each point p."""
    first, second = (b[0] - a[0]) * (y - a[1]), (b[1] - a[1]) * (x - a[0])
    side = np.sign(first - second).astype(np.int64)
    unsure = ~(np.abs(first - second) > 1e-14 * (np.abs(first) + np.abs(second)))
    ax, ay, bx, by = (Fraction(float(v)) for v in (*a, *b))
    for i in np.nonzero(unsure)[0]:
        exact = (bx - ax) * (Fraction(float(y[i])) - ay) - (by - ay) * (Fraction(float(x[i])) - ax)
        side[i] = (exact > 0) - (exact < 0)
    return side


def _covered_in_front(corners: Array, x: Array, y: Array) -> tuple[bool, Bools]:
    """The same for a face that crosses the near plane; x and y in NDC."""
    homogeneous = corners[:, [0, 1, 3]]
    volume = np.linalg.det(homogeneous)
    if volume == 0:
        return False, np.zeros(len(x), dtype=bool)
    weights = np.linalg.solve(homogeneous.T, np.stack([x, y, np.ones_like(x)]))
    w = 1 / weights.sum(axis=0)
    weights = weights * w
    distance = weights.T @ (corners[:, 2] + corners[:, 3])
    return volume > 0, (weights >= 0).all(axis=0) & (w > 0) & (distance >= 0)


def _fragments(
    verts: Tensor, faces: Tensor, pixel: Tensor, face: Tensor, image_size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights `(P, 3)`, clip w `(P,)` and the number that is largest in front, of each pair."""
    height, width = image_size
    x = 2 * ((pixel % width).double() + 0.5) / width - 1
    y = 1 - 2 * ((pixel // width).double() + 0.5) / height
    corners = verts[faces[face]]
    # The point of the face on the pixel's ray is depth * (x, y, 1) in the coordinates (x, y, w).
    ray = torch.stack([x, y, torch.ones_like(x)], dim=1)
    weights, _ = torch.linalg.solve_ex(corners[..., [0, 1, 3]].mT, ray)
    inv_depth = weights.sum(dim=1)
    weights = weights / inv_depth[:, None]
    used_w = verts[faces.flatten(), 3]
    if bool((used_w == used_w[0]).all()):
        key = -(weights * corners[..., 2]).sum(dim=1) / used_w[0]
    else:
        key = inv_depth
    return weights, 1 / inv_depth, key
