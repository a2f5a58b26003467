"""Soft coverage by brute force: every pixel against every face, gradients by autograd.

Written from the papers and from what the published rasterizers do per pixel and face, in their own
units and order: `softras` in the NDC of both axes, `pytorch3d` in the NDC of the shorter side with
its list of nearest faces, `pixel` in pixels. Faces across the near plane become polygons.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Polygon(NamedTuple):
    """The visible part of one face."""

    xy: Tensor  # (3 or 4, 2) pixels, y down
    clip: Tensor  # (3 or 4, 4), its corners in clip space
    face: int
    whole: bool


def visible_polygons(
    verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int]
) -> list[Polygon]:
    """Faces of one view `(V, 4)` cut at `z = -w`, in the order of their corners."""
    height, width = image_size
    polygons = []
    for number, face in enumerate(faces.tolist()):
        corners = [verts_clip[i] for i in face]
        distances = [float((c[2] + c[3]).detach()) for c in corners]
        kept = []
        for i in range(3):
            a, b = corners[i], corners[(i + 1) % 3]
            if distances[i] >= 0:
                kept.append(a)
            if (distances[i] >= 0) != (distances[(i + 1) % 3] >= 0):
                inner, outer = (a, b) if distances[i] >= 0 else (b, a)
                da, db = inner[2] + inner[3], outer[2] + outer[3]
                cut = inner + da / (da - db) * (outer - inner)
                # A corner on the plane is its own cut.
                if float(da.detach()) > 0:
                    kept.append(cut)
        if len(kept) < 3:
            continue
        clip = torch.stack(kept)
        ndc = clip[:, :2] / clip[:, 3:]
        xy = torch.stack([(ndc[:, 0] * 0.5 + 0.5) * width, (0.5 - ndc[:, 1] * 0.5) * height], dim=1)
        polygons.append(Polygon(xy, clip, number, min(distances) >= 0))
    return polygons


def pixel_centres(image_size: tuple[int, int]) -> Tensor:
    """`(H W, 2)` in pixels."""
    rows, columns = torch.meshgrid(
        torch.arange(image_size[0]).double() + 0.5,
        torch.arange(image_size[1]).double() + 0.5,
        indexing="ij",
    )
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2)


def doubled_area(xy: Tensor) -> Tensor:
    after = xy.roll(-1, dims=0)
    return (xy[:, 0] * after[:, 1] - xy[:, 1] * after[:, 0]).sum()


def outline_distance2(xy: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances `(P,)` of points to a polygon's outline, and whether they are inside."""
    a, b = xy, xy.roll(-1, dims=0)
    along, to = b - a, points[:, None] - a
    t = ((to * along).sum(-1) / (along * along).sum(-1)).clamp(0, 1)
    away = points[:, None] - (a + t[..., None] * along)
    side = along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0]
    inside = (side > 0).all(dim=1) | (side < 0).all(dim=1)
    return (away * away).sum(-1).amin(dim=1), inside


def _images(
    verts_clip: Tensor,
    faces: Tensor,
    image_size: tuple[int, int],
    view_coverage: Callable[[Tensor, list[Polygon], Tensor], Tensor],
) -> Tensor:
    """`view_coverage(verts, polygons, points)` of every view as `(N, H, W)`."""
    points = pixel_centres(image_size)
    views = [
        view_coverage(verts, visible_polygons(verts, faces, image_size), points)
        for verts in verts_clip
    ]
    return torch.stack(views).reshape(-1, *image_size)


def pixel(
    verts_clip: Tensor,
    faces: Tensor,
    image_size: tuple[int, int],
    sigma: float,
    cutoff: float = 1e-4,
) -> Tensor:
    """`p = sigmoid(d / sigma)` as a chance in odds `exp(d / sigma)`, of which those at the cut-off
    are taken away."""

    def coverage(_verts: Tensor, polygons: list[Polygon], points: Tensor) -> Tensor:
        log_free = points.new_zeros(len(points))
        for polygon in polygons:
            if doubled_area(polygon.xy) == 0:
                continue
            distance2, inside = outline_distance2(polygon.xy, points)
            # Of zero squared the root has no derivative, and no test stands there.
            distance = torch.where(inside, distance2.sqrt(), -distance2.sqrt())
            odds = torch.exp((distance / sigma).clamp(max=600)) - cutoff / (1 - cutoff)
            log_free = log_free - torch.log1p(odds.clamp(min=0))
        return 1 - log_free.exp()

    return _images(verts_clip, faces, image_size, coverage)


