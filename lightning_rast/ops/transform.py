"""Points through one 4x4 matrix per view."""

import ctypes
import functools
from collections.abc import Callable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import (
    OPERATORS,
    check_floats,
    check_gradients,
    check_tensors,
    raise_status,
    runs_eagerly_on_cpu,
)


def transform_points(
    points: Float[Tensor, "V 3"] | Float[Tensor, "N V 3"],
    matrices: Float64[Tensor, "N 4 4"],
) -> Float[Tensor, "N V 4"]:
    """`matrices[n] @ (x, y, z, 1)` for every point: homogeneous coordinates in each view.

    Args:
        points: float32 or float64; (V, 3) are shared by all views.
        matrices: float64, on the same device. Clip space at a long focal length needs that: with
            float32 matrices, points would be off by whole pixels.

    Returns:
        Homogeneous coordinates of the dtype of `points`, computed in double and rounded once. The
        same bits on every run, for any number of threads and any instruction set.

    Differentiable in both, any number of times. Gradients are summed in double, those of shared
    points over the views in order.

    Raises:
        ValueError: a shape, dtype or device does not fit. Values are not looked at.
    """
    _check(points, matrices)
    if runs_eagerly_on_cpu(points) and runs_eagerly_on_cpu(matrices):
        return _EagerTransform.apply(points, matrices)
    return torch.ops.lightning_rast.transform_points(points, matrices)


def _check(points: Tensor, matrices: Tensor) -> None:
    check_tensors("transform_points", points=points, matrices=matrices)
    if points.dim() not in (2, 3) or points.shape[-1] != 3:
        raise ValueError(
            f"transform_points: points must be (V, 3) or (N, V, 3), got {tuple(points.shape)}"
        )
    check_floats("transform_points", "points", points)
    if matrices.dim() != 3 or matrices.shape[1:] != (4, 4):
        raise ValueError(
            f"transform_points: matrices must be (N, 4, 4), got {tuple(matrices.shape)}"
        )
    if matrices.dtype != torch.float64:
        raise ValueError(f"transform_points: matrices must be float64, got {matrices.dtype}")
    if points.dim() == 3 and points.shape[0] != matrices.shape[0]:
        raise ValueError(
            f"transform_points: points holds {points.shape[0]} views, matrices {matrices.shape[0]}"
        )
    if points.device != matrices.device:
        raise ValueError(
            f"transform_points: points is on {points.device}, matrices on {matrices.device}"
        )


# The two gradients are operators of their own, so that none is computed without need. All three
# are linear in each argument, and each one's gradients are made of the others.
OPERATORS.define("transform_points(Tensor points, Tensor matrices) -> Tensor")
OPERATORS.define("transform_points_vjp(Tensor grad, Tensor matrices, bool shared) -> Tensor")
OPERATORS.define("transform_matrices_vjp(Tensor grad, Tensor points) -> Tensor")

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_SIZES = (_I64, _I64, _I32, _I32)


@functools.cache
def _function(name: str, dtype: torch.dtype, *outputs: type) -> Callable[..., int]:
    return bind(core(), f"lrast_{name}_{_SUFFIX[dtype]}", _P, _P, *_SIZES, *outputs)


@functools.cache
def _partial_size_function() -> Callable[..., int]:
    function = bind(core(), "lrast_transform_partial_size", _I64, _I64)
    function.restype = _I64  # pyright: ignore[reportFunctionMemberAccess]
    return function


def _run(function: Callable[..., int], *arguments: int) -> None:
    status = function(*arguments)
    if status != 0:
        raise_status("transform_points", status)


def _forward(points: Tensor, matrices: Tensor) -> Tensor:
    points, matrices = points.contiguous(), matrices.contiguous()
    num_views, num_verts = matrices.shape[0], points.shape[-2]
    out = points.new_empty(num_views, num_verts, 4)
    _run(
        _function("transform", points.dtype, _P),
        points.data_ptr(),
        matrices.data_ptr(),
        num_views,
        num_verts,
        points.dim() == 2,
        torch.get_num_threads(),
        out.data_ptr(),
    )
    return out


def _points_vjp(grad: Tensor, matrices: Tensor, shared: bool) -> Tensor:
    grad, matrices = grad.contiguous(), matrices.contiguous()
    grad_points = _empty_points(grad, shared)
    _run(
        _function("transform_points_vjp", grad.dtype, _P),
        grad.data_ptr(),
        matrices.data_ptr(),
        *grad.shape[:2],
        shared,
        torch.get_num_threads(),
        grad_points.data_ptr(),
    )
    return grad_points


