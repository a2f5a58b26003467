"""Hard visibility: the face at every pixel centre, with barycentric weights and depth."""

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import (
    OPERATORS,
    all_run_eagerly_on_cpu,
    check_faces,
    check_floats,
    check_gradients,
    check_image_size,
    check_memory,
    check_tensors,
    raise_status,
)
from lightning_rast.ops.advice import watch_fragments, watch_hard_image


class Fragments(NamedTuple):
    """What `rasterize` sees at each pixel centre; with layers, `N` is followed by `L`."""

    face_idx: Int32[Tensor, "N H W"] | Int32[Tensor, "N L H W"]
    """Number of the face, -1 on the background."""
    bary: Float[Tensor, "N H W 3"] | Float[Tensor, "N L H W 3"]
    """Weights of the face's corners at the point seen: >= 0, sum 1; 0 on the background."""
    depth: Float[Tensor, "N H W"] | Float[Tensor, "N L H W"]
    """Clip w at the point seen; 0 on the background."""


def rasterize(
    verts_clip: Float[Tensor, "N V 4"] | Float[Tensor, "V 4"],
    faces: Int32[Tensor, "F 3"],
    image_size: tuple[int, int],
    *,
    cull: Literal["none", "back", "front"] = "none",
    num_layers: int | None = None,
    face_ranges: Int64[Tensor, "N 2"] | None = None,
) -> Fragments:
    """The nearest face at each pixel centre, the weights of its corners there, and its depth.

    A face covers the pixels whose centres lie inside of it on the screen. That is decided exactly,
    from positions in double that are not snapped to any grid (Shewchuk, "Adaptive Precision
    Floating-Point Arithmetic and Fast Robust Geometric Predicates", 1997), and a centre on an edge
    belongs to the face on its right or below it (the top-left rule): where faces share an edge or a
    vertex, each pixel belongs to exactly one of them. Faces that cross the near plane are cut
    there.

    The nearest face has the largest `1/w` at the pixel centre, computed in double and compared in
    float; where all clip w of a view's faces are equal (an orthographic camera), the largest
    `-z/w`. At equal values the smaller face number wins.

    The weights solve `sum_j b_j (x_j - p_x w_j, y_j - p_y w_j) = 0`, `sum_j b_j = 1` at the pixel
    centre p in NDC (Olano and Greer, "Triangle Scan Conversion using 2D Homogeneous Coordinates",
    1997), so they are perspective-correct and also hold for faces that reach behind the camera. Any
    attribute of the corners is interpolated with them; `depth = sum_j b_j w_j`.

    Args:
        verts_clip: OpenGL clip space, float32 or float64: `ndc = xyz / w`, y up, visible where
            `z >= -w`; there is no far plane. (V, 4) are shared by all views, and `face_ranges` says
            how many those are.
        faces: corners of each face, on the same device.
        image_size: (H, W) in pixels. Row 0 is at the top, pixel centres are at +0.5.
        cull: leaves out faces seen from the back or the front. The front is where corners run
            counter-clockwise in NDC, with y up.
        num_layers: the L nearest faces of each pixel instead of one, sorted from near to far;
            outputs then have a dimension L after N, even for L = 1.
        face_ranges: view n draws only the faces `begin <= f < end` with
            `(begin, end) = face_ranges[n]`: meshes of different topology in one batch. `face_idx`
            counts all faces.

    Returns:
        `Fragments`, floats of the dtype of `verts_clip`. The same bits on every run, for any number
        of threads and any instruction set. An orthographic camera's `depth` is 1: interpolate z.

    `bary` and `depth` are differentiable once in `verts_clip` (x, y, w; z has no influence), each
    pixel for the face it shows. That face is constant: how the picture changes when an outline
    moves is not part of this gradient, see `antialias`.

    Raises:
        ValueError: a shape, dtype or device does not fit, or (CPU) a vertex is not finite or a face
            names one that is not there. On CUDA, where looking would stall the device, such faces
            are left out.
        MemoryError: so many layers of so many pixels do not fit into the machine's memory.
    """
    _check("rasterize", verts_clip, faces, face_ranges)
    check_image_size("rasterize", image_size)
    if cull not in _CULL:
        raise ValueError(f'rasterize: cull must be "none", "back" or "front", got {cull!r}')
    if num_layers is not None and not (type(num_layers) is int and num_layers >= 1):
        raise ValueError(f"rasterize: num_layers must be None or at least 1, got {num_layers!r}")
    num_views = len(verts_clip) if face_ranges is None else len(face_ranges)
    num_pixels = num_views * (num_layers or 1) * image_size[0] * image_size[1]
    check_memory(
        "rasterize",
        verts_clip.device,
        num_pixels * (4 + 4 * verts_clip.element_size()),
        "take fewer layers or views at once, or a smaller picture",
    )
    draw = torch.ops.lightning_rast.rasterize
    if all_run_eagerly_on_cpu(verts_clip, faces, face_ranges):
        draw = _EagerRasterize.apply if verts_clip.requires_grad else _forward
    bary, depth, face_idx = draw(
        verts_clip, faces, face_ranges, image_size[0], image_size[1], cull, num_layers
    )
    fragments = Fragments(face_idx, bary, depth)
    watch_fragments(fragments)
    watch_hard_image(depth, fragments)
    return fragments


