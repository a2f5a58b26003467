"""CUDA side of `soft_coverage`: memory, streams and registration."""

import ctypes

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call
from lightning_rast.ops._registry import OPERATORS
from lightning_rast.ops.soft_coverage import _empty_outputs, _pointer

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32, _F64 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_double
_SIZES = (_I64, _I64, _I64, _I32, _I32)
_INPUTS = (_P, _I64, _I64, _P, _I64, _I32, _I32, _F64, _F64, _F64, _F64, _F64, _I32, _I32)


def _launch(
    name: str, verts_clip: Tensor, faces: Tensor, options: tuple, *arrays: int | None
) -> None:
    num_views, num_verts = verts_clip.shape[:2]
    num_faces, (height, width, *model) = faces.shape[0], options
    sizes = (num_views, num_verts, num_faces, height, width)
    num_bytes = _cuda_call.function(
        "lrast_soft_coverage_cuda_scratch_bytes", *_SIZES, _I32, restype=_I64
    )(*sizes, name.endswith("backward"))
    scratch = verts_clip.new_empty(num_bytes, dtype=torch.uint8)
    _cuda_call.launch(
        "soft_coverage",
        f"lrast_{name}_{_SUFFIX[verts_clip.dtype]}",
        (*_INPUTS, *(_P for _ in arrays), _P, _I32, _P),
        verts_clip.device,
        verts_clip.data_ptr(),
        num_views,
        num_verts,
        faces.data_ptr(),
        num_faces,
        height,
        width,
        *model,
        *arrays,
        scratch.data_ptr(),
    )


def _forward(verts_clip: Tensor, faces: Tensor, *options) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    verts_clip, faces = verts_clip.contiguous(), faces.contiguous()
    outputs = _empty_outputs(verts_clip, *options)
    _launch("soft_coverage_cuda", verts_clip, faces, options, *map(_pointer, outputs))
    return outputs


def _backward(
    grad_coverage: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    uncovered: Tensor,
    last_key: Tensor,
    last_face: Tensor,
    *options,
) -> Tensor:
    verts_clip, faces = verts_clip.contiguous(), faces.contiguous()
    inputs = [x.contiguous() for x in (grad_coverage, uncovered, last_key, last_face)]
    grad_verts_clip = torch.empty_like(verts_clip)
    pointers = (*map(_pointer, inputs), grad_verts_clip.data_ptr())
    _launch("soft_coverage_cuda_backward", verts_clip, faces, options, *pointers)
    return grad_verts_clip


OPERATORS.impl("soft_coverage", _forward, "CUDA")
OPERATORS.impl("soft_coverage_backward", _backward, "CUDA")
