"""Vertex attributes at the pixels of a rasterized picture."""

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import (
    OPERATORS,
    check_faces,
    check_gradients,
    check_tensors,
    raise_status,
)
from lightning_rast.ops.advice import RasterFragments, watch_hard_image


def interpolate(
    attrs: Float[Tensor, "*rows C"],
    faces: Int32[Tensor, "F 3"] | None,
    fragments: RasterFragments,
) -> Float[Tensor, "*pixels C"]:
    """Blend attributes of the three corners of the face at each pixel: `sum_j bary_j attrs_j`.

    Args:
        attrs: float32 or float64, as `fragments.bary`. With `faces`, (V, C) or (N, V, C): rows that
            `faces` names, the same for all views or a set for each. Without, (F, 3, C) or
            (N, F, 3, C): a row for every corner of every face.
        faces: whose rows the corners of face f are. The buffer that was rasterized, or any other of
            the same F: texture coordinates with seams bring an index buffer of their own.
        fragments: of `rasterize`, or any object with `face_idx` (N, H, W), -1 where there is no
            face, and `bary` (N, H, W, 3). Layers (N, L, H, W) give an image each. The derivatives
            of `bary` from `fragment_derivatives` in its place give those of the attributes.

    Returns:
        (N, H, W, C), or (N, L, H, W, C) with layers; 0 where there is no face. The same bits on
        every run, for any number of threads and any instruction set, and so are the gradients.

    Differentiable in `attrs` and `bary`, any number of times; gradients of attributes are summed in
    double and rounded once. Not in which face a pixel sees: that gradient comes from `antialias`,
    and a `LightningRastWarning` says so when one is missing.

    Raises:
        ValueError: a shape, dtype or device does not fit, or (CPU) `face_idx` or `faces` names
            what is not there. On CUDA, where looking would stall the device, such pixels are NaN,
            and no gradient flows from them.
    """
    face_idx, bary = _check(attrs, faces, fragments)
    image = torch.ops.lightning_rast.interpolate(attrs, faces, face_idx, bary)
    watch_hard_image(image, fragments)
    return image


def _check(
    attrs: Tensor, faces: Tensor | None, fragments: RasterFragments
) -> tuple[Tensor, Tensor]:
    face_idx = getattr(fragments, "face_idx", None)
    bary = getattr(fragments, "bary", None)
    if not isinstance(face_idx, Tensor) or not isinstance(bary, Tensor):
        raise TypeError(
            "interpolate: fragments must have tensors face_idx and bary, as rasterize() returns "
            f"them, got {type(fragments).__name__}"
        )
    check_tensors("interpolate", attrs=attrs, faces=faces, bary=bary)
    if face_idx.dim() < 3 or face_idx.dtype != torch.int32:
        raise ValueError(
            "interpolate: face_idx must be int32 (N, H, W) or (N, L, H, W), got "
            f"{face_idx.dtype} {tuple(face_idx.shape)}"
        )
    if bary.shape != (*face_idx.shape, 3):
        raise ValueError(
            f"interpolate: bary must be {(*face_idx.shape, 3)} as face_idx is "
            f"{tuple(face_idx.shape)}, got {tuple(bary.shape)}"
        )
    if attrs.dtype not in (torch.float32, torch.float64) or bary.dtype != attrs.dtype:
        raise ValueError(
            "interpolate: attrs and bary must both be float32 or both float64, got attrs "
            f"{attrs.dtype}, bary {bary.dtype}"
        )
    _check_rows(attrs, faces, face_idx.shape[0])
    for name, tensor in (("attrs", attrs), ("faces", faces), ("bary", bary)):
        if tensor is not None and tensor.device != face_idx.device:
            raise ValueError(
                f"interpolate: {name} is on {tensor.device}, face_idx on {face_idx.device}"
            )
    return face_idx, bary


def _check_rows(attrs: Tensor, faces: Tensor | None, num_views: int) -> None:
    shape = tuple(attrs.shape)
    if faces is None:
        if attrs.dim() not in (3, 4) or shape[-2] != 3:
            raise ValueError(
                "interpolate: without faces, attrs must be (F, 3, C) or (N, F, 3, C), got "
                f"{shape}; attributes of vertices need faces (F, 3)"
            )
    else:
        check_faces("interpolate", faces)
        if attrs.dim() not in (2, 3):
            raise ValueError(
                f"interpolate: attrs must be (V, C) or (N, V, C), got {shape}; attributes of face "
                "corners (F, 3, C) take faces=None"
            )
    if not _is_shared(attrs, faces) and shape[0] != num_views:
        raise ValueError(
            f"interpolate: attrs {shape} holds {shape[0]} views, fragments {num_views}"
        )


