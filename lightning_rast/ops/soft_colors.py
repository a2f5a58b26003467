"""Soft visibility of colours: faces in front weigh more, all weigh something, as in SoftRas."""

import ctypes
import functools
import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import OPERATORS, check_gradients, check_tensors
from lightning_rast.ops.soft_coverage import (
    check_magnitude,
    check_soft_inputs,
    raise_soft_status,
    soft_model,
)


class SoftColors(NamedTuple):
    """Colours over the background, and the coverage that `soft_coverage` gives."""

    image: Float[Tensor, "N H W C"]
    coverage: Float[Tensor, "N H W"]


def soft_colors(
    verts_clip: Float[Tensor, "N V 4"],
    faces: Int32[Tensor, "F 3"],
    colors: Float[Tensor, "..."],
    image_size: tuple[int, int],
    *,
    sigma: float,
    gamma: float,
    background: Float[Tensor, "..."] | None = None,
    near: float = 1.0,
    far: float = 100.0,
    background_depth: float = 1e-3,
    semantics: Literal["pixel", "softras"] = "pixel",
    cutoff: float = 1e-4,
) -> SoftColors:
    """Colours of all faces, weighted by probability and depth: a softmax in place of a z buffer.

    A face of probability p (see `soft_coverage`), colour C and normalised inverse depth z weighs
    `w = p exp(z / gamma) / (sum p exp(z / gamma) + exp(eps / gamma))`, the background the rest. So
    colours have gradients for faces that are hidden, and for depths.

    Args:
        verts_clip: OpenGL clip space, float32 or float64, visible where `z >= -w`; faces that
            cross this near plane are cut there.
        faces: three vertices each.
        colors: any number of channels, of vertices (V, C) or of the corners of faces (F, 3, C).
            Blended perspective-correctly; beyond a face's outline with barycentric coordinates
            that are clipped at 0 on the screen.
        image_size: (H, W) in pixels. Row 0 is at the top, pixel centres are at +0.5.
        sigma, semantics, cutoff: as `soft_coverage`.
        gamma: softness in depth, in units of z.
        background: what broadcasts to (N, H, W, C); black by default.
        near, far: view depths w between which z falls from 1 to 0:
            `z = (1 / w - 1 / far) / (1 / near - 1 / far)`, not clipped. In a view whose clip w are
            all 1 (an orthographic camera), z falls from the near plane to the far plane instead.
        background_depth: eps, the background's z.

    Returns:
        The image and the coverage. The same bits on every run, for any number of threads and any
        instruction set.

    Differentiable once in `verts_clip` (x, y, w; z of orthographic views and where the near plane
    cuts a face), `colors` and `background`, except where `soft_coverage` is not and where a pixel
    is exactly on the line of a side. Corners may lie as far outside of the picture as those of
    `soft_coverage`; in float32, gradients may not be finite for corners 1e30 pixels away, nor for
    w so small that they overflow.

    Raises:
        ValueError: a shape, dtype, device or number does not fit; a vertex is not finite; a face
            has a vertex that is not there. On CUDA, where looking would stall the device, such
            faces are left out.

    Source: Liu, Li, Chen, Li, "Soft Rasterizer", ICCV 2019, eq. 3 and 4.
    """
    check_soft_inputs("soft_colors", verts_clip, faces, image_size)
    check_tensors("soft_colors", colors=colors)
    if semantics not in ("pixel", "softras"):
        raise ValueError(f'soft_colors: semantics must be "pixel" or "softras", got {semantics!r}')
    model = soft_model(
        "soft_colors", image_size, sigma, semantics, cutoff, None, None, verts_clip.dtype
    )
    color_model = _color_model(gamma, near, far, background_depth, verts_clip.dtype)
    corners = _corner_colors(colors, verts_clip, faces)
    blended, coverage, *_ = torch.ops.lightning_rast.soft_colors(
        verts_clip, faces, corners, *image_size, *model, *color_model
    )
    image = blended[..., :-1]
    if background is not None:
        image = image + (1 - blended[..., -1:]) * background
    return SoftColors(image, coverage)


