"""Box-filtered pictures of flat things, with exact areas and differentiable by autograd.

Nothing here knows of edges between pixels: visible areas are differences of unions, or unions of
polygons that were cut along the line in which their planes meet.
"""

import torch
from torch import Tensor

from tests.reference.exact_area import union_area
from tests.reference.near_plane import screen_triangles


def layered_image(
    layers: list[tuple[Tensor, Tensor, Tensor]], background: Tensor, image_size: tuple[int, int]
) -> Tensor:
    """Layers `(verts_clip (V, 4), faces, colour (C,))`, nearest first, each wholly before the next.

    What is visible of a layer is what it adds to the union of those in front. Returns `(H, W, C)`.
    """
    seen = torch.zeros(0, 3, 2, dtype=torch.float64)
    covered = torch.zeros(image_size, dtype=torch.float64)
    image = torch.zeros(*image_size, len(background), dtype=torch.float64)
    for verts_clip, faces, colour in layers:
        seen = torch.cat([seen, screen_triangles(verts_clip, faces, image_size)])
        union = union_area(seen, image_size)
        image = image + (union - covered)[..., None] * colour
        covered = union
    return image + (1 - covered)[..., None] * background


def crossing_image(
    quads: tuple[Tensor, Tensor],
    colours: tuple[Tensor, Tensor],
    background: Tensor,
    image_size: tuple[int, int],
) -> Tensor:
    """Two flat convex polygons `(V, 4)` in clip space that pass through each other.

    Of each, the part in front of the other's plane is visible, and so is whatever the other does
    not cover. Returns `(H, W, C)`.
    """
    planes = [_key_plane(quad, image_size) for quad in quads]
    polygons = [_on_screen(quad, image_size) for quad in quads]
    union = union_area(torch.cat([_fan(polygon) for polygon in polygons]), image_size)
    first_in_front = _part_in_front(polygons[0], planes[0] - planes[1])
    # The first shows where it is in front, or alone; alone is the union without the second.
    second = union_area(_fan(polygons[1]), image_size)
    joined = union_area(torch.cat([_fan(polygons[1]), _fan(first_in_front)]), image_size)
    overlap_in_front = union_area(_fan(first_in_front), image_size) + second - joined
    first = (union - second) + overlap_in_front
    image = first[..., None] * colours[0] + (union - first)[..., None] * colours[1]
    return image + (1 - union)[..., None] * background


def _on_screen(verts_clip: Tensor, image_size: tuple[int, int]) -> Tensor:
    height, width = image_size
    ndc = verts_clip[:, :2] / verts_clip[:, 3:]
    return torch.stack([(ndc[:, 0] * 0.5 + 0.5) * width, (0.5 - ndc[:, 1] * 0.5) * height], dim=1)


def _key_plane(verts_clip: Tensor, image_size: tuple[int, int]) -> Tensor:
    """`k (3,)` with `1 / w = k . (x, y, 1)` on the screen."""
    corners = verts_clip[:3]
    points = torch.cat([_on_screen(corners, image_size), torch.ones(3, 1).double()], dim=1)
    return torch.linalg.solve(points, 1 / corners[:, 3])


def _part_in_front(polygon: Tensor, plane: Tensor) -> Tensor:
    """The part of a convex polygon where `plane . (x, y, 1) > 0`."""
    lead = polygon @ plane[:2] + plane[2]
    kept = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if lead[i] > 0:
            kept.append(polygon[i])
        if (lead[i] > 0) != (lead[j] > 0):
            t = lead[i] / (lead[i] - lead[j])
            kept.append(polygon[i] + t * (polygon[j] - polygon[i]))
    return torch.stack(kept) if kept else polygon[:0]


def _fan(polygon: Tensor) -> Tensor:
    count = max(len(polygon) - 2, 0)
    first = polygon[:1].expand(count, -1)
    return torch.stack([first, polygon[1 : 1 + count], polygon[2 : 2 + count]], dim=1)
