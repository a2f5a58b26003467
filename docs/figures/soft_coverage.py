"""Per-triangle soft coverage as in SoftRas and PyTorch3D, without truncation, by autograd.

`1 - prod over faces (1 - sigmoid(s d^2 / sigma))`: d is the distance of the pixel's centre to the
face's outline, in pixels here, s is +1 inside the face and -1 outside.
"""

import torch
from torch import Tensor


def soft_coverage(xy: Tensor, faces: Tensor, points: Tensor, sigma: float) -> Tensor:
    """Coverage `(P,)` at `points (P, 2)` by faces with corners `xy (V, 2)`, pixels."""
    a = xy[faces.long()]
    b = a.roll(-1, dims=1)
    along, to = b - a, points[:, None, None] - a
    t = ((to * along).sum(-1) / (along * along).sum(-1).clamp(min=1e-30)).clamp(0, 1)
    away = to - t[..., None] * along
    distance2 = (away * away).sum(-1).amin(dim=2)
    side = along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
    inside = (side > 0).all(dim=2) | (side < 0).all(dim=2)
    # log(1 - sigmoid(z)) = -softplus(z), which neither overflows nor rounds to 1.
    signed = torch.where(inside, distance2, -distance2) / sigma
    return 1 - torch.exp(-torch.nn.functional.softplus(signed).sum(dim=1))


def soft_image(xy: Tensor, faces: Tensor, image_size: tuple[int, int], sigma: float) -> Tensor:
    height, width = image_size
    rows, columns = torch.meshgrid(
        torch.arange(height).to(xy) + 0.5, torch.arange(width).to(xy) + 0.5, indexing="ij"
    )
    points = torch.stack([columns, rows], dim=-1).reshape(-1, 2)
    return soft_coverage(xy, faces, points, sigma).reshape(height, width)


def half_level(xy: Tensor, faces: Tensor, start: Tensor, outward: Tensor, sigma: float) -> float:
    """Distance from `start` on the outline along `outward` at which soft coverage is 1/2."""
    low, high = 0.0, 10 * sigma**0.5
    for _ in range(60):
        middle = (low + high) / 2
        point = (start + middle * outward)[None]
        above = float(soft_coverage(xy, faces, point, sigma)) > 0.5
        low, high = (middle, high) if above else (low, middle)
    return (low + high) / 2
