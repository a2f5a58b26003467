"""A homogeneous transform of points, written out in plain PyTorch."""

import torch
from torch import Tensor


def transform_points(points: Tensor, matrices: Tensor) -> Tensor:
    """`matrices[n] @ (point, 1)` in float64, rounded to the dtype of `points`: (N, V, 4)."""
    one = torch.ones_like(points[..., :1])
    homogeneous = torch.cat([points, one], dim=-1).double()
    equation = "nrc,vc->nvr" if points.dim() == 2 else "nrc,nvc->nvr"
    return torch.einsum(equation, matrices, homogeneous).to(points.dtype)
