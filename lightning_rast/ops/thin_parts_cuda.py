"""CUDA side of `fill_thin_parts`: memory, streams and registration."""

import ctypes

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call
from lightning_rast.ops._antialias_inputs import CULL
from lightning_rast.ops._registry import OPERATORS
from lightning_rast.ops.thin_parts import _empty_outputs

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_TYPES = (
    *(_P, _P, _P, _I64, _I64, _I32, _I32, _P, _I64, _P, _I64, _P, _I64, _P, _P),
    *(_P, _I32, _P, _P, _P, _I32, _P),
)


def _forward(
    face_idx: Tensor,
    coverage: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    face_ranges: Tensor | None,
    cull: str,
) -> tuple[Tensor, Tensor]:
    face_idx, coverage, verts_clip = (x.contiguous() for x in (face_idx, coverage, verts_clip))
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    bary, face = _empty_outputs(face_idx, coverage)
    nearest = face_idx.new_empty(face_idx.shape, dtype=torch.int64)
    _cuda_call.launch(
        "fill_thin_parts",
        f"lrast_thin_parts_cuda_{_SUFFIX[coverage.dtype]}",
        _TYPES,
        verts_clip.device,
        face_idx.data_ptr(),
        coverage.data_ptr(),
        verts_clip.data_ptr(),
        *verts_clip.shape[:2],
        *face_idx.shape[1:],
        faces.data_ptr(),
        faces.shape[0],
        edge_verts.data_ptr(),
        edge_verts.shape[0],
        edge_faces.data_ptr(),
        edge_faces.shape[0],
        irregular_offsets.data_ptr(),
        irregular_codes.data_ptr(),
        None if face_ranges is None else face_ranges.data_ptr(),
        CULL[cull],
        nearest.data_ptr(),
        face.data_ptr(),
        bary.data_ptr(),
    )
    return bary, face


OPERATORS.impl("thin_parts", _forward, "CUDA")
