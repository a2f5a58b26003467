"""Signed distance to the 1/2 level of an image by looking at every segment, float64."""

import torch
from torch import Tensor


def outline(image: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Crossings (P, 2) and segments (S, 2, 2), positions (x, y) of pixel centres' indices."""
    value = image.double() - 0.5
    seen = torch.ones_like(value, dtype=torch.bool) if known is None else known
    height, width = value.shape
    points, segments = [], []

    def crossing(a: tuple[int, int], b: tuple[int, int]) -> list[float] | None:
        va, vb = float(value[a]), float(value[b])
        if (va >= 0) == (vb >= 0) or not (seen[a] and seen[b]):
            return None
        t = va / (va - vb)
        return [a[1] + t * (b[1] - a[1]), a[0] + t * (b[0] - a[0])]

    for y in range(height):
        for x in range(width):
            for other in ((y, x + 1), (y + 1, x)):
                if other[0] < height and other[1] < width:
                    found = crossing((y, x), other)
                    points += [found] if found else []
    for y in range(height - 1):
        for x in range(width - 1):
            corners = [(y, x), (y, x + 1), (y + 1, x + 1), (y + 1, x)]
            if not all(seen[corner] for corner in corners):
                continue
            sides = [crossing(corners[i], corners[(i + 1) % 4]) for i in range(4)]
            there = [i for i in range(4) if sides[i]]
            if len(there) == 2:
                segments.append([sides[there[0]], sides[there[1]]])
            elif len(there) == 4:
                a, b, c, d = (float(value[corner]) for corner in corners)
                # The bilinear interpolant at its saddle: if it is on the side of a and c, those
                # two are joined and the segments cut off b and d.
                saddle = (a * c - b * d) / (a + c - b - d)
                pairs = [(0, 1), (2, 3)] if (saddle >= 0) == (a >= 0) else [(3, 0), (1, 2)]
                segments += [[sides[i], sides[j]] for i, j in pairs]
    return (
        torch.tensor(points, dtype=torch.float64).reshape(-1, 2),
        torch.tensor(segments, dtype=torch.float64).reshape(-1, 2, 2),
    )


def distances(image: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Unsigned distances (H, W) of pixel centres to crossings, and to segments and crossings."""
    points, segments = outline(image, known)
    height, width = image.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centers = torch.stack((x, y), dim=-1).double().reshape(-1, 1, 2)
    far = torch.full((height * width, 1), torch.inf, dtype=torch.float64)
    to_points = torch.cat((far, (centers - points).norm(dim=-1)), dim=1).amin(dim=1)
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    t = ((centers - start) * along).sum(-1) / (along * along).sum(-1).clamp(min=1e-300)
    nearest = start + t.clamp(0, 1)[..., None] * along
    to_segments = torch.cat((far, (centers - nearest).norm(dim=-1)), dim=1).amin(dim=1)
    both = torch.minimum(to_points, to_segments)
    return to_points.reshape(height, width), both.reshape(height, width)
