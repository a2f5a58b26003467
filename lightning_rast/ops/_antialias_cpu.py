"""CPU side of `antialias`: calls of the compiled library."""

import ctypes
import functools
from collections.abc import Callable

import torch
from torch import Tensor

from lightning_rast.ops._antialias_inputs import CULL
from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status

_NOT_FINITE, _NOT_IN_FRONT, _TAPE_LOST, _BAD_FACE = 1, 2, 5, 6
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


@functools.cache
def _forward_function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(
        core(),
        f"lrast_antialias_forward_{_SUFFIX[dtype]}",
        *(_P, _P, _P, _I64, _I64, _I32, _I32, _I32, _P, _I64, _P, _I64, _P, _I64, _P, _P, _P),
        *(_P, _I32, _I32, _I32, _I32, _P, _P, _P, _P),
    )


@functools.cache
def _backward_function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(
        core(),
        f"lrast_antialias_backward_{_SUFFIX[dtype]}",
        *(_P, _P, _P, _I64, _I64, _I32, _I32, _I32, _P, _P, _I64, _I32, _P, _P),
    )


@functools.cache
def _free_function() -> Callable[..., int]:
    return bind(core(), "lrast_antialias_free", _P)


def _raise_status(
    status: int, view: int, item: int, face_idx: Tensor, verts_clip: Tensor, num_faces: int
) -> None:
    if status in (_NOT_FINITE, _NOT_IN_FRONT):
        values = ", ".join(f"{value:g}" for value in verts_clip[view, item].tolist())
        place = f"antialias: verts_clip[{view}, {item}] = ({values})"
        if status == _NOT_FINITE:
            raise ValueError(f"{place} is not finite on the screen; has the fit diverged?")
        raise ValueError(
            f"{place}: in front of the near plane (z >= -w), w must be positive. verts_clip must "
            "come from an OpenGL projection, z included; Camera.world_to_clip makes one"
        )
    if status == _BAD_FACE:
        row, column = divmod(item, face_idx.shape[2])
        raise ValueError(
            f"antialias: face_idx[{view}, {row}, {column}] = {int(face_idx[view, row, column])}, "
            f"but the topology has {num_faces} faces"
        )
    raise_status("antialias", status)


def antialias_on_cpu(
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
    image, face_idx, verts_clip = image.contiguous(), face_idx.contiguous(), verts_clip.contiguous()
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    num_views, height, width, num_channels = image.shape
    out = torch.empty_like(image)
    memory, num_words = ctypes.c_void_p(), ctypes.c_int64()
    where = (ctypes.c_int64 * 2)()
    status = _forward_function(image.dtype)(
        image.data_ptr(),
        face_idx.data_ptr(),
        verts_clip.data_ptr(),
        num_views,
        verts_clip.shape[1],
        height,
        width,
        num_channels,
        faces.data_ptr(),
        faces.shape[0],
        edge_verts.data_ptr(),
        edge_verts.shape[0],
        edge_faces.data_ptr(),
        edge_faces.shape[0],
        irregular_offsets.data_ptr(),
        irregular_codes.data_ptr(),
        face_neighbors.data_ptr(),
        None if face_ranges is None else face_ranges.data_ptr(),
        CULL[cull],
        premultiplied,
        image_grad,
        torch.get_num_threads(),
        out.data_ptr(),
        ctypes.byref(memory) if record else None,
        ctypes.byref(num_words),
        where,
    )
    if status != 0:
        _raise_status(status, where[0], where[1], face_idx, verts_clip, faces.shape[0])
    if not record:
        return out, torch.zeros(1, dtype=torch.int64, device="cpu")
    try:
        tape = torch.empty(num_words.value, dtype=torch.int64, device="cpu")
        ctypes.memmove(tape.data_ptr(), memory, 8 * num_words.value)
    finally:
        _free_function()(memory)
    return out, tape[:1]


def antialias_backward_on_cpu(
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
    grad_out, image, verts_clip = grad_out.contiguous(), image.contiguous(), verts_clip.contiguous()
    grad_image = torch.empty_like(image) if image_grad else image.new_empty(0)
    grad_verts_clip = torch.zeros_like(verts_clip) if verts_grad else verts_clip.new_empty(0)
    num_views, height, width, num_channels = image.shape
    status = _TAPE_LOST
    for attempt in range(2):
        whole = tape.storage_offset() == 0
        status = _backward_function(image.dtype)(
            grad_out.data_ptr(),
            image.data_ptr(),
            verts_clip.data_ptr(),
            num_views,
            verts_clip.shape[1],
            height,
            width,
            num_channels,
            faces.data_ptr(),
            tape.data_ptr(),
            tape.untyped_storage().nbytes() // 8 if whole else 0,
            torch.get_num_threads(),
            grad_image.data_ptr() if image_grad else None,
            grad_verts_clip.data_ptr() if verts_grad else None,
        )
        if status != _TAPE_LOST or attempt > 0:
            break
        _, tape = antialias_on_cpu(
            image,
            face_idx,
            verts_clip,
            *(faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, face_neighbors),
            *(face_ranges, cull, premultiplied),
            *(image_grad, True),
        )
    if status != 0:
        raise_status("antialias", status)
    return grad_image, grad_verts_clip
