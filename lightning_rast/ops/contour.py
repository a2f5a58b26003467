"""Exact silhouette coverage from contour edges."""

import ctypes
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lightning_rast.ops._contour_cpu import ContourCall, FiveTensors
from lightning_rast.ops._registry import (
    OPERATORS,
    check_floats,
    check_gradients,
    check_image_size,
    check_tensors,
    runs_eagerly_on_cpu,
)
from lightning_rast.ops.advice import warn_about_seams_on_screen

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
    if runs_eagerly_on_cpu(verts_clip):
        call = _known_call(verts_clip, topology, image_size)
        if torch.is_grad_enabled() and verts_clip.requires_grad:
            warn_about_seams_on_screen(verts_clip, topology)
            return _apply_eagerly(verts_clip, call)
        return call.forward(verts_clip, record=False)[0]
    _check(verts_clip, topology, image_size)
    record = torch.is_grad_enabled() and verts_clip.requires_grad
    coverage, _ = torch.ops.lightning_rast.contour_coverage(
        verts_clip, *_topology_tensors(topology), image_size[0], image_size[1], record
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


def _topology_tensors(topology: "Topology") -> FiveTensors:
    return (
        topology.faces,
        topology.edge_verts,
        topology.edge_faces,
        topology.irregular_offsets,
        topology.irregular_codes,
    )


def _check(verts_clip: Tensor, topology: "Topology", image_size: tuple[int, int]) -> None:
    check_tensors("contour_coverage", verts_clip=verts_clip)
    if not hasattr(topology, "edge_faces"):
        raise TypeError(
            "contour_coverage: topology must be a lightning_rast.scene.Topology, got "
            f"{type(topology).__name__}; make one with Topology.from_faces(faces, num_verts)"
        )
    shape = verts_clip.shape
    if len(shape) != 3 or shape[2] != 4:
        raise ValueError(f"contour_coverage: verts_clip must be (N, V, 4), got {tuple(shape)}")
    check_floats("contour_coverage", "verts_clip", verts_clip)
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


# Of each topology: looking one up takes less than checking the same arguments again.
_known_calls: WeakKeyDictionary["Topology", dict[tuple[object, ...], ContourCall]]
_known_calls = WeakKeyDictionary()
_MOST_CALLS = 256


def _known_call(
    verts_clip: Tensor, topology: "Topology", image_size: tuple[int, int]
) -> ContourCall:
    """The call for arguments on the CPU, which are checked unless their like were before."""
    shape, dtype = verts_clip.shape, verts_clip.dtype
    try:
        height, width = image_size
        is_plain = type(height) is int and type(width) is int  # 8.0 and True are equal to some
        call = _known_calls[topology].get((shape, dtype, height, width)) if is_plain else None
    except (KeyError, TypeError, ValueError):  # a new topology, or none; a size that is no pair
        call = None
    if call is None:
        _check(verts_clip, topology, image_size)
        height, width = image_size
        call = ContourCall(_topology_tensors(topology), shape, dtype, (height, width))
        try:
            calls = _known_calls.setdefault(topology, {})
        except TypeError:  # somebody's own class, of which there are no weak references
            return call
        if len(calls) >= _MOST_CALLS:
            calls.clear()
        calls[shape, dtype, height, width] = call
    return call


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
    tensors = (faces, edge_verts, edge_faces, irregular_offsets, irregular_codes)
    call = ContourCall(tensors, verts_clip.shape, verts_clip.dtype, (height, width))
    return call.forward(verts_clip, record, stage_ms)


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
    tensors = (faces, edge_verts, edge_faces, irregular_offsets, irregular_codes)
    height, width = grad_coverage.shape[1:]
    call = ContourCall(tensors, verts_clip.shape, verts_clip.dtype, (height, width))
    whole = tape.storage_offset() == 0
    words = tape.untyped_storage().nbytes() // 8 if whole else 0
    return call.backward(grad_coverage, tape, words, verts_clip)


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
    check_gradients("contour_coverage", grad_coverage)
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
    def forward(ctx, verts_clip: Tensor, call: ContourCall) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        coverage, tape = call.forward(verts_clip, record=True)
        ctx.save_for_backward(tape, verts_clip)
        ctx.call = call
        return coverage

    @staticmethod
    def backward(ctx, grad_coverage: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        tape, verts_clip = ctx.saved_tensors
        if not torch.is_grad_enabled() and runs_eagerly_on_cpu(grad_coverage):
            # Hooks may have saved a copy; a tape tells by itself whether it is whole.
            words = tape.shape[0] if tape.is_contiguous() else 0
            return ctx.call.backward(grad_coverage, tape, words, verts_clip), None
        check_gradients("contour_coverage", grad_coverage)
        # With create_graph=True, the operator: its own derivative says that there is none.
        operands = (grad_coverage, tape, verts_clip, *ctx.call.tensors)
        return torch.ops.lightning_rast.contour_coverage_backward(*operands), None


# What Function.apply() looks for before it does the same, `runs_eagerly_on_cpu` has seen.
_apply_eagerly = super(torch.autograd.Function, _EagerCoverage).apply  # pyright: ignore[reportAttributeAccessIssue]


def _no_second_derivative(ctx, *grads):
    raise RuntimeError(
        "contour_coverage: its gradient cannot be differentiated again; call backward() or "
        "torch.autograd.grad() without create_graph=True"
    )


torch.library.register_autograd("lightning_rast::contour_coverage_backward", _no_second_derivative)
