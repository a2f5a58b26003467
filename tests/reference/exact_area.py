"""Exact area of the union of all triangles in every pixel of a small image, by brute force.

The image is cut into horizontal slabs at every height where anything can happen: a corner, a pixel
border, two sides crossing, a side crossing a pixel column. Within a slab the covered length of a
pixel is linear in y, so the length at the slab's middle times its height is the area. It is
differentiable by autograd, the crossings included. Memory grows with the cube of the number of
triangles: for soups of about a dozen.
"""

import torch
from torch import Tensor

from tests.reference.near_plane import screen_triangles


def exact_coverage(verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Coverage `(N, H, W)` in float64 of `verts_clip (N, V, 4)`."""
    views = [
        union_area(screen_triangles(view.double(), faces, image_size), image_size)
        for view in verts_clip
    ]
    return torch.stack(views) if views else torch.zeros(0, *image_size).double()


def union_area(triangles: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Covered area `(H, W)` of each unit pixel by the union of `triangles (T, 3, 2)`."""
    height, width = image_size
    if len(triangles) == 0:
        return triangles.new_zeros(height, width)
    starts, ends = triangles, triangles.roll(-1, dims=1)
    events = _event_heights(starts.reshape(-1, 2), ends.reshape(-1, 2), height, width)
    thickness = events[1:] - events[:-1]
    thick = thickness.detach() > 0
    thickness = thickness[thick]
    middle = (0.5 * (events[1:] + events[:-1]))[thick]

    left, right = _intervals(starts, ends, middle)
    lengths = _union_lengths(left, right, width)
    row = middle.detach().floor().long().clamp(0, height - 1)
    return lengths.new_zeros(height, width).index_add(0, row, lengths * thickness[:, None])


def _event_heights(a: Tensor, b: Tensor, height: int, width: int) -> Tensor:
    """Sorted y of corners, sides' crossings and crossings with pixel columns, in [0, height]."""
    along = b - a
    columns = torch.arange(width + 1, dtype=a.dtype)
    t = (columns - a[:, :1]) / torch.where(along[:, :1] == 0, 1.0, along[:, :1])
    on_columns = (a[:, 1:] + t * along[:, 1:])[(along[:, :1] != 0) & (t > 0) & (t < 1)]

    i, j = torch.triu_indices(len(a), len(a), offset=1)
    det = along[i, 0] * along[j, 1] - along[i, 1] * along[j, 0]
    gap = a[j] - a[i]
    safe = torch.where(det == 0, 1.0, det)
    t_i = (gap[:, 0] * along[j, 1] - gap[:, 1] * along[j, 0]) / safe
    t_j = (gap[:, 0] * along[i, 1] - gap[:, 1] * along[i, 0]) / safe
    meets = (det != 0) & (t_i > 0) & (t_i < 1) & (t_j > 0) & (t_j < 1)
    crossings = (a[i, 1] + t_i * along[i, 1])[meets]

    inner = torch.cat([a[:, 1], on_columns, crossings])
    inner = inner[(inner > 0) & (inner < height)]
    return torch.cat([inner, torch.arange(height + 1, dtype=a.dtype)]).sort().values


def _intervals(a: Tensor, b: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """x-interval `(M, T)` of each triangle at each height; empty ones are `[0, 0]`."""
    rise = b[..., 1] - a[..., 1]
    crossed = (a[..., 1] <= y[:, None, None]) != (b[..., 1] <= y[:, None, None])
    t = (y[:, None, None] - a[..., 1]) / torch.where(rise == 0, 1.0, rise)
    x = a[..., 0] + t * (b[..., 0] - a[..., 0])
    left = torch.where(crossed, x, torch.inf).amin(dim=2)
    right = torch.where(crossed, x, -torch.inf).amax(dim=2)
    hit = crossed.any(dim=2)
    return torch.where(hit, left, 0.0), torch.where(hit, right, 0.0)


def _union_lengths(left: Tensor, right: Tensor, width: int) -> Tensor:
    """Length `(M, W)` of each unit column covered by the union of the intervals `(M, T)`."""
    left, order = left.sort(dim=1)
    right = right.gather(1, order)
    reach = right.cummax(dim=1).values
    # Interval k adds only what lies right of everything before it.
    begin = torch.cat([left[:, :1], torch.maximum(left[:, 1:], reach[:, :-1])], dim=1)
    end = torch.maximum(begin, right)
    columns = torch.arange(width + 1, dtype=left.dtype)
    low, high = columns[:-1], columns[1:]
    covered = torch.minimum(end[..., None], high) - torch.maximum(begin[..., None], low)
    return covered.clamp(min=0).sum(dim=1)
