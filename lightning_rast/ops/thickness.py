"""The binding of the search for thickness; `optim.local_thickness` is what to call."""

import ctypes
import functools
from collections.abc import Callable

import torch
from jaxtyping import Float64, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status

_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


def thickness_along_rays(
    verts: Float64[Tensor, "V 3"], faces: Int32[Tensor, "F 3"]
) -> Float64[Tensor, " V"]:
    """See `optim.local_thickness`."""
    verts, faces = verts.contiguous(), faces.contiguous()
    thickness = torch.empty(len(verts), dtype=torch.float64, device="cpu")
    status = _function()(
        verts.data_ptr(),
        len(verts),
        faces.data_ptr(),
        len(faces),
        torch.get_num_threads(),
        thickness.data_ptr(),
    )
    if status != 0:
        raise_status("local_thickness", status)
    return thickness


@functools.cache
def _function() -> Callable[..., int]:
    return bind(core(), "lrast_local_thickness", _P, _I64, _P, _I64, _I32, _P)
