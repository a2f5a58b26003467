"""Closed surfaces of fields on a grid."""

import ctypes
import functools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status

_TOO_LARGE = 1


def level_surface(
    field: Float[Tensor, "X Y Z"], *, origin: Sequence[float], cell: float, level: float = 0.0
) -> tuple[Float[Tensor, "V 3"], Int32[Tensor, "F 3"]]:
    """Vertices, world units, and faces of the surface around all that is larger than `level`.

    `optim.extract_surface` makes a mesh of them and says what holds.

    Raises:
        ValueError: a shape or type does not fit, the field holds NaN, or its surface has 2^30
            triangles or more.
    """
    if field.ndim != 3 or not field.is_floating_point() or 0 in field.shape:
        raise ValueError(
            "extract_surface: field must be floating point (X, Y, Z), got "
            f"{field.dtype} {tuple(field.shape)}"
        )
    if len(origin) != 3 or not cell > 0:
        raise ValueError(
            f"extract_surface: origin must have three numbers and cell be more than 0, got "
            f"{list(origin)} and {cell}"
        )
    values = field.detach().to("cpu", torch.float32).contiguous()
    if bool(values.isnan().any()):
        raise ValueError("extract_surface: the field holds NaN")
    handle = ctypes.c_void_p()
    num_verts, num_faces = ctypes.c_int64(), ctypes.c_int64()
    make, take = _functions()
    status = make(
        values.data_ptr(),
        level,
        (ctypes.c_double * 3)(*origin),
        cell,
        (ctypes.c_int32 * 3)(*values.shape),
        torch.get_num_threads(),
        ctypes.byref(handle),
        ctypes.byref(num_verts),
        ctypes.byref(num_faces),
    )
    if status == _TOO_LARGE:
        raise ValueError("extract_surface: the surface has too many triangles for int32 indices")
    if status != 0:
        raise_status("extract_surface", status)
    verts = torch.empty(num_verts.value, 3, dtype=torch.float32, device="cpu")
    faces = torch.empty(num_faces.value, 3, dtype=torch.int32, device="cpu")
    take(handle, verts.data_ptr(), faces.data_ptr())
    return verts.to(field.device), faces.to(field.device)


@functools.cache
def _functions() -> tuple[Callable[..., int], Callable[..., int]]:
    p, f32, f64, i32 = ctypes.c_void_p, ctypes.c_float, ctypes.c_double, ctypes.c_int32
    return (
        bind(core(), "lrast_surface_make", p, f32, p, f64, p, i32, p, p, p),
        bind(core(), "lrast_surface_take", p, p, p),
    )
