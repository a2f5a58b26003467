"""Exact silhouette coverage from contour edges."""

import ctypes
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import (
    OPERATORS,
    check_image_size,
    raise_status,
    runs_eagerly_on_cpu,
)

if TYPE_CHECKING:
    from lightning_rast.scene import Topology


def contour_coverage(
    verts_clip: Float[Tensor, "N V 4"],
    topology: "Topology",
    image_size: tuple[int, int],
) -> Float[Tensor, "N H W"]:
    """Fraction of each pixel's square that the mesh's silhouette covers.

    The union of all projected faces is filtered with a box of one pixel, exactly: no samples, no
    blur, no limit on faces per pixel. Only contour edges matter for that union, so the cost grows
    with the outline and not with the faces. `docs/coverage.md` derives it.

    Args:
        verts_clip: OpenGL clip space, float32 or float64: `ndc = xyz / w`, y up, visible where
            `z >= -w`. Faces that cross this near plane are cut there; there is no far plane.
        topology: `Topology.from_faces(faces, V)`, on the same device. Any mesh will do: closed or
            open, non-manifold, wound inconsistently, inside out. Vertices at equal positions must
            be merged first (`Mesh.weld`), or each seam costs time as an outline would.
        image_size: (H, W) in pixels. Row 0 is at the top, pixel centres are at +0.5.

    Returns:
        Coverage in [0, 1], of the dtype of `verts_clip`. The same bits on every run, for any
        number of threads and any instruction set.

    Differentiable once in `verts_clip` (x, y, w everywhere; z where the near plane cuts a face):
    the exact derivative, an integral of the incoming gradient along the visible outline. It does
    not exist where two outlines touch or an axis-parallel outline lies on a border between pixels:
    there, one side's derivative is returned; a face seen exactly edge-on gets none. Faces behind
    others and the inside of the silhouette have zero gradient.

    Raises:
        ValueError: a shape does not fit, or (CPU) a vertex is not finite. On CUDA, where looking
            would stall the device, faces with such a vertex are left out.
    """
    _check(verts_clip, topology, image_size)
    tensors = _topology_tensors(topology)
    record = torch.is_grad_enabled() and verts_clip.requires_grad
    if runs_eagerly_on_cpu(verts_clip):
        if record:
            return _EagerCoverage.apply(verts_clip, tensors, image_size)
        return _forward(verts_clip, *tensors, *image_size, record=False)[0]
    coverage, _ = torch.ops.lightning_rast.contour_coverage(
        verts_clip, *tensors, image_size[0], image_size[1], record
    )
    return coverage


def profile_contour_coverage(
    verts_clip: Float[Tensor, "N V 4"], topology: "Topology", image_size: tuple[int, int]
) -> dict[str, float]:
    """Milliseconds per stage of one forward pass over all views, on one CPU thread."""
    _check(verts_clip, topology, image_size)
    stage_ms = (ctypes.c_double * len(_STAGES))()
    height, width = image_size
    tensors = _topology_tensors(topology)
    _forward(verts_clip.detach(), *tensors, height, width, record=True, stage_ms=stage_ms)
    return dict(zip(_STAGES, stage_ms, strict=True))


def record_contour(
    verts_clip: Float[Tensor, "N V 4"], topology: "Topology", image_size: tuple[int, int]
) -> Int64[Tensor, " words"]:
    """The whole record of a forward pass on the CPU, `csrc/kernels/contour.h` says of what."""
    _check(verts_clip, topology, image_size)
    tape = _forward(verts_clip, *_topology_tensors(topology), *image_size, record=True)[1]
    return tape[: int(tape[0])]


_STAGES = ("project", "sign", "weight", "bin", "sweep", "record")


_FiveTensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def _topology_tensors(topology: "Topology") -> _FiveTensors:
    return (
        topology.faces,
        topology.edge_verts,
        topology.edge_faces,
        topology.irregular_offsets,
        topology.irregular_codes,
    )


