"""Probabilistic coverage of all faces, as in SoftRas and PyTorch3D, and in pixels."""

import ctypes
import functools
import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import (
    OPERATORS,
    check_faces,
    check_floats,
    check_gradients,
    check_image_size,
    check_tensors,
    raise_status,
)

Semantics = Literal["pixel", "softras", "pytorch3d"]


def soft_coverage(
    verts_clip: Float[Tensor, "N V 4"],
    faces: Int32[Tensor, "F 3"],
    image_size: tuple[int, int],
    *,
    sigma: float,
    semantics: Semantics = "pixel",
    cutoff: float = 1e-4,
    blur_radius: float | None = None,
    faces_per_pixel: int | None = None,
) -> Float[Tensor, "N H W"]:
    """Probability that at least one face covers each pixel's centre: `1 - prod(1 - p)`.

    Every face has a probability p that falls off across its outline. The result is wider than the
    silhouette and has seams between faces; `contour_coverage` is exact and faster. This op is for
    who wants gradients away from the outline, or the numbers of another system. `docs/coverage.md`
    compares them, `docs/decisions/soft-coverage.md` gives reasons.

    Args:
        verts_clip: OpenGL clip space, float32 or float64: `ndc = xyz / w`, y up, visible where
            `z >= -w`. Faces that cross this near plane are cut there, as polygons of 3 or 4 sides.
        faces: three vertices each. A face whose projection has no area does not count.
        image_size: (H, W) in pixels. Row 0 is at the top, pixel centres are at +0.5.
        sigma: softness. In pixels for `"pixel"`; in squared NDC units for the others.
        semantics: with d the distance of the pixel's centre to the face's outline, > 0 inside:

            - `"pixel"`: p is `sigmoid(d / sigma)`, d in pixels. A face reaches
              `sigma * log(1 / cutoff - 1)` beyond its outline (9.2 sigma), and p is lowered by up
              to `cutoff` so that it ends there without a step.
            - `"softras"`: p is `sigmoid(+-d^2 / sigma)`, d where x and y span [-1, 1]; faces do not
              count where p would be below `cutoff` (SoftRas's dist_eps).
            - `"pytorch3d"`: the same where the shorter side of the image spans [-1, 1]; faces do
              not count where `d^2 >= blur_radius` outside, nor those of a doubled area of up to
              1e-8; only the `faces_per_pixel` nearest of a pixel count, the depth of a face beyond
              its outline being that of its clipped barycentric coordinates.
        cutoff: see above, in (0, 0.5); not used by `"pytorch3d"`.
        blur_radius: see above, `"pytorch3d"` only. `log(1 / 1e-4 - 1) * sigma` by default.
        faces_per_pixel: see above, `"pytorch3d"` only. 50 by default.

    Returns:
        Coverage in [0, 1], of the dtype of `verts_clip`. The same bits on every run, for any
        number of threads and any instruction set.

    Corners may lie up to 1e12 pixels outside of the picture; farther out the rounding of positions
    shows, and results are finite but not right (`contour_coverage` stays exact).

    Differentiable once in `verts_clip` (x, y, w; z where the near plane cuts a face). The
    derivative does not exist where two sides of a face are equally near, at a cut-off with a step,
    and where the choice of nearest faces changes: there, one side's is returned.

    Raises:
        ValueError: a shape, dtype, device or number does not fit, or (CPU) a vertex is not finite
            or a face has one that is not there. On CUDA, where looking would stall the device, such
            faces are left out.

    Sources: Liu, Li, Chen, Li, "Soft Rasterizer", ICCV 2019, eq. 2 and 5; Ravi et al.,
    "Accelerating 3D Deep Learning with PyTorch3D", 2020, and its SoftSilhouetteShader.
    """
    check_soft_inputs("soft_coverage", verts_clip, faces, image_size)
    model = soft_model(
        "soft_coverage",
        image_size,
        sigma,
        semantics,
        cutoff,
        blur_radius,
        faces_per_pixel,
        verts_clip.dtype,
    )
    return torch.ops.lightning_rast.soft_coverage(verts_clip, faces, *image_size, *model)[0]


class SoftModel(NamedTuple):
    """`SoftModel` of csrc/core/soft_face.h."""

    scale_x: float
    scale_y: float
    reach: float
    fade: float
    min_area: float
    linear: bool
    faces_per_pixel: int


