"""The visual hull as a field on a grid."""

import ctypes
import functools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status

# kMostDisagreeing in csrc/kernels/carve.h.
MOST_DISAGREEING = 3


def carve(
    distances: Float[Tensor, "N H W"],
    project: Float64[Tensor, "N 3 4"],
    *,
    origin: Sequence[float],
    cell: float,
    size: Sequence[int],
    near: float = 0.0,
    ks: tuple[int, int] = (1, 1),
    least_seen: int = 1,
) -> Float[Tensor, "K X Y Z"]:
    """For each k, the k-th smallest over the views of the signed distance where a point is seen.

    With k = 1 every view must agree that a point is inside, with k = 2 one may disagree.

    Args:
        distances: of the masks' pixels to their outlines, px, positive inside, as `mask_distance`
            makes them. Interpolated bilinearly between pixel centres; +inf is unknown, and so are
            points between it and others.
        project: takes a world point (x, y, z, 1) to (column d, row d, d) in px, d the depth (1
            for parallel rays).
        origin: world position of grid point (0, 0, 0); `cell` is the spacing, world units.
        size: points along x, y and z.
        near: a point whose depth is not larger is not seen.
        ks: first and last k, 1 to 3.
        least_seen: a point that fewer views see, or no more than k, is outside (-1). Views where
            it lies beyond the image or on an unknown pixel do not see it. With 0, points are
            inside unless k views say otherwise.

    Returns:
        Fields in px, float32 on the CPU. Exact near their zero level. Blocks of points that have
        no neighbour on the other side hold a value of the right sign and a rough size.

        The same bits on every run and for any number of threads. Not differentiable.

    Raises:
        ValueError: a shape, type or range does not fit.
    """
    _check(distances, project, origin, cell, size, ks, least_seen)
    distances = distances.detach().to("cpu", torch.float32).contiguous()
    project = project.detach().cpu().contiguous()
    field = torch.empty(ks[1] - ks[0] + 1, *size, dtype=torch.float32, device="cpu")
    status = _function()(
        distances.data_ptr(),
        project.data_ptr(),
        *distances.shape,
        near,
        (ctypes.c_double * 3)(*origin),
        cell,
        (ctypes.c_int32 * 3)(*size),
        *ks,
        least_seen,
        torch.get_num_threads(),
        field.data_ptr(),
    )
    if status != 0:
        raise_status("carve", status)
    return field


def _check(
    distances: Tensor,
    project: Tensor,
    origin: Sequence[float],
    cell: float,
    size: Sequence[int],
    ks: tuple[int, int],
    least_seen: int,
) -> None:
    if distances.ndim != 3 or not distances.is_floating_point() or 0 in distances.shape:
        raise ValueError(
            f"carve: distances must be floating point (N, H, W), got {distances.dtype} "
            f"{tuple(distances.shape)}"
        )
    if project.shape != (len(distances), 3, 4) or project.dtype != torch.float64:
        raise ValueError(
            f"carve: project must be float64 {(len(distances), 3, 4)}, got {project.dtype} "
            f"{tuple(project.shape)}"
        )
    if len(origin) != 3 or len(size) != 3 or min(size) < 1 or not cell > 0:
        raise ValueError(
            "carve: origin and size must have three numbers, size at least 1 and cell more than "
            f"0, got {list(origin)}, {list(size)} and {cell}"
        )
    if least_seen < 0:
        raise ValueError(f"carve: least_seen must not be negative, got {least_seen}")
    if not 1 <= ks[0] <= ks[1] <= MOST_DISAGREEING:
        raise ValueError(f"carve: ks must lie between 1 and {MOST_DISAGREEING}, got {ks}")


@functools.cache
def _function() -> Callable[..., int]:
    p, f64, i32 = ctypes.c_void_p, ctypes.c_double, ctypes.c_int32
    return bind(core(), "lrast_carve", p, p, i32, i32, i32, f64, p, f64, p, i32, i32, i32, i32, p)
