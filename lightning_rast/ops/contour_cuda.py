"""CUDA side of `contour_coverage`: memory, capacity and registration.

The kernels never make the host wait. What only the device knows, how many pieces a picture needs,
arrives in page-locked memory and is looked at in later calls.
"""

import atexit
import ctypes
import functools
import math
import threading
import warnings
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call
from lightning_rast.ops._registry import OPERATORS

_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_TOPOLOGY_TYPES = (_P, _I64, _P, _I64, _P, _I64, _P, _P)
_FORWARD_TYPES = (_P, _I64, _I64, *_TOPOLOGY_TYPES, _P, _I32, _I32, _I64, _P, _P, _P, _I32, _P)
_BACKWARD_TYPES = (_P, _I64, _I64, _P, _I32, _I32, _I64, _P, _P, _P, _I32, _P)
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_MAX_CAPACITY = 2**28
# No padding is left in a tape of such capacities, so that its size tells which one it has.
_CAPACITY_STEP = 64
_MAX_PIXELS = 2**31


class ContourCapacityWarning(UserWarning):
    """A picture needed more pieces of outline than there was room for, and came out wrong."""


class _Capacities:
    """Room for pieces by size of the problem, and what calls of that size have needed."""

    def __init__(self, num_slots: int, pinned: bool) -> None:
        self.pieces_per_view = 0
        self._needed = torch.zeros(num_slots, dtype=torch.int64, pin_memory=pinned, device="cpu")
        self._needed_values = self._needed.numpy()
        self._capacity = torch.zeros(num_slots, dtype=torch.int64, device="cpu").numpy()
        self._slots: dict[tuple[Hashable, ...], int] = {}
        self._lock = threading.Lock()

    def get(self, size: tuple[Hashable, ...], num_views: int, default: int) -> tuple[int, int]:
        """Capacity for this call, and the address where the device shall write what it needed.

        `size` begins with the operator's name.
        """
        with self._lock:
            self._grow()
            slot = self._slots.get(size)
            if slot is None:
                is_full = len(self._slots) == len(self._capacity)
                slot = self._slots.pop(next(iter(self._slots))) if is_full else len(self._slots)
                self._slots[size] = slot
                self._needed_values[slot] = 0
                self._capacity[slot] = default
            capacity = max(int(self._capacity[slot]), num_views * self.pieces_per_view, 1)
            capacity = min(-(-capacity // _CAPACITY_STEP) * _CAPACITY_STEP, _MAX_CAPACITY)
            self._capacity[slot] = capacity
            return capacity, self._needed.data_ptr() + 8 * slot

    def _op_of(self, slot: int) -> Hashable:
        return next((size[0] for size, number in self._slots.items() if number == slot), "")

    def overflowed(self) -> bool:
        """Whether a finished call had too little room; warns and makes room for the next one."""
        with self._lock:
            return self._grow()

    def _grow(self) -> bool:
        too_small = self._needed_values > self._capacity
        if not too_small.any():
            return False
        for slot in too_small.nonzero()[0].tolist():
            needed, capacity = int(self._needed_values[slot]), int(self._capacity[slot])
            self._needed_values[slot] = 0
            self._capacity[slot] = min(needed + needed // 4, _MAX_CAPACITY)
            warnings.warn(
                f"{self._op_of(slot)}: a picture had room for {capacity} pieces of outline on CUDA "
                f"and needed {needed}, so that edges are missing from it and from its gradient. "
                f"Later calls have room for {self._capacity[slot]}; a captured CUDA graph keeps "
                "what it had, capture it again. reserve_contour_pieces() makes room beforehand",
                ContourCapacityWarning,
                stacklevel=2,
            )
        return True


_NUM_SLOTS = 1024


@functools.cache
def _capacities() -> _Capacities:
    capacities = _Capacities(_NUM_SLOTS, pinned=torch.cuda.is_available())
    atexit.register(capacities.overflowed)
    return capacities


def reserve_contour_pieces(pieces_per_view: int) -> None:
    """Make room for at least so many pieces of outline per view in later calls on CUDA.

    Of `contour_coverage` and `antialias`. A piece is the part of a contour edge inside one pixel.
    The room is guessed from the sizes of mesh and image, and grows with a warning after a picture
    for which it was too small; reserve it where that picture must be right, and before capturing a
    CUDA graph. A piece takes about 300 bytes while a call runs, and until its gradient has been
    taken 60, or 200 in `antialias`.
    """
    if pieces_per_view < 0:
        raise ValueError(f"pieces_per_view must not be negative, got {pieces_per_view}")
    _capacities().pieces_per_view = pieces_per_view


def contour_overflowed() -> bool:
    """Wait for all CUDA devices; tell whether a picture since the last look had too little room.

    Such a picture lacks edges; a `ContourCapacityWarning` says how many pieces it needed. Without
    a call of this, the next `contour_coverage` or `antialias` or the end of the program warns.
    """
    _synchronize()
    return _capacities().overflowed()


def _synchronize() -> None:
    for device in range(torch.cuda.device_count()):
        torch.cuda.synchronize(device)


def _default_capacity(num_views: int, num_edges: int, height: int, width: int) -> int:
    """Generous for smooth meshes and scans; noise and loose triangles may need more."""
    contour_edges = min(num_edges, 16 * math.isqrt(num_edges) + num_edges // 32 + 2048)
    return num_views * (2 * contour_edges + 32 * (height + width))


def capacity_for(
    op: str, device: torch.device, sizes: tuple[int, int, int, int, int, int]
) -> tuple[int, int]:
    """Room for pieces in a call of `op`, and where the device shall write what it needed.

    `sizes` are N, V, F, E, H, W.
    """
    num_views, _, _, num_edges, height, width = sizes
    default = _default_capacity(num_views, num_edges, height, width)
    return _capacities().get((op, device, *sizes), num_views, default)


def check_num_pixels(op: str, num_views: int, height: int, width: int) -> None:
    if num_views * height * width >= _MAX_PIXELS:
        raise ValueError(
            f"{op}: {num_views} views of {height} x {width} are {_MAX_PIXELS} pixels "
            "or more, too many for one call on CUDA; split the views"
        )


def _num_bytes(name: str, *sizes: int) -> int:
    types = [_I64] * len(sizes)
    return _cuda_call.function(f"lrast_contour_cuda_{name}_bytes", *types, restype=_I64)(*sizes)


def device_bytes(num_bytes: int, like: Tensor) -> Tensor:
    """Memory, in words, on the device of `like`."""
    return torch.empty(max(1, -(-num_bytes // 8)), dtype=torch.int64, device=like.device)


def _launch(name: str, verts_clip: Tensor, argtypes: tuple[type, ...], *arguments: object) -> None:
    name = f"lrast_contour_cuda_{name}_{_SUFFIX[verts_clip.dtype]}"
    _cuda_call.launch("contour_coverage", name, argtypes, verts_clip.device, *arguments)


def _forward(
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    height: int,
    width: int,
    record: bool,
) -> tuple[Tensor, Tensor]:
    verts_clip = verts_clip.contiguous()
    num_views, num_verts = verts_clip.shape[:2]
    num_faces, num_edges = faces.shape[0], edge_verts.shape[0]
    check_num_pixels("contour_coverage", num_views, height, width)
    sizes = (num_views, num_verts, num_faces, num_edges, height, width)
    capacity, needed = capacity_for("contour_coverage", verts_clip.device, sizes)
    coverage = verts_clip.new_empty(num_views, height, width)
    scratch = device_bytes(
        _cuda_call.function(
            "lrast_contour_cuda_scratch_bytes", *(_I64,) * 4, _I32, _I32, _I64, restype=_I64
        )(*sizes, capacity),
        verts_clip,
    )
    tape = device_bytes(_num_bytes("tape", capacity, verts_clip.element_size()), verts_clip)
    _launch(
        "forward",
        verts_clip,
        _FORWARD_TYPES,
        verts_clip.data_ptr(),
        num_views,
        num_verts,
        faces.data_ptr(),
        num_faces,
        edge_verts.data_ptr(),
        num_edges,
        edge_faces.data_ptr(),
        edge_faces.shape[0],
        irregular_offsets.data_ptr(),
        irregular_codes.data_ptr(),
        coverage.data_ptr(),
        height,
        width,
        capacity,
        scratch.data_ptr(),
        tape.data_ptr(),
        needed,
    )
    return coverage, tape[:1] if record else tape.new_empty(1)


def tape_capacity(tape: Tensor, tape_bytes: Callable[[int], int]) -> int:
    """The capacity that a tape was made for; 0 if this is no more than a copy of its beginning.

    The device alone could read it from the tape's contents; its size, `tape_bytes` of a capacity,
    says the same. The kernels look for a mark, and return NaN where a foreign tensor happens to
    have such a size.
    """
    empty = tape_bytes(0)
    per_step = tape_bytes(_CAPACITY_STEP) - empty
    num_steps, rest = divmod(tape.untyped_storage().nbytes() - empty, per_step)
    return 0 if num_steps < 1 or rest or tape.storage_offset() else num_steps * _CAPACITY_STEP


def _contour_tape_bytes(capacity: int, element_size: int) -> int:
    return _num_bytes("tape", capacity, element_size)


def _backward(
    grad_coverage: Tensor,
    tape: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
) -> Tensor:
    num_views, num_verts = verts_clip.shape[:2]
    height, width = grad_coverage.shape[1:]
    verts_clip, grad_coverage = verts_clip.contiguous(), grad_coverage.contiguous()
    tape_bytes = functools.partial(_contour_tape_bytes, element_size=verts_clip.element_size())
    capacity = tape_capacity(tape, tape_bytes)
    if capacity == 0:
        topology = (faces, edge_verts, edge_faces, irregular_offsets, irregular_codes)
        _, tape = _forward(verts_clip, *topology, height, width, True)
        capacity = tape_capacity(tape, tape_bytes)
    grad_verts_clip = torch.empty_like(verts_clip)
    sizes = (num_views, num_verts, capacity, verts_clip.element_size())
    scratch = device_bytes(_num_bytes("backward_scratch", *sizes), verts_clip)
    _launch(
        "backward",
        verts_clip,
        _BACKWARD_TYPES,
        verts_clip.data_ptr(),
        num_views,
        num_verts,
        grad_coverage.data_ptr(),
        height,
        width,
        capacity,
        tape.data_ptr(),
        scratch.data_ptr(),
        grad_verts_clip.data_ptr(),
    )
    return grad_verts_clip


OPERATORS.impl("contour_coverage", _forward, "CUDA")
OPERATORS.impl("contour_coverage_backward", _backward, "CUDA")