def softras(
    verts_clip: Tensor,
    faces: Tensor,
    image_size: tuple[int, int],
    sigma: float,
    cutoff: float = 1e-4,
) -> Tensor:
    """Liu et al. 2019, equations 2 and 5, with the cut-off of their implementation."""
    height, width = image_size
    unit = torch.tensor([2 / width, 2 / height], dtype=torch.float64)
    threshold = math.log(1 / cutoff - 1) * sigma

    def coverage(_verts: Tensor, polygons: list[Polygon], points: Tensor) -> Tensor:
        log_free = points.new_zeros(len(points))
        for polygon in polygons:
            if doubled_area(polygon.xy) == 0:
                continue
            distance2, inside = outline_distance2(polygon.xy * unit, points * unit)
            signed = torch.where(inside, distance2, -distance2)
            one_minus_p = torch.nn.functional.logsigmoid(-signed / sigma)
            log_free = log_free + torch.where(inside | (distance2 < threshold), one_minus_p, 0.0)
        return 1 - log_free.exp()

    return _images(verts_clip, faces, image_size, coverage)


def nearest_depths(polygon: Polygon, points: Tensor, perspective: bool) -> Tensor:
    """View depth of a face at points, by clipped barycentric coordinates where it is whole, else of
    its plane between the depths of its corners; orthographic views: a number that orders alike."""
    w, z = polygon.clip[:, 3], polygon.clip[:, 2] / polygon.clip[:, 3]
    corner_depths = w if perspective else z
    if polygon.whole:
        a, b, c = polygon.xy

        def edge(p: Tensor, q: Tensor) -> Tensor:
            return (points[:, 0] - p[0]) * (q[1] - p[1]) - (points[:, 1] - p[1]) * (q[0] - p[0])

        bary = torch.stack([edge(b, c), edge(c, a), edge(a, b)], dim=1) / -doubled_area(polygon.xy)
        if perspective:
            top = bary * torch.stack([w[1] * w[2], w[0] * w[2], w[0] * w[1]])
            bary = top / top.sum(dim=1, keepdim=True)
        bary = bary.clamp(min=0)
        return (bary / bary.sum(dim=1, keepdim=True)) @ corner_depths
    values = 1 / w if perspective else -z
    ones = polygon.xy.new_ones(3, 1)
    plane = torch.linalg.solve(torch.cat([polygon.xy[:3], ones], dim=1), values[:3])
    key = (points @ plane[:2] + plane[2]).clamp(values.min(), values.max())
    return 1 / key if perspective else -key


def pytorch3d(
    verts_clip: Tensor,
    faces: Tensor,
    image_size: tuple[int, int],
    sigma: float,
    blur_radius: float,
    faces_per_pixel: int,
) -> Tensor:
    """SoftSilhouetteShader after rasterize_meshes with clipped barycentric coordinates."""
    unit = 2 / min(image_size)

    def coverage(verts: Tensor, polygons: list[Polygon], points: Tensor) -> Tensor:
        perspective = bool((verts[:, 3] != verts[0, 3]).any())
        depths, factors = [], []
        for polygon in polygons:
            if abs(float(doubled_area(polygon.xy.detach() * unit))) <= 1e-8:
                continue
            distance2, inside = outline_distance2(polygon.xy * unit, points * unit)
            signed = torch.where(inside, -distance2, distance2)
            one_minus_p = 1 - torch.sigmoid(-signed / sigma)
            listed = inside | (distance2 < blur_radius)
            depth = nearest_depths(polygon, points, perspective).detach()
            depths.append(torch.where(listed, depth, torch.inf))
            factors.append(torch.where(listed, one_minus_p, 1.0))
        if not depths:
            return points.new_zeros(len(points))
        # A stable sort keeps faces of equal depth in the order of their numbers.
        order = torch.stack(depths, dim=1).sort(dim=1, stable=True).indices[:, :faces_per_pixel]
        return 1 - torch.stack(factors, dim=1).gather(1, order).prod(dim=1)

    return _images(verts_clip, faces, image_size, coverage)
