"""Barycentric weights as functions of a point on the screen, differentiated by autograd."""

import torch
from torch import Tensor


def weights_at(corners: Tensor, point: Tensor) -> Tensor:
    """Weights (P, 3) of faces with `corners` (P, 3, 4) in clip space at `point` (P, 2) in NDC.

    Solves `sum_j b_j (x, y, w)_j = depth (px, py, 1)` with `sum_j b_j = 1`.
    """
    unscaled = torch.linalg.solve(
        corners[..., [0, 1, 3]].mT, torch.cat((point, torch.ones_like(point[:, :1])), dim=1)
    )
    return unscaled / unscaled.sum(dim=1, keepdim=True)


def fragment_derivatives(
    verts_clip: Tensor, faces: Tensor, face_idx: Tensor
) -> tuple[Tensor, Tensor]:
    """Of the weights by column and row in float64: twice (N, ..., H, W, 3), with a graph."""
    height, width = face_idx.shape[-2:]
    view, *_, row, column = pixels = torch.nonzero(face_idx >= 0, as_tuple=True)
    pixel = torch.stack((column, row), dim=1).double().requires_grad_()
    ndc = torch.stack(
        ((pixel[:, 0] + 0.5) * 2 / width - 1, 1 - (pixel[:, 1] + 0.5) * 2 / height), dim=1
    )
    corners = verts_clip.double()[view[:, None], faces.long()[face_idx[pixels].long()]]
    weights = weights_at(corners, ndc)
    by_pixel = torch.stack(
        [
            torch.autograd.grad(weights[:, corner].sum(), pixel, create_graph=True)[0]
            for corner in range(3)
        ],
        dim=1,
    )
    empty = by_pixel.new_zeros(*face_idx.shape, 3)
    return empty.index_put(pixels, by_pixel[..., 0]), empty.index_put(pixels, by_pixel[..., 1])
