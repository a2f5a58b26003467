"""CUDA side of `transform_points`: memory, streams and registration."""

import ctypes

import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call
from lightning_rast.ops._registry import OPERATORS

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


def _launch(
    name: str,
    inputs: tuple[Tensor, Tensor],
    sizes: tuple[int, int],
    shared: bool,
    outputs: tuple[Tensor, ...],
) -> None:
    argtypes = (_P, _P, _I64, _I64, _I32, *(_P for _ in outputs), _I32, _P)
    name = f"lrast_{name}_{_SUFFIX[inputs[0].dtype]}"
    pointers, results = (map(Tensor.data_ptr, tensors) for tensors in (inputs, outputs))
    arguments = (*pointers, *sizes, shared, *results)
    _cuda_call.launch("transform_points", name, argtypes, inputs[0].device, *arguments)


def _forward(points: Tensor, matrices: Tensor) -> Tensor:
    points, matrices = points.contiguous(), matrices.contiguous()
    sizes = (matrices.shape[0], points.shape[-2])
    out = points.new_empty(*sizes, 4)
    _launch("transform_cuda", (points, matrices), sizes, points.dim() == 2, (out,))
    return out


def _points_vjp(grad: Tensor, matrices: Tensor, shared: bool) -> Tensor:
    grad, matrices = grad.contiguous(), matrices.contiguous()
    sizes = (grad.shape[0], grad.shape[1])
    out = grad.new_empty((sizes[1], 3) if shared else (*sizes, 3))
    _launch("transform_cuda_points_vjp", (grad, matrices), sizes, shared, (out,))
    return out


def _matrices_vjp(grad: Tensor, points: Tensor) -> Tensor:
    grad, points = grad.contiguous(), points.contiguous()
    sizes = (grad.shape[0], grad.shape[1])
    size = _cuda_call.function("lrast_transform_cuda_partial_size", _I64, _I64, restype=_I64)(
        *sizes
    )
    partial = grad.new_empty(size, dtype=torch.float64)
    out = grad.new_empty(sizes[0], 4, 4, dtype=torch.float64)
    _launch("transform_cuda_matrices_vjp", (grad, points), sizes, points.dim() == 2, (partial, out))
    return out


OPERATORS.impl("transform_points", _forward, "CUDA")
OPERATORS.impl("transform_points_vjp", _points_vjp, "CUDA")
OPERATORS.impl("transform_matrices_vjp", _matrices_vjp, "CUDA")
