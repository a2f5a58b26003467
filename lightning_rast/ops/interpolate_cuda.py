"""CUDA side of `interpolate`: memory, streams and registration."""

import ctypes

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call
from lightning_rast.ops._registry import OPERATORS
from lightning_rast.ops.interpolate import _empty_attrs, _is_shared, _num_rows

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_LAYOUT = (_P, _P, _I64, _I64, _I64, _I64, _I32, _I32)


def _launch(
    name: str,
    faces: Tensor | None,
    face_idx: Tensor,
    sizes: tuple[int, int, bool],
    arrays: tuple[Tensor, ...],
) -> None:
    num_rows, num_channels, shared = sizes
    num_views, num_pixels = face_idx.shape[0], face_idx[0].numel() if len(face_idx) else 0
    layout = (
        None if faces is None else faces.data_ptr(),
        face_idx.data_ptr(),
        num_views,
        num_pixels,
        num_rows // 3 if faces is None else faces.shape[0],
        num_rows,
        num_channels,
        shared,
    )
    name = f"lrast_{name}_{_SUFFIX[arrays[0].dtype]}"
    argtypes = (*_LAYOUT, *(_P for _ in arrays), _I32, _P)
    pointers = map(Tensor.data_ptr, arrays)
    _cuda_call.launch("interpolate", name, argtypes, face_idx.device, *layout, *pointers)


def _forward(attrs: Tensor, faces: Tensor | None, face_idx: Tensor, bary: Tensor) -> Tensor:
    attrs, face_idx, bary = attrs.contiguous(), face_idx.contiguous(), bary.contiguous()
    faces = None if faces is None else faces.contiguous()
    out = attrs.new_empty(*face_idx.shape, attrs.shape[-1])
    sizes = (_num_rows(attrs, faces), attrs.shape[-1], _is_shared(attrs, faces))
    _launch("interpolate_cuda", faces, face_idx, sizes, (attrs, bary, out))
    return out


def _bary_vjp(grad: Tensor, attrs: Tensor, faces: Tensor | None, face_idx: Tensor) -> Tensor:
    grad, attrs, face_idx = grad.contiguous(), attrs.contiguous(), face_idx.contiguous()
    faces = None if faces is None else faces.contiguous()
    grad_bary = grad.new_empty(*face_idx.shape, 3)
    sizes = (_num_rows(attrs, faces), attrs.shape[-1], _is_shared(attrs, faces))
    _launch("interpolate_cuda_bary_vjp", faces, face_idx, sizes, (grad, attrs, grad_bary))
    return grad_bary


def _attrs_vjp(
    grad: Tensor,
    faces: Tensor | None,
    face_idx: Tensor,
    bary: Tensor,
    num_rows: int,
    shared: bool,
) -> Tensor:
    grad, face_idx, bary = grad.contiguous(), face_idx.contiguous(), bary.contiguous()
    faces = None if faces is None else faces.contiguous()
    grad_attrs = _empty_attrs(grad, faces, face_idx, num_rows, shared)
    num_bytes = _cuda_call.function(
        "lrast_interpolate_cuda_scratch_bytes", _I64, _I64, restype=_I64
    )(grad_attrs.numel(), grad.element_size())
    scratch = grad.new_empty(num_bytes, dtype=torch.uint8)
    sizes = (num_rows, grad.shape[-1], shared)
    arrays = (grad, bary, grad_attrs, scratch)
    _launch("interpolate_cuda_attrs_vjp", faces, face_idx, sizes, arrays)
    return grad_attrs


OPERATORS.impl("interpolate", _forward, "CUDA")
OPERATORS.impl("interpolate_bary_vjp", _bary_vjp, "CUDA")
OPERATORS.impl("interpolate_attrs_vjp", _attrs_vjp, "CUDA")
