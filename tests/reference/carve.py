"""The k-th smallest signed distance over the views that see a point, point by point, float64."""

import torch
from torch import Tensor


def carve(
    distances: Tensor, project: Tensor, points: Tensor, *, near: float, k: int, least_seen: int
) -> Tensor:
    """Values at `points` (P, 3); +inf distances are unknown, and so is all beside them."""
    _, height, width = distances.shape
    homogeneous = torch.nn.functional.pad(points, (0, 1), value=1.0)
    values = []
    for matrix, distance in zip(project, distances.double(), strict=True):
        x, y, depth = matrix @ homogeneous.T
        x, y = x / depth, y / depth
        seen = (depth > near) & (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
        u, v = (x - 0.5).clamp(0, width - 1), (y - 0.5).clamp(0, height - 1)
        left, top = u.nan_to_num().floor().long(), v.nan_to_num().floor().long()
        left, top = left.clamp(max=width - 2), top.clamp(max=height - 2)
        s, t = u - left, v - top
        corners = torch.stack(
            [distance[top + dy, left + dx] for dy in (0, 1) for dx in (0, 1)], dim=-1
        )
        weights = torch.stack(((1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t), dim=-1)
        known = (corners < torch.inf).all(dim=-1)
        value = (corners.clamp(-1e9, 1e9) * weights).sum(dim=-1)
        values.append(torch.where(seen & known, value, torch.inf))
    nobody = torch.full_like(values[0], torch.inf)
    stacked = torch.stack([*values, *[nobody] * max(0, k - len(values))])
    num_seen = (stacked < torch.inf).sum(dim=0)
    needed = max(least_seen, k + 1) if least_seen else 0
    return torch.where(num_seen < needed, -1.0, stacked.sort(dim=0).values[k - 1])