def soft_model(
    op: str,
    image_size: tuple[int, int],
    sigma: float,
    semantics: Semantics,
    cutoff: float,
    blur_radius: float | None,
    faces_per_pixel: int | None,
    dtype: torch.dtype = torch.float32,
) -> SoftModel:
    """The numbers behind a semantics, for what is computed in `dtype`; `op` is who complains about
    wrong ones."""
    if isinstance(sigma, Tensor):
        raise TypeError(
            f"{op}: sigma must be a number, got a tensor, and it has no gradient; use sigma.item()"
        )
    if not 0 < sigma < math.inf:
        raise ValueError(f"{op}: sigma must be positive and finite, got {sigma}")
    if not 0 < cutoff < 0.5:
        raise ValueError(f"{op}: cutoff must be between 0 and 0.5, got {cutoff}")
    if semantics != "pytorch3d":
        for name, value in (("blur_radius", blur_radius), ("faces_per_pixel", faces_per_pixel)):
            if value is not None:
                raise ValueError(f'{op}: {name} goes with semantics="pytorch3d" only')
    height, width = image_size
    # The kernel's exponents are powers of two, which saves it a product per pixel.
    bits = 1 / math.log(2)
    # Where p is less than 2^-100 it changes no digit of float32, nor less than 2^-900 of float64.
    reach = min(math.log(1 / cutoff - 1) * bits, 100.0 if dtype == torch.float32 else 900.0)
    if semantics == "pixel":
        scale = bits / sigma
        check_magnitude(op, "sigma", sigma, scale, dtype)
        return SoftModel(scale, scale, reach, cutoff / (1 - cutoff), 0.0, True, 0)
    unit = 2 * math.sqrt(bits / sigma)
    check_magnitude(op, "sigma", sigma, unit, dtype)
    if semantics == "softras":
        return SoftModel(unit / width, unit / height, reach, 0.0, 0.0, False, 0)
    if semantics != "pytorch3d":
        raise ValueError(
            f'{op}: semantics must be "pixel", "softras" or "pytorch3d", got {semantics!r}'
        )
    if blur_radius is None:
        blur_radius = math.log(1 / 1e-4 - 1) * sigma
    if not 0 <= blur_radius < math.inf:
        raise ValueError(f"{op}: blur_radius must be finite and not negative, got {blur_radius}")
    if faces_per_pixel is None:
        faces_per_pixel = 50
    if not (isinstance(faces_per_pixel, int) and 1 <= faces_per_pixel < 2**31):
        raise ValueError(
            f"{op}: faces_per_pixel must be a whole number of at least 1, got {faces_per_pixel}"
        )
    shorter = min(height, width)
    min_area = 1e-8 * (shorter / 2) ** 2
    scale = unit / shorter
    return SoftModel(
        scale, scale, blur_radius / sigma * bits, 0.0, min_area, False, faces_per_pixel
    )


def check_magnitude(op: str, name: str, value: object, follows: float, dtype: torch.dtype) -> None:
    """Refuse parameters that lead to numbers so large or small that `dtype` cannot hold what is
    computed with them, squares included."""
    most = 1e15 if dtype == torch.float32 else 1e150
    if not abs(follows) <= most:
        extreme = "small" if name in ("sigma", "gamma") else "large"
    elif name == "sigma" and follows < 1 / most:
        extreme = "large"
    else:
        return
    raise ValueError(f"{op}: {name} = {value} is too {extreme} to compute with in {dtype}")


def check_soft_inputs(
    op: str, verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int]
) -> None:
    """Refuse what does not fit, in the name of `op`."""
    check_tensors(op, verts_clip=verts_clip, faces=faces)
    if verts_clip.dim() != 3 or verts_clip.shape[2] != 4:
        raise ValueError(f"{op}: verts_clip must be (N, V, 4), got {tuple(verts_clip.shape)}")
    check_floats(op, "verts_clip", verts_clip)
    check_faces(op, faces)
    if faces.device != verts_clip.device:
        raise ValueError(f"{op}: verts_clip is on {verts_clip.device}, faces on {faces.device}")
    check_image_size(op, image_size)


_SCHEMA = (
    "int height, int width, float scale_x, float scale_y, float reach, float fade, "
    "float min_area, bool linear, int faces_per_pixel"
)
OPERATORS.define(
    f"soft_coverage(Tensor verts_clip, Tensor faces, {_SCHEMA}) "
    "-> (Tensor coverage, Tensor uncovered, Tensor last_key, Tensor last_face)"
)
OPERATORS.define(
    "soft_coverage_backward(Tensor grad_coverage, Tensor verts_clip, Tensor faces, "
    f"Tensor uncovered, Tensor last_key, Tensor last_face, {_SCHEMA}) -> Tensor"
)

_NOT_FINITE, _NOT_IN_FRONT, _NO_SUCH_VERTEX = 1, 2, 5
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32, _F64 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_double
_INPUTS = (_P, _I64, _I64, _P, _I64, _I32, _I32, _F64, _F64, _F64, _F64, _F64, _I32, _I32, _I32)


@functools.cache
def _function(name: str, dtype: torch.dtype) -> Callable[..., int]:
    return bind(core(), f"lrast_{name}_{_SUFFIX[dtype]}", *_INPUTS, *(_P,) * 5, *_extra(name))