def _check(verts_clip: Tensor, topology: "Topology", image_size: tuple[int, int]) -> None:
    if not hasattr(topology, "edge_faces"):
        raise TypeError(
            "contour_coverage: topology must be a lightning_rast.scene.Topology, got "
            f"{type(topology).__name__}; make one with Topology.from_faces(faces, num_verts)"
        )
    shape, dtype = verts_clip.shape, verts_clip.dtype
    if len(shape) != 3 or shape[2] != 4:
        raise ValueError(f"contour_coverage: verts_clip must be (N, V, 4), got {tuple(shape)}")
    if dtype not in _SUFFIX:
        raise ValueError(f"contour_coverage: verts_clip must be float32 or float64, got {dtype}")
    if shape[1] != topology.num_verts:
        raise ValueError(
            f"contour_coverage: verts_clip has {shape[1]} vertices, "
            f"the topology was built for {topology.num_verts}"
        )
    if topology.faces.device != verts_clip.device:
        raise ValueError(
            f"contour_coverage: verts_clip is on {verts_clip.device}, the topology on "
            f"{topology.faces.device}; use topology.to(verts_clip.device)"
        )
    check_image_size("contour_coverage", image_size)


# The tape's size depends on the picture, which a traced graph cannot know. So the operator returns
# its first element only, a tensor of fixed shape over a larger storage. If a copy has lost the rest
# (offloading hooks copy what they save), the backward pass makes it again.
OPERATORS.define(
    "contour_coverage(Tensor verts_clip, Tensor faces, Tensor edge_verts, Tensor edge_faces, "
    "Tensor irregular_offsets, Tensor irregular_codes, int height, int width, bool record) "
    "-> (Tensor coverage, Tensor tape)"
)
OPERATORS.define(
    "contour_coverage_backward(Tensor grad_coverage, Tensor tape, Tensor verts_clip, "
    "Tensor faces, Tensor edge_verts, Tensor edge_faces, Tensor irregular_offsets, "
    "Tensor irregular_codes) -> Tensor grad_verts_clip"
)

_NOT_FINITE, _NOT_IN_FRONT, _TAPE_LOST = 1, 2, 5
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_Found = _I64 * 3


@functools.cache
def _forward_function(dtype: torch.dtype) -> Callable[..., int]:
    sizes_and_arrays = (_P, _I64, _I64, _P, _I64, _P, _I64, _P, _I64, _P, _P, _P)
    return bind(
        core(),
        f"lrast_contour_forward_{_SUFFIX[dtype]}",
        *(*sizes_and_arrays, _I32, _I32, _I32, _P, _I64, _P, _P, _P),
    )


@functools.cache
def _backward_function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(
        core(),
        f"lrast_contour_backward_{_SUFFIX[dtype]}",
        *(_P, _I64, _I64, _P, _I32, _I32, _P, _I64, _I32, _P),
    )


@functools.cache
def _take_tape_function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(core(), f"lrast_contour_take_tape_{_SUFFIX[dtype]}", _P, _I64, _P)


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
    stage_ms: ctypes.Array[ctypes.c_double] | None = None,
) -> tuple[Tensor, Tensor]:
    """Coverage and the tape, of one dimension and with room to spare; one word if not `record`."""
    verts_clip = verts_clip.contiguous()
    num_views, num_verts, _ = verts_clip.shape
    num_edges = edge_verts.shape[0]
    coverage = verts_clip.new_empty(num_views, height, width)
    sizes = (num_views, num_edges, height, width)
    room = 0
    if record:
        expected = _tape_words.get(sizes, 0)
        room = expected + expected // 8
    tape = torch.empty(room, dtype=torch.int64) if room else None
    found = _Found()  # words of the tape, then view and vertex at fault
    status = _forward_function(verts_clip.dtype)(
        verts_clip.data_ptr(),
        num_views,
        num_verts,
        faces.data_ptr(),
        faces.shape[0],
        edge_verts.data_ptr(),
        num_edges,
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
        found if record else None,
        ctypes.addressof(found) + 8,
        stage_ms,
    )
    if status != 0:
        _raise_status(status, (found[1], found[2]), verts_clip)
    if not record:
        return coverage, torch.zeros(1, dtype=torch.int64)
    num_words = found[0]
    if len(_tape_words) >= _MOST_SIZES:
        _tape_words.clear()
    _tape_words[sizes] = num_words
    if tape is None or num_words > room:
        tape = torch.empty(num_words, dtype=torch.int64)
        status = _take_tape_function(verts_clip.dtype)(tape.data_ptr(), num_words, stage_ms)
        if status != 0:
            raise_status("contour_coverage", status)
    return coverage, tape


