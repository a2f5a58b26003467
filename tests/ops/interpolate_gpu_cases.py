"""Fragments and attributes for the proofs that CUDA and CPU kernels of `interpolate` agree."""

from typing import NamedTuple

import torch
from torch import Tensor

# (N, H, W), (N, L, H, W): nothing, parts of a warp, several blocks of threads.
SHAPES = [(0, 3, 4), (2, 0, 4), (1, 1, 1), (2, 13, 17), (3, 2, 11, 9), (1, 40, 70)]


class Case(NamedTuple):
    attrs: Tensor
    faces: Tensor | None
    face_idx: Tensor
    bary: Tensor
    grad: Tensor  # of the result


def case(
    shape: tuple[int, ...],
    *,
    num_channels: int = 3,
    by_vertex: bool = True,
    shared: bool = True,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Case:
    """Stretches of one face as in a picture, some of them background; weights of any sign."""
    generator = torch.Generator().manual_seed(seed)

    def random(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64).to(dtype)

    num_faces, num_verts = 23, 15
    num_pixels = torch.Size(shape).numel()
    stretches = torch.randint(-4, num_faces, (num_pixels,), generator=generator).clamp(min=-1)
    lengths = torch.randint(1, 12, (num_pixels,), generator=generator)
    face_idx = stretches.repeat_interleave(lengths)[:num_pixels].int().reshape(shape)
    bary = random(*shape, 3) * (face_idx >= 0)[..., None]
    faces = torch.randint(num_verts, (num_faces, 3), generator=generator).int()
    rows = (num_verts,) if by_vertex else (num_faces, 3)
    attrs = random(*(() if shared else shape[:1]), *rows, num_channels)
    return Case(attrs, faces if by_vertex else None, face_idx, bary, random(*shape, num_channels))
