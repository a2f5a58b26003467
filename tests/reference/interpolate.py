"""Attributes at pixels by gathering all three corners of every pixel, in plain PyTorch."""

import torch
from torch import Tensor


def interpolate(attrs: Tensor, faces: Tensor | None, face_idx: Tensor, bary: Tensor) -> Tensor:
    """`sum_j bary_j attrs[faces[face_idx, j]]` (N, ..., C), zero where `face_idx` is negative."""
    corners = attrs if faces is None else attrs[..., faces.long(), :]  # ([N,] F, 3, C)
    seen = face_idx >= 0
    view, *pixel = torch.nonzero(seen, as_tuple=True)
    face = face_idx[seen].long()
    of_pixel = corners[face] if corners.dim() == 3 else corners[view, face]
    values = torch.einsum("pj,pjc->pc", bary[seen], of_pixel)
    out = attrs.new_zeros(*face_idx.shape, attrs.shape[-1])
    return out.index_put((view, *pixel), values)
