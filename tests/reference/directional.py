"""Directional derivatives of the supersampled union, by central differences with equal steps."""

import math

import torch
from torch import Tensor

from tests.reference.coverage import supersampled_coverage


def smooth_directions(verts: Tensor, count: int, seed: int = 0) -> Tensor:
    """`count` displacement fields `(K, V, 3)`: sums of long waves over space, at most 1 in length.

    Neighbouring vertices move together, so a step of a fraction of a pixel neither folds faces nor
    meets the sampling noise that random directions would be lost in.
    """
    generator = torch.Generator().manual_seed(seed)
    wave = 2 * torch.randn(count, 4, 3, generator=generator, dtype=torch.float64)
    phase = 2 * math.pi * torch.rand(count, 4, 1, generator=generator, dtype=torch.float64)
    along = torch.randn(count, 4, 3, generator=generator, dtype=torch.float64)
    field = torch.einsum("kwv,kwd->kvd", torch.cos(wave @ verts.double().T + phase), along)
    return field / field.norm(dim=2).amax(dim=1)[:, None, None]


def smooth_weights(image_size: tuple[int, int], seed: int = 0) -> Tensor:
    """Per-pixel loss weights `(H, W)` of both signs that vary over a dozen pixels."""
    generator = torch.Generator().manual_seed(seed)
    wave = 0.5 * torch.randn(6, 2, generator=generator, dtype=torch.float64)
    phase = 2 * math.pi * torch.rand(6, generator=generator, dtype=torch.float64)
    height, width = image_size
    row, column = torch.meshgrid(
        torch.arange(height).double(), torch.arange(width).double(), indexing="ij"
    )
    angle = row[..., None] * wave[:, 0] + column[..., None] * wave[:, 1] + phase
    return 0.5 + torch.cos(angle).mean(dim=-1)


def supersampled_derivatives(
    verts_clip: Tensor,
    directions_clip: Tensor,
    faces: Tensor,
    weights: Tensor,
    step: float,
    samples: int = 64,
) -> Tensor:
    """`d (weights * coverage).sum() / d t` at `verts_clip (V, 4) + t directions_clip (K, V, 4)`."""
    image_size = (weights.shape[0], weights.shape[1])
    ahead, behind = (
        supersampled_coverage(
            verts_clip + sign * step * directions_clip, faces, image_size, samples
        )
        for sign in (1, -1)
    )
    return ((ahead - behind) * weights).sum(dim=(1, 2)) / (2 * step)
