"""Signed distances of pixels to the outline of a mask."""

import ctypes
import functools
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status


def mask_distance(
    coverage: Float[Tensor, "N H W"], known: Bool[Tensor, "N H W"] | None = None
) -> Float[Tensor, "N H W"]:
    """Distance of each pixel's centre to the mask's outline in pixels, positive inside.

    The outline is the 1/2 level of the coverage, interpolated linearly between the centres of
    neighbouring pixels: marching squares, with four-way cells resolved by their saddle. Up to 2
    pixels from it, distances are to its segments; beyond, to their ends, which makes them too
    large by less than 1/16 of a pixel. The field changes by no more than the distance walked.

    Args:
        coverage: fraction of each pixel that the object covers, 0..1; 1/2 itself is inside.
        known: False where nothing was measured. No outline runs between such pixels and others.

    Returns:
        float32, on the device of `coverage` (computed on the CPU). It is infinite where no
        outline tells: everywhere in a mask that has none, +inf if all is inside and -inf if all
        is outside, and +inf where `known` is False. Beyond the image, too, all is unknown: its
        border is not an outline, so that an object cut by it goes on there.

        The same bits on every run and for any number of threads. Not differentiable.

    Raises:
        ValueError: a shape or type does not fit, or coverage is NaN somewhere.

    Source: Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012, once
    for the crossings between horizontal and once for those between vertical neighbours.
    """
    _check(coverage, known)
    images = coverage.detach().to("cpu", torch.float32).contiguous()
    if bool(images.isnan().any()):
        view = int(images.isnan().flatten(1).any(dim=1).nonzero()[0, 0])
        raise ValueError(f"mask_distance: coverage[{view}] holds NaN")
    seen = None if known is None else known.detach().cpu().to(torch.uint8).contiguous()
    distance = torch.empty_like(images)
    status = _function()(
        images.data_ptr(),
        None if seen is None else seen.data_ptr(),
        *images.shape,
        torch.get_num_threads(),
        distance.data_ptr(),
    )
    if status != 0:
        raise_status("mask_distance", status)
    return distance.to(coverage.device)


def _check(coverage: Tensor, known: Tensor | None) -> None:
    if coverage.ndim != 3 or not coverage.is_floating_point():
        raise ValueError(
            "mask_distance: coverage must be floating point (N, H, W), got "
            f"{coverage.dtype} {tuple(coverage.shape)}"
        )
    if known is not None and (known.shape != coverage.shape or known.dtype != torch.bool):
        raise ValueError(
            f"mask_distance: known must be bool {tuple(coverage.shape)}, got "
            f"{known.dtype} {tuple(known.shape)}"
        )


@functools.cache
def _function() -> Callable[..., int]:
    pointer, i64, i32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
    return bind(core(), "lrast_mask_distance", pointer, pointer, i64, i32, i32, i32, pointer)