class _ColorModel(NamedTuple):
    """`SoftColorModel` of csrc/core/soft_color.h."""

    slope_orthographic: float
    slope_perspective: float
    offset_orthographic: float
    offset_perspective: float
    background: float


def _color_model(
    gamma: float, near: float, far: float, background_depth: float, dtype: torch.dtype
) -> _ColorModel:
    if not 0 < gamma < math.inf:
        raise ValueError(f"soft_colors: gamma must be positive and finite, got {gamma}")
    if not 0 < near < far:
        raise ValueError(f"soft_colors: near and far must be 0 < near < far, got {near}, {far}")
    if not math.isfinite(background_depth):
        raise ValueError(f"soft_colors: background_depth must be finite, got {background_depth}")
    bits = 1 / (gamma * math.log(2))
    check_magnitude("soft_colors", "gamma", gamma, bits, dtype)
    between = 1 / near - 1 / far
    if not between > 0:
        raise ValueError(f"soft_colors: near and far are too close to each other: {near}, {far}")
    perspective = bits / between
    check_magnitude("soft_colors", "(near, far)", (near, far), perspective, dtype)
    check_magnitude(
        "soft_colors", "background_depth", background_depth, background_depth * bits, dtype
    )
    return _ColorModel(bits / 2, perspective, bits / 2, -perspective / far, background_depth * bits)


def _corner_colors(colors: Tensor, verts_clip: Tensor, faces: Tensor) -> Tensor:
    num_verts, num_faces = verts_clip.shape[1], faces.shape[0]
    of_verts = colors.dim() == 2 and colors.shape[0] == num_verts
    of_corners = colors.dim() == 3 and colors.shape[:2] == (num_faces, 3)
    if not of_verts and not of_corners:
        raise ValueError(
            f"soft_colors: colors must be ({num_verts}, C) or ({num_faces}, 3, C), got "
            f"{tuple(colors.shape)}"
        )
    if colors.dtype != verts_clip.dtype or colors.device != verts_clip.device:
        raise ValueError(
            f"soft_colors: colors are {colors.dtype} on {colors.device}, verts_clip is "
            f"{verts_clip.dtype} on {verts_clip.device}"
        )
    if not of_verts:
        return colors
    if (
        faces.device.type == "cpu"
        and faces.numel()
        and not 0 <= int(faces.min()) <= int(faces.max()) < num_verts
    ):
        raise ValueError(f"soft_colors: faces names a vertex that is not among {num_verts}")
    # Not colors[faces]: the gradient of an index is summed in whatever order threads come.
    return torch.nn.functional.embedding(faces.long(), colors)


_SCHEMA = (
    "int height, int width, float scale_x, float scale_y, float reach, float fade, "
    "float min_area, bool linear, int faces_per_pixel, float slope_orthographic, "
    "float slope_perspective, float offset_orthographic, float offset_perspective, "
    "float background"
)
OPERATORS.define(
    f"soft_colors(Tensor verts_clip, Tensor faces, Tensor colors, {_SCHEMA}) "
    "-> (Tensor image, Tensor coverage, Tensor uncovered, Tensor largest, Tensor total)"
)
OPERATORS.define(
    "soft_colors_backward(Tensor grad_image, Tensor grad_coverage, Tensor verts_clip, "
    "Tensor faces, Tensor colors, Tensor image, Tensor uncovered, Tensor largest, Tensor total, "
    f"{_SCHEMA}) -> (Tensor grad_verts_clip, Tensor grad_colors)"
)

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32, _F64 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_double
_INPUTS = (_P, _I64, _I64, _P, _I64, _I32, _I32, *(_F64,) * 5, _I32, _I32, _I32, _P)
_COLOR_MODEL = (*(_F64,) * 5, _I32)


