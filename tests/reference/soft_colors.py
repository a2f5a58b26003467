"""Soft visibility of colours by brute force and autograd: Liu et al. 2019, equations 3 and 4."""

import math

import torch
from torch import Tensor

from tests.reference.soft_coverage import doubled_area, outline_distance2, pixel_centres


def soft_colors(
    verts_clip: Tensor,
    faces: Tensor,
    colors: Tensor,
    image_size: tuple[int, int],
    *,
    sigma: float,
    gamma: float,
    semantics: str,
    background: Tensor,
    near: float = 1.0,
    far: float = 100.0,
    background_depth: float = 1e-3,
    cutoff: float = 1e-4,
) -> Tensor:
    """`(N, H, W, C)` of `colors (F, 3, C)` over `background (C,)`."""
    height, width = image_size
    points = pixel_centres(image_size)
    views = []
    for verts in verts_clip:
        perspective = bool((verts[:, 3] != 1).any())
        log_weights, blended = [torch.full((len(points),), background_depth / gamma)], [background]
        for number, face in enumerate(faces.tolist()):
            corners = _cut(torch.cat([verts[face], colors[number]], dim=1))
            if corners is None:
                continue
            w = corners[:, 3]
            ndc = corners[:, :2] / w[:, None]
            xy = (ndc * torch.tensor([0.5, -0.5]) + 0.5) * torch.tensor([width, height])
            if doubled_area(xy) == 0:
                continue
            z = (
                (1 / w - 1 / far) / (1 / near - 1 / far)
                if perspective
                else (1 - corners[:, 2] / w) / 2
            )
            log_p = _log_probability(xy, points, image_size, sigma, semantics, cutoff)
            depth, color = _attributes(
                xy, z, w if perspective else torch.ones_like(w), corners, points
            )
            log_weights.append(log_p + depth / gamma)
            blended.append(color)
        weights = torch.stack(log_weights).softmax(dim=0)
        images = torch.stack([color.expand(len(points), -1) for color in blended])
        views.append((weights[..., None] * images).sum(dim=0))
    return torch.stack(views).reshape(-1, height, width, colors.shape[2])


def _cut(corners: Tensor) -> Tensor | None:
    """The corners `(3 or 4, 4 + C)` of a face's part in front of `z = -w`."""
    distance = corners[:, 2] + corners[:, 3]
    kept = []
    for i in range(3):
        j = (i + 1) % 3
        if distance[i] >= 0:
            kept.append(corners[i])
        if (distance[i] >= 0) != (distance[j] >= 0):
            inner, outer = (i, j) if distance[i] >= 0 else (j, i)
            t = distance[inner] / (distance[inner] - distance[outer])
            kept.append(corners[inner] + t * (corners[outer] - corners[inner]))
    return torch.stack(kept) if len(kept) >= 3 else None


def _log_probability(
    xy: Tensor,
    points: Tensor,
    image_size: tuple[int, int],
    sigma: float,
    semantics: str,
    cutoff: float,
) -> Tensor:
    if semantics == "pixel":
        distance2, inside = outline_distance2(xy, points)
        signed = torch.where(inside, distance2.sqrt(), -distance2.sqrt())
        odds = torch.exp((signed / sigma).clamp(max=600)) - cutoff / (1 - cutoff)
        counts = odds > 0
        odds = torch.where(counts, odds, 1.0)
        return torch.where(counts, odds.log() - torch.log1p(odds), -torch.inf)
    unit = torch.tensor([2 / image_size[1], 2 / image_size[0]], dtype=torch.float64)
    distance2, inside = outline_distance2(xy * unit, points * unit)
    signed = torch.where(inside, distance2, -distance2)
    counts = inside | (distance2 < math.log(1 / cutoff - 1) * sigma)
    return torch.where(counts, torch.nn.functional.logsigmoid(signed / sigma), -torch.inf)


def _attributes(
    xy: Tensor, z: Tensor, w: Tensor, corners: Tensor, points: Tensor
) -> tuple[Tensor, Tensor]:
    """Depth and colour of a face at points; one with four corners is two triangles."""
    depth, color = _of_triangle([0, 1, 2], xy, z, w, corners, points)
    if len(xy) == 3:
        return depth, color
    other_depth, other_color = _of_triangle([0, 2, 3], xy, z, w, corners, points)
    # The side of the diagonal that corner 1 is on.
    side = _cross(xy[0], xy[2], points) * _cross(xy[0], xy[2], xy[1][None])
    first = side >= 0
    return (
        torch.where(first, depth, other_depth),
        torch.where(first[:, None], color, other_color),
    )


def _cross(a: Tensor, b: Tensor, points: Tensor) -> Tensor:
    return (b[0] - a[0]) * (points[:, 1] - a[1]) - (b[1] - a[1]) * (points[:, 0] - a[0])


def _of_triangle(
    chosen: list[int], xy: Tensor, z: Tensor, w: Tensor, corners: Tensor, points: Tensor
) -> tuple[Tensor, Tensor]:
    a, b, c = xy[chosen]
    bary = torch.stack([_cross(b, c, points), _cross(c, a, points), _cross(a, b, points)], dim=1)
    bary = (bary / doubled_area(xy[chosen])).clamp(min=0)
    bary = bary / bary.sum(dim=1, keepdim=True)
    corrected = bary / w[chosen]
    corrected = corrected / corrected.sum(dim=1, keepdim=True)
    return bary @ z[chosen], corrected @ corners[chosen, 4:]