_CULL = {"none": 0, "back": 1, "front": 2}


def _check(op: str, verts_clip: Tensor, faces: Tensor, face_ranges: Tensor | None) -> None:
    check_tensors(op, verts_clip=verts_clip, faces=faces, face_ranges=face_ranges)
    if verts_clip.dim() not in (2, 3) or verts_clip.shape[-1] != 4:
        raise ValueError(
            f"{op}: verts_clip must be (N, V, 4) or (V, 4), got {tuple(verts_clip.shape)}"
        )
    check_floats(op, "verts_clip", verts_clip)
    check_faces(op, faces)
    if faces.shape[0] >= 2**31:
        raise ValueError(f"{op}: faces holds {faces.shape[0]} faces, at most 2**31 - 1 can be")
    if faces.device != verts_clip.device:
        raise ValueError(f"{op}: verts_clip is on {verts_clip.device}, faces on {faces.device}")
    if face_ranges is None:
        if verts_clip.dim() == 2:
            raise ValueError(
                f"{op}: verts_clip (V, 4) needs face_ranges to say which views there are; "
                "for one view, pass verts_clip[None]"
            )
        return
    if (
        face_ranges.dim() != 2
        or face_ranges.shape[1] != 2
        or face_ranges.dtype != torch.int64
        or (verts_clip.dim() == 3 and face_ranges.shape[0] != verts_clip.shape[0])
    ):
        num_views = verts_clip.shape[0] if verts_clip.dim() == 3 else "N"
        raise ValueError(
            f"{op}: face_ranges must be int64 ({num_views}, 2), "
            f"got {face_ranges.dtype} {tuple(face_ranges.shape)}"
        )
    if face_ranges.device != verts_clip.device:
        raise ValueError(
            f"{op}: verts_clip is on {verts_clip.device}, face_ranges on {face_ranges.device}"
        )


# The integers come last: torch.library.opcheck adds up the outputs in the type of the first.
OPERATORS.define(
    "rasterize(Tensor verts_clip, Tensor faces, Tensor? face_ranges, int height, int width, "
    "str cull, int? num_layers) -> (Tensor bary, Tensor depth, Tensor face_idx)"
)
OPERATORS.define(
    "rasterize_backward(Tensor? grad_bary, Tensor? grad_depth, Tensor face_idx, "
    "Tensor verts_clip, Tensor faces) -> Tensor grad_verts_clip"
)

_NOT_FINITE, _NOT_IN_FRONT, _BAD_FACE, _BAD_RANGE = 1, 2, 5, 6
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


@functools.cache
def _forward_function(dtype: torch.dtype) -> Callable[..., int]:
    sizes = (_I64, _I64, _I64, _I32, _I32, _I32, _I32, _I32, _I32)
    return bind(core(), f"lrast_rasterize_{_SUFFIX[dtype]}", _P, _P, _P, *sizes, _P, _P, _P, _P)


@functools.cache
def _backward_function(dtype: torch.dtype) -> Callable[..., int]:
    sizes = (_I64, _I64, _I32, _I32, _I32, _I32, _I32)
    name = f"lrast_rasterize_backward_{_SUFFIX[dtype]}"
    return bind(core(), name, _P, _P, _P, _P, _P, *sizes, _P)


def _raise_status(
    op: str,
    status: int,
    where: Sequence[int],
    verts_clip: Tensor,
    faces: Tensor,
    face_ranges: Tensor | None,
) -> None:
    view, item = where
    if status in (_NOT_FINITE, _NOT_IN_FRONT):
        shared = verts_clip.dim() == 2
        values = ", ".join(
            f"{value:g}"
            for value in verts_clip.view(-1, verts_clip.shape[-2], 4)[
                0 if shared else view, item
            ].tolist()
        )
        place = f"{op}: verts_clip[{item if shared else f'{view}, {item}'}] = ({values})"
        if status == _NOT_FINITE:
            raise ValueError(f"{place} is not finite on the screen; has the fit diverged?")
        raise ValueError(
            f"{place}: in front of the near plane (z >= -w), w must be positive. verts_clip must "
            "come from an OpenGL projection, z included; Camera.world_to_clip makes one"
        )
    if status == _BAD_FACE:
        raise ValueError(
            f"{op}: faces[{item}] = {tuple(faces[item].tolist())}, but verts_clip has "
            f"{verts_clip.shape[-2]} vertices"
        )
    if status == _BAD_RANGE and face_ranges is not None:
        raise ValueError(
            f"{op}: face_ranges[{view}] = {tuple(face_ranges[view].tolist())} is not a "
            f"(begin, end) within {faces.shape[0]} faces"
        )
    raise_status(op, status)


