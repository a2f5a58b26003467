"""Points and matrices for the proofs of `transform_points`, and what the operator makes of them.

As a program it prints a fingerprint of all outputs, to be compared between instruction sets.
"""

import hashlib

import torch
from torch import Tensor

from lightning_rast.ops import transform_points

# Sizes around a block of points (512 on the CPU, 2048 on a GPU) and many blocks.
NUM_VERTS = (1, 5, 511, 512, 513, 2049, 20_000)


def case(
    num_views: int, num_verts: int, *, shared: bool, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    """Points, matrices and a gradient of the result."""
    generator = torch.Generator().manual_seed(num_views + 31 * num_verts)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    points = random(num_verts, 3) if shared else random(num_views, num_verts, 3)
    matrices, grad = random(num_views, 4, 4), random(num_views, num_verts, 4)
    return points.to(dtype), matrices, grad.to(dtype)


def outputs(points: Tensor, matrices: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The transformed points and both gradients."""
    leaves = points.detach().requires_grad_(), matrices.detach().requires_grad_()
    out = transform_points(*leaves)
    return out.detach(), *torch.autograd.grad(out, leaves, grad)


def fingerprint() -> str:
    digest = hashlib.sha256()
    for num_verts in NUM_VERTS:
        for shared in (True, False):
            for dtype in (torch.float32, torch.float64):
                for tensor in outputs(*case(3, num_verts, shared=shared, dtype=dtype)):
                    digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fingerprint())