def _matrices_vjp(grad: Tensor, points: Tensor) -> Tensor:
    grad, points = grad.contiguous(), points.contiguous()
    num_views, num_verts = grad.shape[:2]
    size = _partial_size_function()(num_views, num_verts)
    partial = torch.empty(size, dtype=torch.float64, device="cpu")
    grad_matrices = torch.empty(num_views, 4, 4, dtype=torch.float64, device="cpu")
    _run(
        _function("transform_matrices_vjp", grad.dtype, _P, _P),
        grad.data_ptr(),
        points.data_ptr(),
        num_views,
        num_verts,
        points.dim() == 2,
        torch.get_num_threads(),
        partial.data_ptr(),
        grad_matrices.data_ptr(),
    )
    return grad_matrices


def _empty_points(grad: Tensor, shared: bool) -> Tensor:
    num_views, num_verts = grad.shape[:2]
    return grad.new_empty((num_verts, 3) if shared else (num_views, num_verts, 3))


OPERATORS.impl("transform_points", _forward, "CPU")
OPERATORS.impl("transform_points_vjp", _points_vjp, "CPU")
OPERATORS.impl("transform_matrices_vjp", _matrices_vjp, "CPU")


@torch.library.register_fake("lightning_rast::transform_points")
def _(points: Tensor, matrices: Tensor) -> Tensor:
    return points.new_empty(matrices.shape[0], points.shape[-2], 4)


@torch.library.register_fake("lightning_rast::transform_points_vjp")
def _(grad: Tensor, matrices: Tensor, shared: bool) -> Tensor:
    return _empty_points(grad, shared)


@torch.library.register_fake("lightning_rast::transform_matrices_vjp")
def _(grad: Tensor, points: Tensor) -> Tensor:
    return grad.new_empty(grad.shape[0], 4, 4, dtype=torch.float64)


def _setup_context(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs[:2])


def _transform_backward(ctx, grad: Tensor):
    check_gradients("transform_points", grad)
    points, matrices = ctx.saved_tensors
    ops, needed = torch.ops.lightning_rast, ctx.needs_input_grad
    return (
        ops.transform_points_vjp(grad, matrices, points.dim() == 2) if needed[0] else None,
        ops.transform_matrices_vjp(grad, points) if needed[1] else None,
    )


def _linear_part(matrices: Tensor) -> Tensor:
    """Without the last column, which a change of the points does not meet."""
    return torch.nn.functional.pad(matrices[:, :, :3], (0, 1))


def _points_vjp_backward(ctx, grad_points: Tensor):
    check_gradients("transform_points", grad_points)
    grad, matrices = ctx.saved_tensors
    ops, needed = torch.ops.lightning_rast, ctx.needs_input_grad
    return (
        ops.transform_points(grad_points, _linear_part(matrices)) if needed[0] else None,
        _linear_part(ops.transform_matrices_vjp(grad, grad_points)) if needed[1] else None,
        None,
    )


def _matrices_vjp_backward(ctx, grad_matrices: Tensor):
    check_gradients("transform_points", grad_matrices)
    grad, points = ctx.saved_tensors
    ops, needed = torch.ops.lightning_rast, ctx.needs_input_grad
    return (
        ops.transform_points(points, grad_matrices) if needed[0] else None,
        ops.transform_points_vjp(grad, grad_matrices, points.dim() == 2) if needed[1] else None,
    )


torch.library.register_autograd(
    "lightning_rast::transform_points", _transform_backward, setup_context=_setup_context
)
torch.library.register_autograd(
    "lightning_rast::transform_points_vjp", _points_vjp_backward, setup_context=_setup_context
)
torch.library.register_autograd(
    "lightning_rast::transform_matrices_vjp", _matrices_vjp_backward, setup_context=_setup_context
)


class _EagerTransform(torch.autograd.Function):
    """The registered operator and its derivative, called without torch's dispatcher: the way
    through it takes longer than a mesh of some thousand vertices. See `contour_coverage`."""

    @staticmethod
    def forward(ctx, points: Tensor, matrices: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(points, matrices)
        return _forward(points, matrices)

    @staticmethod
    def backward(ctx, grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.is_grad_enabled() or not runs_eagerly_on_cpu(grad):
            return _transform_backward(ctx, grad)
        points, matrices = ctx.saved_tensors
        needed = ctx.needs_input_grad
        return (
            _points_vjp(grad, matrices, points.dim() == 2) if needed[0] else None,
            _matrices_vjp(grad, points) if needed[1] else None,
        )
