"""Calls of the CPU kernels of contour coverage, and what they say when they fail."""

import ctypes
import functools
from collections.abc import Callable

import torch
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status

FiveTensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]

_NOT_FINITE, _NOT_IN_FRONT, _TAPE_LOST = 1, 2, 5
FLOATS = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_Found = _I64 * 3


@functools.cache
def _forward_function(dtype: torch.dtype) -> Callable[..., int]:
    sizes_and_arrays = (_P, _I64, _I64, _P, _I64, _P, _I64, _P, _I64, _P, _P, _P)
    return bind(
        core(),
        f"lrast_contour_forward_{FLOATS[dtype]}",
        *(*sizes_and_arrays, _I32, _I32, _I32, _P, _I64, _P, _P, _P),
    )


@functools.cache
def _backward_function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(
        core(),
        f"lrast_contour_backward_{FLOATS[dtype]}",
        *(_P, _I64, _I64, _P, _I32, _I32, _P, _I64, _I32, _P),
    )


@functools.cache
def _take_tape_function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(core(), f"lrast_contour_take_tape_{FLOATS[dtype]}", _P, _I64, _P)


def _raise_status(status: int, where: tuple[int, int], verts_clip: Tensor) -> None:
    view, vert = where
    if status in (_NOT_FINITE, _NOT_IN_FRONT):
        values = ", ".join(f"{value:g}" for value in verts_clip[view, vert].tolist())
        place = f"contour_coverage: verts_clip[{view}, {vert}] = ({values})"
        if status == _NOT_FINITE:
            raise ValueError(f"{place} is not finite on the screen; has the fit diverged?")
        raise ValueError(
            f"{place}: in front of the near plane (z >= -w), w must be positive. verts_clip must "
            "come from an OpenGL projection, z included; Camera.world_to_clip makes one"
        )
    raise_status("contour_coverage", status)


# Words of the last tapes, by what their sizes depend on most. A call makes so much room and an
# eighth more; if that is too little, it makes a second call to get its tape.
_tape_words: dict[tuple[int, ...], int] = {}
_MOST_SIZES = 256


class ContourCall:
    """What calls for one topology, shape and size of picture have in common."""

    __slots__ = (
        "backward_function",
        "dtype",
        "forward_function",
        "picture",
        "sizes",
        "tensors",
        "verts",
    )

    def __init__(
        self,
        tensors: FiveTensors,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        size: tuple[int, int],
    ) -> None:
        self.tensors = tensors
        self.dtype = dtype
        self.verts = (shape[0], shape[1])
        self.picture = (shape[0], *size)
        self.sizes = (shape[0], tensors[1].shape[0], *size)
        self.forward_function = _forward_function(dtype)
        self.backward_function = _backward_function(dtype)

    def forward(
        self,
        verts_clip: Tensor,
        record: bool,
        stage_ms: ctypes.Array[ctypes.c_double] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Coverage and the tape, of one dimension and with room to spare; one word if not
        `record`."""
        verts_clip = verts_clip.contiguous()
        faces, edge_verts, edge_faces, irregular_offsets, irregular_codes = self.tensors
        _, height, width = self.picture
        coverage = verts_clip.new_empty(self.picture)
        room = 0
        if record:
            expected = _tape_words.get(self.sizes, 0)
            room = expected + expected // 8
        tape = torch.empty(room, dtype=torch.int64, device="cpu") if room else None
        found = _Found()  # words of the tape, then view and vertex at fault
        address = ctypes.addressof(found)
        status = self.forward_function(
            verts_clip.data_ptr(),
            *self.verts,
            faces.data_ptr(),
            faces.shape[0],
            edge_verts.data_ptr(),
            self.sizes[1],
            edge_faces.data_ptr(),
            edge_faces.shape[0],
            irregular_offsets.data_ptr(),
            irregular_codes.data_ptr(),
            coverage.data_ptr(),
            height,
            width,
            torch.get_num_threads(),
            None if tape is None else tape.data_ptr(),
            room,
            address if record else None,
            address + 8,
            stage_ms,
        )
        if status != 0:
            _raise_status(status, (found[1], found[2]), verts_clip)
        if not record:
            return coverage, torch.zeros(1, dtype=torch.int64, device="cpu")
        num_words = found[0]
        if len(_tape_words) >= _MOST_SIZES:
            _tape_words.clear()
        _tape_words[self.sizes] = num_words
        if tape is None or num_words > room:
            tape = torch.empty(num_words, dtype=torch.int64, device="cpu")
            status = _take_tape_function(verts_clip.dtype)(tape.data_ptr(), num_words, stage_ms)
            if status != 0:
                raise_status("contour_coverage", status)
        return coverage, tape

    def backward(self, grad_coverage: Tensor, tape: Tensor, words: int, verts: Tensor) -> Tensor:
        """Gradient to the clip space vertices; `words` of the memory behind `tape` can be read."""
        dtypes = (verts.dtype, grad_coverage.dtype, tape.dtype)
        shapes = (verts.shape, grad_coverage.shape)
        if dtypes != (self.dtype, self.dtype, torch.int64) or shapes != (
            (*self.verts, 4),
            self.picture,
        ):
            raise RuntimeError(
                f"contour_coverage: the backward pass was given vertices {tuple(verts.shape)} of "
                f"{verts.dtype} and a gradient {tuple(grad_coverage.shape)} of "
                f"{grad_coverage.dtype}, the forward pass had {(*self.verts, 4)} and "
                f"{self.picture} of {self.dtype}; "
                "torch.autograd.graph.saved_tensors_hooks must give back what they were given"
            )
        verts, grad_coverage = verts.contiguous(), grad_coverage.contiguous()
        grad_verts = torch.empty_like(verts)
        status = _TAPE_LOST
        for attempt in range(2):
            status = self.backward_function(
                verts.data_ptr(),
                *self.verts,
                grad_coverage.data_ptr(),
                self.picture[1],
                self.picture[2],
                tape.data_ptr(),
                words,
                torch.get_num_threads(),
                grad_verts.data_ptr(),
            )
            if status != _TAPE_LOST or attempt > 0:
                break
            _, tape = self.forward(verts, record=True)
            words = tape.shape[0]
        if status != 0:
            raise_status("contour_coverage", status)
        return grad_verts
