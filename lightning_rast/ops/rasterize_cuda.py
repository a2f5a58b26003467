"""CUDA side of `rasterize` and `visible_faces`: memory, streams and registration."""

import ctypes

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call
from lightning_rast.ops._registry import OPERATORS
from lightning_rast.ops.rasterize import _CULL, _empty_fragments
from lightning_rast.ops.visible_faces import _empty_faces

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_FORWARD_SIZES = (_I64, _I64, _I64, _I32, _I32, _I32, _I32, _I32)
_FORWARD_TYPES = (_P, _P, _P, *_FORWARD_SIZES, _P, _P, _P, _P, _I32, _P)
_FACES_TYPES = (_P, _P, _P, *_FORWARD_SIZES[1:], _P, _P, _P, _I32, _P)
_BACKWARD_SIZES = (_I64, _I64, _I32, _I32, _I32, _I32)
_BACKWARD_TYPES = (_P, _P, _P, _P, _P, *_BACKWARD_SIZES, _P, _P, _I32, _P)


def _scratch(name: str, types: tuple[type, ...], *sizes: int, like: Tensor) -> Tensor:
    entry = f"lrast_rasterize_cuda_{name}"
    num_bytes = _cuda_call.function(entry, *types, restype=_I64)(*sizes)
    return like.new_empty(num_bytes, dtype=torch.uint8)


def _forward_scratch(
    num_views: int, num_faces: int, height: int, width: int, num_layers: int, like: Tensor
) -> Tensor:
    sizes = (num_views, num_faces, height, width, num_layers)
    return _scratch("scratch_bytes", (_I64, _I64, _I32, _I32, _I32), *sizes, like=like)


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
    scratch = _forward_scratch(num_views, num_faces, height, width, num_layers or 1, verts_clip)
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


def _visible_faces(
    verts_clip: Tensor,
    faces: Tensor,
    face_ranges: Tensor | None,
    height: int,
    width: int,
    cull: str,
) -> tuple[Tensor, Tensor]:
    verts_clip, faces = verts_clip.contiguous(), faces.contiguous()
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    face_idx, coverage = _empty_faces(verts_clip, face_ranges, height, width)
    num_views, num_faces = face_idx.shape[0], faces.shape[0]
    scratch = _forward_scratch(num_views, num_faces, height, width, 1, verts_clip)
    _cuda_call.launch(
        "visible_faces",
        f"lrast_visible_faces_cuda_{_SUFFIX[verts_clip.dtype]}",
        _FACES_TYPES,
        verts_clip.device,
        verts_clip.data_ptr(),
        faces.data_ptr(),
        _pointer(face_ranges),
        num_views,
        verts_clip.shape[-2],
        num_faces,
        height,
        width,
        _CULL[cull],
        verts_clip.dim() == 2,
        face_idx.data_ptr(),
        coverage.data_ptr(),
        scratch.data_ptr(),
    )
    return face_idx, coverage


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
OPERATORS.impl("visible_faces", _visible_faces, "CUDA")
