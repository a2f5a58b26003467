"""CUDA side of `antialias`: memory, capacity and registration.

Outlines come from the stages of `contour_coverage`, with the room for pieces that is kept there.
"""

import ctypes
import functools

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call, contour_cuda
from lightning_rast.ops._antialias_inputs import CULL
from lightning_rast.ops._registry import OPERATORS

_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_PICTURE_TYPES = (_P, _P, _P, _I64, _I64, _I32, _I32, _I32)
_TOPOLOGY_TYPES = (_P, _I64, _P, _I64, _P, _I64, _P, _P, _P)
_DRAWING_TYPES = (_P, _I32, _I32)
_OUT_TYPES = (_I32, _P, _I64, _P, _P, _P, _I32, _P)
_FORWARD_TYPES = (*_PICTURE_TYPES, *_TOPOLOGY_TYPES, *_DRAWING_TYPES, *_OUT_TYPES)
_GRADIENT_TYPES = (_I64, _P, _P, _P, _P, _I32, _P)
_BACKWARD_TYPES = (_P, *_PICTURE_TYPES, _P, _I64, _P, *_DRAWING_TYPES, *_GRADIENT_TYPES)
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}


def _num_bytes(name: str, types: tuple[type, ...], *sizes: int) -> int:
    name = f"lrast_antialias_cuda_{name}_bytes"
    return _cuda_call.function(name, *types, restype=_I64)(*sizes)


def _tape_bytes(num_views: int, height: int, width: int, capacity: int) -> int:
    sizes = (num_views, height, width, capacity)
    return _num_bytes("tape", (_I64, _I32, _I32, _I64), *sizes)


def _picture(image: Tensor, face_idx: Tensor, verts_clip: Tensor) -> tuple[int, ...]:
    """Arguments that both passes have in common."""
    num_views, height, width, num_channels = image.shape
    pointers = (image.data_ptr(), face_idx.data_ptr(), verts_clip.data_ptr())
    return (*pointers, num_views, verts_clip.shape[1], height, width, num_channels)


def _launch(name: str, image: Tensor, argtypes: tuple[type, ...], *arguments: object) -> None:
    name = f"lrast_antialias_cuda_{name}_{_SUFFIX[image.dtype]}"
    _cuda_call.launch("antialias", name, argtypes, image.device, *arguments)


def _forward(
    image: Tensor,
    face_idx: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    face_neighbors: Tensor,
    face_ranges: Tensor | None,
    cull: str,
    premultiplied: bool,
    image_grad: bool,
    record: bool,
) -> tuple[Tensor, Tensor]:
    num_views, height, width = face_idx.shape
    contour_cuda.check_num_pixels("antialias", num_views, height, width)
    image, face_idx, verts_clip = image.contiguous(), face_idx.contiguous(), verts_clip.contiguous()
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    num_edges = edge_verts.shape[0]
    sizes = (num_views, verts_clip.shape[1], faces.shape[0], num_edges, height, width)
    capacity, needed = contour_cuda.capacity_for("antialias", image.device, sizes)
    scratch = contour_cuda.device_bytes(
        _num_bytes(
            "scratch",
            (*(_I64,) * 4, *(_I32,) * 3, _I64),
            *(*sizes, image_grad, capacity),
        ),
        image,
    )
    tape = contour_cuda.device_bytes(_tape_bytes(num_views, height, width, capacity), image)
    out = image.clone()
    _launch(
        "forward",
        image,
        _FORWARD_TYPES,
        *_picture(image, face_idx, verts_clip),
        faces.data_ptr(),
        faces.shape[0],
        edge_verts.data_ptr(),
        num_edges,
        edge_faces.data_ptr(),
        edge_faces.shape[0],
        irregular_offsets.data_ptr(),
        irregular_codes.data_ptr(),
        face_neighbors.data_ptr(),
        None if face_ranges is None else face_ranges.data_ptr(),
        CULL[cull],
        premultiplied,
        image_grad,
        out.data_ptr(),
        capacity,
        scratch.data_ptr(),
        tape.data_ptr(),
        needed,
    )
    return out, tape[:1] if record else tape.new_empty(1)


def _backward(
    grad_out: Tensor,
    tape: Tensor,
    image: Tensor,
    face_idx: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    face_neighbors: Tensor,
    face_ranges: Tensor | None,
    cull: str,
    premultiplied: bool,
    image_grad: bool,
    verts_grad: bool,
) -> tuple[Tensor, Tensor]:
    grad_out, image, face_idx = grad_out.contiguous(), image.contiguous(), face_idx.contiguous()
    verts_clip = verts_clip.contiguous()
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    num_views, height, width = face_idx.shape
    tape_bytes = functools.partial(_tape_bytes, num_views, height, width)
    capacity = contour_cuda.tape_capacity(tape, tape_bytes)
    if capacity == 0:
        _, tape = _forward(
            image,
            face_idx,
            verts_clip,
            *(faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, face_neighbors),
            *(face_ranges, cull, premultiplied),
            *(image_grad, True),
        )
        capacity = contour_cuda.tape_capacity(tape, tape_bytes)
    grad_image = torch.empty_like(image) if image_grad else image.new_empty(0)
    grad_verts_clip = torch.empty_like(verts_clip) if verts_grad else verts_clip.new_empty(0)
    sizes = (num_views, verts_clip.shape[1], height, width, image_grad, verts_grad, capacity)
    types = (_I64, _I64, _I32, _I32, _I32, _I32, _I64, _I64)
    num_bytes = _num_bytes("backward_scratch", types, *sizes, image.element_size())
    scratch = contour_cuda.device_bytes(num_bytes, image)
    _launch(
        "backward",
        image,
        _BACKWARD_TYPES,
        grad_out.data_ptr(),
        *_picture(image, face_idx, verts_clip),
        faces.data_ptr(),
        faces.shape[0],
        face_neighbors.data_ptr(),
        None if face_ranges is None else face_ranges.data_ptr(),
        CULL[cull],
        premultiplied,
        capacity,
        tape.data_ptr(),
        scratch.data_ptr(),
        grad_image.data_ptr() if image_grad else None,
        grad_verts_clip.data_ptr() if verts_grad else None,
    )
    return grad_image, grad_verts_clip


OPERATORS.impl("antialias", _forward, "CUDA")
OPERATORS.impl("antialias_backward", _backward, "CUDA")