def _extra(name: str) -> tuple[type, ...]:
    return (_P,) if name.endswith("backward") else ()


def _run(name: str, verts_clip: Tensor, faces: Tensor, options: tuple, *arrays: int | None) -> None:
    where = (ctypes.c_int64 * 2)()
    height, width, *model = options
    status = _function(name, verts_clip.dtype)(
        verts_clip.data_ptr(),
        *verts_clip.shape[:2],
        faces.data_ptr(),
        faces.shape[0],
        height,
        width,
        *model,
        torch.get_num_threads(),
        *arrays,
        where,
    )
    if status != 0:
        raise_soft_status("soft_coverage", status, (where[0], where[1]), verts_clip, faces)


def raise_soft_status(
    op: str, status: int, where: tuple[int, int], verts_clip: Tensor, faces: Tensor
) -> None:
    """Raise what a failing kernel means; `where` is the view and the vertex or face."""
    view, item = where
    if status == _NO_SUCH_VERTEX:
        raise ValueError(
            f"{op}: faces[{item}] = {tuple(faces[item].tolist())} names a vertex that is "
            f"not there; verts_clip holds {verts_clip.shape[1]}"
        )
    if status in (_NOT_FINITE, _NOT_IN_FRONT):
        values = ", ".join(f"{value:g}" for value in verts_clip[view, item].tolist())
        place = f"{op}: verts_clip[{view}, {item}] = ({values})"
        if status == _NOT_FINITE:
            raise ValueError(f"{place} is not finite on the screen; has the fit diverged?")
        raise ValueError(
            f"{place}: in front of the near plane (z >= -w), w must be positive. verts_clip must "
            "come from an OpenGL projection, z included; Camera.world_to_clip makes one"
        )
    raise_status(op, status)


def _empty_outputs(verts_clip: Tensor, *options) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    height, width, *_, faces_per_pixel = options
    shape = (verts_clip.shape[0], height, width)
    last = shape if faces_per_pixel > 0 else (0,)
    return (
        verts_clip.new_empty(shape),
        verts_clip.new_empty(shape),
        verts_clip.new_empty(last),
        verts_clip.new_empty(last, dtype=torch.int32),
    )


def _pointer(tensor: Tensor) -> int | None:
    return tensor.data_ptr() if tensor.numel() > 0 else None


def _forward(verts_clip: Tensor, faces: Tensor, *options) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    verts_clip, faces = verts_clip.contiguous(), faces.contiguous()
    outputs = _empty_outputs(verts_clip, *options)
    _run("soft_coverage", verts_clip, faces, options, *map(_pointer, outputs))
    return outputs


def _backward(
    grad_coverage: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    uncovered: Tensor,
    last_key: Tensor,
    last_face: Tensor,
    *options,
) -> Tensor:
    verts_clip, faces = verts_clip.contiguous(), faces.contiguous()
    inputs = [x.contiguous() for x in (grad_coverage, uncovered, last_key, last_face)]
    grad_verts = torch.empty_like(verts_clip)
    pointers = (*map(_pointer, inputs), grad_verts.data_ptr())
    _run("soft_coverage_backward", verts_clip, faces, options, *pointers)
    return grad_verts


OPERATORS.impl("soft_coverage", _forward, "CPU")
OPERATORS.impl("soft_coverage_backward", _backward, "CPU")


@torch.library.register_fake("lightning_rast::soft_coverage")
def _(verts_clip: Tensor, faces: Tensor, *options) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _empty_outputs(verts_clip, *options)


@torch.library.register_fake("lightning_rast::soft_coverage_backward")
def _(grad_coverage: Tensor, verts_clip: Tensor, *inputs) -> Tensor:
    return torch.empty_like(verts_clip, memory_format=torch.contiguous_format)


def _setup_context(ctx, inputs, output) -> None:
    verts_clip, faces, *ctx.options = inputs
    ctx.save_for_backward(verts_clip, faces, *output[1:])
    ctx.mark_non_differentiable(*output[1:])


def _autograd_backward(ctx, grad_coverage: Tensor, *_):
    check_gradients("soft_coverage", grad_coverage)
    verts_clip, faces, *results = ctx.saved_tensors
    grad = torch.ops.lightning_rast.soft_coverage_backward(
        grad_coverage, verts_clip, faces, *results, *ctx.options
    )
    return grad, None, *(None for _ in ctx.options)


torch.library.register_autograd(
    "lightning_rast::soft_coverage", _autograd_backward, setup_context=_setup_context
)


def _no_second_derivative(ctx, *grads):
    raise RuntimeError(
        "soft_coverage: its gradient cannot be differentiated again; call backward() or "
        "torch.autograd.grad() without create_graph=True"
    )


torch.library.register_autograd("lightning_rast::soft_coverage_backward", _no_second_derivative)
