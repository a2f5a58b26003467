"""CUDA side of `rasterize`: memory, streams and registration."""

import ctypes

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call
from lightning_rast.ops._registry import OPERATORS
from lightning_rast.ops.rasterize import _CULL, _empty_fragments

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_FORWARD_SIZES = (_I64, _I64, _I64, _I32, _I32, _I32, _I32, _I32)
_FORWARD_TYPES = (_P, _P, _P, *_FORWARD_SIZES, _P, _P, _P, _P, _I32, _P)
_BACKWARD_SIZES = (_I64, _I64, _I32, _I32, _I32, _I32)
_BACKWARD_TYPES = (_P, _P, _P, _P, _P, *_BACKWARD_SIZES, _P, _P, _I32, _P)


def _scratch(name: str, types: tuple[type, ...], *sizes: int, like: Tensor) -> Tensor:
    entry = f"lrast_rasterize_cuda_{name}"
    num_bytes = _cuda_call.function(entry, *types, restype=_I64)(*sizes)
    return like.new_empty(num_bytes, dtype=torch.uint8)


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _forward(
    verts_clip: Tensor,
    faces: Tensor,
    face_ranges: Tensor | None,
    height: int,
    width: int,
    cull: str,
    num_layers: int | None,
) -> tuple[Tensor, Tensor, Tensor]:
    verts_clip, faces = verts_clip.contiguous(), faces.contiguous()
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    bary, depth, face_idx = _empty_fragments(verts_clip, face_ranges, height, width, num_layers)
    num_views, num_faces = face_idx.shape[0], faces.shape[0]
    scratch = _scratch(
        "scratch_bytes",
        (_I64, _I64, _I32, _I32, _I32),
        *(num_views, num_faces, height, width, num_layers or 1),
        like=verts_clip,
    )
    _cuda_call.launch(
        "rasterize",
        f"lrast_rasterize_cuda_{_SUFFIX[verts_clip.dtype]}",
        _FORWARD_TYPES,
        verts_clip.device,
        verts_clip.data_ptr(),
        faces.data_ptr(),
        _pointer(face_ranges),
        num_views,
        verts_clip.shape[-2],
        num_faces,
        height,
        width,
        num_layers or 1,
        _CULL[cull],
        verts_clip.dim() == 2,
        face_idx.data_ptr(),
        bary.data_ptr(),
        depth.data_ptr(),
        scratch.data_ptr(),
    )
    return bary, depth, face_idx


def _backward(
    grad_bary: Tensor | None,
    grad_depth: Tensor | None,
    face_idx: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
) -> Tensor:
    grad_bary = None if grad_bary is None else grad_bary.contiguous()
    grad_depth = None if grad_depth is None else grad_depth.contiguous()
    face_idx, faces = face_idx.contiguous(), faces.contiguous()
    verts_clip = verts_clip.contiguous()
    grad_verts_clip = torch.empty_like(verts_clip)
    num_views, num_verts = face_idx.shape[0], verts_clip.shape[-2]
    height, width = face_idx.shape[-2:]
    shared = verts_clip.dim() == 2
    scratch = _scratch(
        "backward_scratch_bytes",
        (_I64, _I64, _I32, _I64),
        *(num_views, num_verts, shared, verts_clip.element_size()),
        like=verts_clip,
    )
    _cuda_call.launch(
        "rasterize",
        f"lrast_rasterize_cuda_backward_{_SUFFIX[verts_clip.dtype]}",
        _BACKWARD_TYPES,
        verts_clip.device,
        verts_clip.data_ptr(),
        faces.data_ptr(),
        face_idx.data_ptr(),
        _pointer(grad_bary),
        _pointer(grad_depth),
        num_views,
        num_verts,
        height,
        width,
        face_idx.shape[1] if face_idx.dim() == 4 else 1,
        shared,
        grad_verts_clip.data_ptr(),
        scratch.data_ptr(),
    )
    return grad_verts_clip


OPERATORS.impl("rasterize", _forward, "CUDA")
OPERATORS.impl("rasterize_backward", _backward, "CUDA")
