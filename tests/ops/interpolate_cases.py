"""What `interpolate` makes of the cases in `interpolate_gpu_cases`.

As a program it prints a fingerprint of all outputs, to be compared between instruction sets.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_rast.ops import interpolate
from tests.ops.interpolate_gpu_cases import SHAPES, Case, case

NUM_CHANNELS = (1, 2, 3, 4, 5, 11)


class Picture(NamedTuple):
    """What `interpolate` needs to know of a rasterized picture."""

    face_idx: Tensor
    bary: Tensor


def outputs(inputs: Case) -> tuple[Tensor, Tensor, Tensor]:
    """The picture and the gradients of attributes and weights."""
    attrs, bary = inputs.attrs.detach().requires_grad_(), inputs.bary.detach().requires_grad_()
    out = interpolate(attrs, inputs.faces, Picture(inputs.face_idx, bary))
    return out.detach(), *torch.autograd.grad(out, (attrs, bary), inputs.grad)


def all_cases() -> Iterator[Case]:
    for by_vertex, shared in ((True, True), (True, False), (False, True), (False, False)):
        for dtype in (torch.float32, torch.float64):
            for shape in SHAPES:
                yield case(shape, by_vertex=by_vertex, shared=shared, dtype=dtype)
            # Cut into several bands of pixels, and into chunks where threads may share.
            for num_channels in NUM_CHANNELS:
                yield case(
                    (2, 92, 95),
                    num_channels=num_channels,
                    by_vertex=by_vertex,
                    shared=shared,
                    dtype=dtype,
                )


def fingerprint() -> str:
    digest = hashlib.sha256()
    for inputs in all_cases():
        for tensor in outputs(inputs):
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fingerprint())
