"""CUDA side of `soft_colors`: memory, streams and registration."""

import ctypes

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call
from lightning_rast.ops._registry import OPERATORS
from lightning_rast.ops.soft_colors import _empty_outputs

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32, _F64 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_double
_SIZES = (_I64, _I64, _I64, _I32, _I32)
_MODELS = (*(_F64,) * 5, _I32, _I32, _P, *(_F64,) * 5, _I32)
_INPUTS = (_P, _I64, _I64, _P, _I64, _I32, _I32, *_MODELS)


def _launch(
    name: str, verts_clip: Tensor, faces: Tensor, colors: Tensor, options: tuple, *arrays: Tensor
) -> None:
    num_views, num_verts = verts_clip.shape[:2]
    num_faces, num_channels = faces.shape[0], colors.shape[2]
    height, width, *model = options
    sizes = (num_views, num_verts, num_faces, height, width, num_channels)
    num_bytes = _cuda_call.function(
        "lrast_soft_colors_cuda_scratch_bytes", *_SIZES, _I32, _I32, restype=_I64
    )(*sizes, name.endswith("backward"))
    scratch = verts_clip.new_empty(num_bytes, dtype=torch.uint8)
    _cuda_call.launch(
        "soft_colors",
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
        *model[:7],
        colors.data_ptr(),
        *model[7:],
        num_channels,
        *(array.data_ptr() for array in arrays),
        scratch.data_ptr(),
    )


def _forward(verts_clip: Tensor, faces: Tensor, colors: Tensor, *options) -> tuple[Tensor, ...]:
    verts_clip, faces, colors = (x.contiguous() for x in (verts_clip, faces, colors))
    outputs = _empty_outputs(verts_clip, faces, colors, *options)
    _launch("soft_colors_cuda", verts_clip, faces, colors, options, *outputs)
    return outputs


def _backward(
    grad_image: Tensor,
    grad_coverage: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    colors: Tensor,
    image: Tensor,
    uncovered: Tensor,
    largest: Tensor,
    total: Tensor,
    *options,
) -> tuple[Tensor, Tensor]:
    verts_clip, faces, colors = (x.contiguous() for x in (verts_clip, faces, colors))
    inputs = (grad_image, grad_coverage, image, uncovered, largest, total)
    grad_verts = torch.empty_like(verts_clip)
    grad_colors = torch.empty_like(colors, dtype=torch.float64)
    _launch(
        "soft_colors_cuda_backward",
        verts_clip,
        faces,
        colors,
        options,
        *(x.contiguous() for x in inputs),
        grad_verts,
        grad_colors,
    )
    return grad_verts, grad_colors.to(colors.dtype)


OPERATORS.impl("soft_colors", _forward, "CUDA")
OPERATORS.impl("soft_colors_backward", _backward, "CUDA")