def _is_shared(attrs: Tensor, faces: Tensor | None) -> bool:
    return attrs.dim() == (3 if faces is None else 2)


# Each gradient is an operator of its own, so that none is computed without need. All three are
# linear in each argument, and each one's gradients are made of the others.
OPERATORS.define("interpolate(Tensor attrs, Tensor? faces, Tensor face_idx, Tensor bary) -> Tensor")
OPERATORS.define(
    "interpolate_bary_vjp(Tensor grad, Tensor attrs, Tensor? faces, Tensor face_idx) -> Tensor"
)
OPERATORS.define(
    "interpolate_attrs_vjp(Tensor grad, Tensor? faces, Tensor face_idx, Tensor bary, "
    "int num_rows, bool shared) -> Tensor"
)

_BAD_FACE, _BAD_VERTEX = 1, 2
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


@functools.cache
def _function(name: str, dtype: torch.dtype) -> Callable[..., int]:
    layout = (_P, _P, _I64, _I64, _I64, _I64, _I32, _I32)
    return bind(core(), f"lrast_{name}_{_SUFFIX[dtype]}", *layout, _P, _P, _P, _I32, _P)


def _run(
    name: str,
    faces: Tensor | None,
    face_idx: Tensor,
    num_rows: int,
    num_channels: int,
    shared: bool,
    inputs: tuple[Tensor, Tensor],
    output: Tensor,
) -> None:
    where = ctypes.c_int64()
    num_views, num_pixels = face_idx.shape[0], face_idx[0].numel() if len(face_idx) else 0
    num_faces = num_rows // 3 if faces is None else faces.shape[0]
    status = _function(name, output.dtype)(
        None if faces is None else faces.data_ptr(),
        face_idx.data_ptr(),
        num_views,
        num_pixels,
        num_faces,
        num_rows,
        num_channels,
        shared,
        inputs[0].data_ptr(),
        inputs[1].data_ptr(),
        output.data_ptr(),
        torch.get_num_threads(),
        ctypes.byref(where),
    )
    if status != 0:
        _raise_status(status, where.value, faces, face_idx, num_faces, num_rows)


def _raise_status(
    status: int, pixel: int, faces: Tensor | None, face_idx: Tensor, num_faces: int, num_rows: int
) -> None:
    if status not in (_BAD_FACE, _BAD_VERTEX):
        raise_status("interpolate", status)
    face = int(face_idx.reshape(-1)[pixel])
    place = [int(i) for i in torch.unravel_index(torch.tensor(pixel, device="cpu"), face_idx.shape)]
    if status == _BAD_FACE or faces is None:
        raise ValueError(
            f"interpolate: face_idx{place} = {face}, which is neither -1 nor one of {num_faces} "
            "faces. Fragments must be of as many faces as faces, or attrs, has"
        )
    raise ValueError(
        f"interpolate: faces[{face}] = {faces[face].tolist()} names a row that attrs does not "
        f"have; it has {num_rows}"
    )


def _num_rows(attrs: Tensor, faces: Tensor | None) -> Any:  # an int, or a symbol in traces
    return attrs.shape[-2] if faces is not None else 3 * attrs.shape[-3]


def _forward(attrs: Tensor, faces: Tensor | None, face_idx: Tensor, bary: Tensor) -> Tensor:
    attrs, face_idx, bary = attrs.contiguous(), face_idx.contiguous(), bary.contiguous()
    faces = None if faces is None else faces.contiguous()
    out = attrs.new_empty(*face_idx.shape, attrs.shape[-1])
    sizes = (_num_rows(attrs, faces), attrs.shape[-1], _is_shared(attrs, faces))
    _run("interpolate", faces, face_idx, *sizes, (attrs, bary), out)
    return out


def _bary_vjp(grad: Tensor, attrs: Tensor, faces: Tensor | None, face_idx: Tensor) -> Tensor:
    grad, attrs, face_idx = grad.contiguous(), attrs.contiguous(), face_idx.contiguous()
    faces = None if faces is None else faces.contiguous()
    grad_bary = grad.new_empty(*face_idx.shape, 3)
    sizes = (_num_rows(attrs, faces), attrs.shape[-1], _is_shared(attrs, faces))
    _run("interpolate_bary_vjp", faces, face_idx, *sizes, (grad, attrs), grad_bary)
    return grad_bary