def _forward_operator(*arguments) -> tuple[Tensor, Tensor]:
    coverage, tape = _forward(*arguments)
    return coverage, tape[:1]


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
    grad_verts_clip = torch.empty_like(verts_clip)
    status = _TAPE_LOST
    for attempt in range(2):
        whole = tape.storage_offset() == 0
        status = _backward_function(verts_clip.dtype)(
            verts_clip.data_ptr(),
            num_views,
            num_verts,
            grad_coverage.data_ptr(),
            height,
            width,
            tape.data_ptr(),
            tape.untyped_storage().nbytes() // 8 if whole else 0,
            torch.get_num_threads(),
            grad_verts_clip.data_ptr(),
        )
        if status != _TAPE_LOST or attempt > 0:
            break
        topology = (faces, edge_verts, edge_faces, irregular_offsets, irregular_codes)
        _, tape = _forward(verts_clip, *topology, height, width, True)
    if status != 0:
        raise_status("contour_coverage", status)
    return grad_verts_clip


OPERATORS.impl("contour_coverage", _forward_operator, "CPU")
OPERATORS.impl("contour_coverage_backward", _backward, "CPU")


@torch.library.register_fake("lightning_rast::contour_coverage")
def _(
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
    return (
        verts_clip.new_empty(verts_clip.shape[0], height, width),
        verts_clip.new_empty(1, dtype=torch.int64),
    )


@torch.library.register_fake("lightning_rast::contour_coverage_backward")
def _(grad_coverage: Tensor, tape: Tensor, verts_clip: Tensor, *topology: Tensor) -> Tensor:
    return torch.empty_like(verts_clip, memory_format=torch.contiguous_format)


def _setup_context(ctx, inputs, output) -> None:
    ctx.save_for_backward(output[1], *inputs[:6])
    ctx.mark_non_differentiable(output[1])


def _autograd_backward(ctx, grad_coverage: Tensor, _grad_tape: Tensor | None):
    tape, *inputs = ctx.saved_tensors
    grad = torch.ops.lightning_rast.contour_coverage_backward(grad_coverage, tape, *inputs)
    return grad, None, None, None, None, None, None, None, None


torch.library.register_autograd(
    "lightning_rast::contour_coverage", _autograd_backward, setup_context=_setup_context
)


class _EagerCoverage(torch.autograd.Function):
    """The registered operator and its derivative, called without torch's dispatcher.

    On the way through it a call touches so much of torch and Python, evicted from the cache by
    the picture, that a view of an ordinary picture takes a tenth longer.
    """

    @staticmethod
    def forward(ctx, verts_clip: Tensor, topology: _FiveTensors, size: tuple[int, int]) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        coverage, tape = _forward(verts_clip, *topology, *size, record=True)
        ctx.save_for_backward(tape, verts_clip)
        ctx.topology = topology
        return coverage

    @staticmethod
    def backward(ctx, grad_coverage: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        operands = (grad_coverage, *ctx.saved_tensors, *ctx.topology)
        if runs_eagerly_on_cpu(grad_coverage) and not torch.is_grad_enabled():
            return _backward(*operands), None, None
        # With create_graph=True, the operator: its own derivative says that there is none.
        return torch.ops.lightning_rast.contour_coverage_backward(*operands), None, None


def _no_second_derivative(ctx, *grads):
    raise RuntimeError(
        "contour_coverage: its gradient cannot be differentiated again; call backward() or "
        "torch.autograd.grad() without create_graph=True"
    )


torch.library.register_autograd("lightning_rast::contour_coverage_backward", _no_second_derivative)
