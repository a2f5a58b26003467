"""Winding numbers of a mesh at the points of a grid."""

import ctypes
import functools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int16, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status

_MOST_CELLS = 2**27  # beyond, what is exact in the kernel would overflow


def winding_numbers(
    verts: Float[Tensor, "V 3"],
    faces: Int32[Tensor, "F 3"],
    *,
    origin: Sequence[float],
    cell: float,
    size: Sequence[int],
) -> Int16[Tensor, "X Y Z"]:
    """How often the faces go around each point; `optim.voxelize` says what holds.

    Raises:
        ValueError: a shape or type does not fit, or a vertex is not finite.
    """
    if verts.ndim != 2 or verts.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(
            f"voxelize: verts must be (V, 3) and faces (F, 3), got {tuple(verts.shape)} and "
            f"{tuple(faces.shape)}"
        )
    if len(origin) != 3 or len(size) != 3 or min(size) < 1 or not cell > 0:
        raise ValueError(
            "voxelize: origin and size must have three numbers, size at least 1 and cell more "
            f"than 0, got {list(origin)}, {list(size)} and {cell}"
        )
    positions = verts.detach().to("cpu", torch.float64).contiguous()
    if not bool(torch.isfinite(positions).all()):
        raise ValueError("voxelize: a vertex is not finite")
    corner = torch.tensor(list(origin), dtype=torch.float64, device="cpu")
    if len(positions) and float((positions - corner).abs().max()) / cell > _MOST_CELLS:
        raise ValueError(f"voxelize: the mesh lies more than {_MOST_CELLS} cells from the grid")
    corners = faces.detach().to("cpu", torch.int32).contiguous()
    winding = torch.empty(*size, dtype=torch.int16, device="cpu")
    status = _function()(
        positions.data_ptr(),
        len(positions),
        corners.data_ptr(),
        len(corners),
        (ctypes.c_double * 3)(*origin),
        cell,
        (ctypes.c_int32 * 3)(*size),
        torch.get_num_threads(),
        winding.data_ptr(),
    )
    if status != 0:
        raise_status("voxelize", status)
    return winding.to(verts.device)


@functools.cache
def _function() -> Callable[..., int]:
    p, f64, i64, i32 = ctypes.c_void_p, ctypes.c_double, ctypes.c_int64, ctypes.c_int32
    return bind(core(), "lrast_voxelize", p, i64, p, i64, p, f64, p, i32, p)
