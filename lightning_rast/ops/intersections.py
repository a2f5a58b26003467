"""The binding of the search for intersections; `scene.self_intersections` is what to call."""

import ctypes
import functools
from collections.abc import Callable

import torch
from jaxtyping import Float64, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status

_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


def intersecting_faces(
    verts: Float64[Tensor, "V 3"], faces: Int32[Tensor, "F 3"], *, max_pairs: int
) -> tuple[int, Int32[Tensor, "P 2"] | None]:
    """How many pairs there are, and the pairs, or None where those are more than `max_pairs`.

    See `scene.self_intersections`; vertices at equal positions must be one.
    """
    verts, faces = verts.contiguous(), faces.contiguous()
    handle, num_pairs = ctypes.c_void_p(), ctypes.c_int64()
    status = _find_function()(
        verts.data_ptr(),
        faces.data_ptr(),
        len(faces),
        max_pairs,
        torch.get_num_threads(),
        ctypes.byref(handle),
        ctypes.byref(num_pairs),
    )
    if status != 0:
        raise_status("self_intersections", status)
    if not handle:
        return num_pairs.value, None
    pairs = torch.empty(num_pairs.value, 2, dtype=torch.int32, device="cpu")
    _take_function()(handle, pairs.data_ptr())
    return num_pairs.value, pairs


@functools.cache
def _find_function() -> Callable[..., int]:
    return bind(core(), "lrast_find_intersections", _P, _P, _I64, _I64, _I32, _P, _P)


@functools.cache
def _take_function() -> Callable[..., int]:
    return bind(core(), "lrast_find_intersections_take", _P, _P)