def _attrs_vjp(
    grad: Tensor,
    faces: Tensor | None,
    face_idx: Tensor,
    bary: Tensor,
    num_rows: int,
    shared: bool,
) -> Tensor:
    grad, face_idx, bary = grad.contiguous(), face_idx.contiguous(), bary.contiguous()
    faces = None if faces is None else faces.contiguous()
    grad_attrs = _empty_attrs(grad, faces, face_idx, num_rows, shared)
    sizes = (num_rows, grad.shape[-1], shared)
    _run("interpolate_attrs_vjp", faces, face_idx, *sizes, (grad, bary), grad_attrs)
    return grad_attrs


def _empty_attrs(
    grad: Tensor,
    faces: Tensor | None,
    face_idx: Tensor,
    num_rows: Any,
    shared: bool,
) -> Tensor:
    rows = (num_rows,) if faces is not None else (num_rows // 3, 3)
    views = () if shared else (face_idx.shape[0],)
    return grad.new_empty(*views, *rows, grad.shape[-1])


OPERATORS.impl("interpolate", _forward, "CPU")
OPERATORS.impl("interpolate_bary_vjp", _bary_vjp, "CPU")
OPERATORS.impl("interpolate_attrs_vjp", _attrs_vjp, "CPU")


@torch.library.register_fake("lightning_rast::interpolate")
def _(attrs: Tensor, faces: Tensor | None, face_idx: Tensor, bary: Tensor) -> Tensor:
    return attrs.new_empty(*face_idx.shape, attrs.shape[-1])


@torch.library.register_fake("lightning_rast::interpolate_bary_vjp")
def _(grad: Tensor, attrs: Tensor, faces: Tensor | None, face_idx: Tensor) -> Tensor:
    return grad.new_empty(*face_idx.shape, 3)


@torch.library.register_fake("lightning_rast::interpolate_attrs_vjp")
def _(
    grad: Tensor,
    faces: Tensor | None,
    face_idx: Tensor,
    bary: Tensor,
    num_rows: Any,
    shared: bool,
) -> Tensor:
    return _empty_attrs(grad, faces, face_idx, num_rows, shared)


def _setup_context(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs)


def _interpolate_backward(ctx, grad: Tensor):
    check_gradients("interpolate", grad)
    attrs, faces, face_idx, bary = ctx.saved_tensors
    ops, needed = torch.ops.lightning_rast, ctx.needs_input_grad
    sizes = (_num_rows(attrs, faces), _is_shared(attrs, faces))
    return (
        ops.interpolate_attrs_vjp(grad, faces, face_idx, bary, *sizes) if needed[0] else None,
        None,
        None,
        ops.interpolate_bary_vjp(grad, attrs, faces, face_idx) if needed[3] else None,
    )


def _bary_vjp_backward(ctx, grad_bary: Tensor):
    check_gradients("interpolate", grad_bary)
    grad, attrs, faces, face_idx = ctx.saved_tensors
    ops, needed = torch.ops.lightning_rast, ctx.needs_input_grad
    sizes = (_num_rows(attrs, faces), _is_shared(attrs, faces))
    return (
        ops.interpolate(attrs, faces, face_idx, grad_bary) if needed[0] else None,
        ops.interpolate_attrs_vjp(grad, faces, face_idx, grad_bary, *sizes) if needed[1] else None,
        None,
        None,
    )


def _setup_attrs_vjp_context(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs[:4])


def _attrs_vjp_backward(ctx, grad_attrs: Tensor):
    check_gradients("interpolate", grad_attrs)
    grad, faces, face_idx, bary = ctx.saved_tensors
    ops, needed = torch.ops.lightning_rast, ctx.needs_input_grad
    return (
        ops.interpolate(grad_attrs, faces, face_idx, bary) if needed[0] else None,
        None,
        None,
        ops.interpolate_bary_vjp(grad, grad_attrs, faces, face_idx) if needed[3] else None,
        None,
        None,
    )


torch.library.register_autograd(
    "lightning_rast::interpolate", _interpolate_backward, setup_context=_setup_context
)
torch.library.register_autograd(
    "lightning_rast::interpolate_bary_vjp", _bary_vjp_backward, setup_context=_setup_context
)
torch.library.register_autograd(
    "lightning_rast::interpolate_attrs_vjp",
    _attrs_vjp_backward,
    setup_context=_setup_attrs_vjp_context,
)