def _empty_fragments(
    verts_clip: Tensor,
    face_ranges: Tensor | None,
    height: int,
    width: int,
    num_layers: int | None,
) -> tuple[Tensor, Tensor, Tensor]:
    num_views = verts_clip.shape[0] if face_ranges is None else face_ranges.shape[0]
    layers = () if num_layers is None else (num_layers,)
    shape = (num_views, *layers, height, width)
    return (
        verts_clip.new_empty(*shape, 3),
        verts_clip.new_empty(shape),
        verts_clip.new_empty(shape, dtype=torch.int32),
    )


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
    where = (ctypes.c_int64 * 2)()
    status = _forward_function(verts_clip.dtype)(
        verts_clip.data_ptr(),
        faces.data_ptr(),
        None if face_ranges is None else face_ranges.data_ptr(),
        face_idx.shape[0],
        verts_clip.shape[-2],
        faces.shape[0],
        height,
        width,
        num_layers or 1,
        _CULL[cull],
        verts_clip.dim() == 2,
        torch.get_num_threads(),
        face_idx.data_ptr(),
        bary.data_ptr(),
        depth.data_ptr(),
        where,
    )
    if status != 0:
        _raise_status("rasterize", status, list(where), verts_clip, faces, face_ranges)
    return bary, depth, face_idx


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
    grad_verts_clip = torch.zeros_like(verts_clip)
    height, width = face_idx.shape[-2:]
    status = _backward_function(verts_clip.dtype)(
        verts_clip.data_ptr(),
        faces.data_ptr(),
        face_idx.data_ptr(),
        None if grad_bary is None else grad_bary.data_ptr(),
        None if grad_depth is None else grad_depth.data_ptr(),
        face_idx.shape[0],
        verts_clip.shape[-2],
        height,
        width,
        face_idx.shape[1] if face_idx.dim() == 4 else 1,
        verts_clip.dim() == 2,
        torch.get_num_threads(),
        grad_verts_clip.data_ptr(),
    )
    if status != 0:
        raise_status("rasterize", status)
    return grad_verts_clip


OPERATORS.impl("rasterize", _forward, "CPU")
OPERATORS.impl("rasterize_backward", _backward, "CPU")


@torch.library.register_fake("lightning_rast::rasterize")
def _(
    verts_clip: Tensor,
    faces: Tensor,
    face_ranges: Tensor | None,
    height: int,
    width: int,
    cull: str,
    num_layers: int | None,
) -> tuple[Tensor, Tensor, Tensor]:
    return _empty_fragments(verts_clip, face_ranges, height, width, num_layers)


@torch.library.register_fake("lightning_rast::rasterize_backward")
def _(
    grad_bary: Tensor | None,
    grad_depth: Tensor | None,
    face_idx: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
) -> Tensor:
    return torch.empty_like(verts_clip, memory_format=torch.contiguous_format)


def _setup_context(ctx, inputs, output) -> None:
    ctx.set_materialize_grads(False)  # where only depth is used, no zeros for bary are made
    ctx.mark_non_differentiable(output[2])
    ctx.save_for_backward(output[2], inputs[0], inputs[1])


def _autograd_backward(ctx, grad_bary: Tensor | None, grad_depth: Tensor | None, _grad_face_idx):
    check_gradients("rasterize", grad_bary, grad_depth)
    grad = None
    if grad_bary is not None or grad_depth is not None:
        grad = torch.ops.lightning_rast.rasterize_backward(
            grad_bary, grad_depth, *ctx.saved_tensors
        )
    return grad, None, None, None, None, None, None


torch.library.register_autograd(
    "lightning_rast::rasterize", _autograd_backward, setup_context=_setup_context
)


class _EagerRasterize(torch.autograd.Function):
    """The registered operator and its derivative, called without torch's dispatcher: the way
    through it takes a tenth of a small picture's time."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, *inputs
    ) -> tuple[Tensor, Tensor, Tensor]:
        output = _forward(*inputs)
        _setup_context(ctx, inputs, output)
        return output

    @staticmethod
    def backward(ctx, *grads):  # pyright: ignore[reportIncompatibleMethodOverride]
        return _autograd_backward(ctx, *grads)


def _no_second_derivative(ctx, *grads):
    raise RuntimeError(
        "rasterize: its gradient cannot be differentiated again; call backward() or "
        "torch.autograd.grad() without create_graph=True"
    )


torch.library.register_autograd("lightning_rast::rasterize_backward", _no_second_derivative)