@functools.cache
def _function(name: str, dtype: torch.dtype, num_arrays: int) -> Callable[..., int]:
    symbol = f"lrast_{name}_{_SUFFIX[dtype]}"
    return bind(core(), symbol, *_INPUTS, *_COLOR_MODEL, *(_P,) * (num_arrays + 1))


def _run(
    name: str, verts_clip: Tensor, faces: Tensor, colors: Tensor, options: tuple, *arrays: Tensor
) -> None:
    where = (ctypes.c_int64 * 2)()
    height, width, *model = options
    status = _function(name, verts_clip.dtype, len(arrays))(
        verts_clip.data_ptr(),
        *verts_clip.shape[:2],
        faces.data_ptr(),
        faces.shape[0],
        height,
        width,
        *model[:7],
        torch.get_num_threads(),
        colors.data_ptr(),
        *model[7:],
        colors.shape[2],
        *(array.data_ptr() for array in arrays),
        where,
    )
    if status != 0:
        raise_soft_status("soft_colors", status, (where[0], where[1]), verts_clip, faces)


def _empty_outputs(
    verts_clip: Tensor, faces: Tensor, colors: Tensor, height: int, width: int, *_
) -> tuple[Tensor, ...]:
    shape = (verts_clip.shape[0], height, width)
    image = verts_clip.new_empty(*shape, colors.shape[2] + 1)
    return image, *(verts_clip.new_empty(shape) for _ in range(4))


def _forward(verts_clip: Tensor, faces: Tensor, colors: Tensor, *options) -> tuple[Tensor, ...]:
    verts_clip, faces, colors = (x.contiguous() for x in (verts_clip, faces, colors))
    outputs = _empty_outputs(verts_clip, faces, colors, *options)
    _run("soft_colors", verts_clip, faces, colors, options, *outputs)
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
    arrays = (grad_image, grad_coverage, image, uncovered, largest, total)
    grad_verts = torch.empty_like(verts_clip)
    # Summed over views in double.
    grad_colors = torch.zeros_like(colors, dtype=torch.float64)
    _run(
        "soft_colors_backward",
        verts_clip,
        faces,
        colors,
        options,
        *(x.contiguous() for x in arrays),
        grad_verts,
        grad_colors,
    )
    return grad_verts, grad_colors.to(colors.dtype)


OPERATORS.impl("soft_colors", _forward, "CPU")
OPERATORS.impl("soft_colors_backward", _backward, "CPU")
torch.library.register_fake("lightning_rast::soft_colors", _empty_outputs)


@torch.library.register_fake("lightning_rast::soft_colors_backward")
def _(
    grad_image: Tensor,
    grad_coverage: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    colors: Tensor,
    *_,
) -> tuple[Tensor, Tensor]:
    contiguous = torch.contiguous_format
    return (
        torch.empty_like(verts_clip, memory_format=contiguous),
        torch.empty_like(colors, memory_format=contiguous),
    )


def _setup_context(ctx, inputs, output) -> None:
    verts_clip, faces, colors, *ctx.options = inputs
    image, _, *results = output
    ctx.save_for_backward(verts_clip, faces, colors, image, *results)
    ctx.mark_non_differentiable(*results)


def _autograd_backward(ctx, grad_image: Tensor, grad_coverage: Tensor, *_):
    check_gradients("soft_colors", grad_image, grad_coverage)
    grads = torch.ops.lightning_rast.soft_colors_backward(
        grad_image, grad_coverage, *ctx.saved_tensors, *ctx.options
    )
    return grads[0], None, grads[1], *(None for _ in ctx.options)


torch.library.register_autograd(
    "lightning_rast::soft_colors", _autograd_backward, setup_context=_setup_context
)


def _no_second_derivative(ctx, *grads):
    raise RuntimeError(
        "soft_colors: its gradient cannot be differentiated again; call backward() or "
        "torch.autograd.grad() without create_graph=True"
    )


torch.library.register_autograd("lightning_rast::soft_colors_backward", _no_second_derivative)
