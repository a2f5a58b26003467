"""The CUDA kernels of `interpolate`, run on the CPU, against the CPU's own.

Threads and blocks run in several orders, and all memory starts as rubbish.
"""

import ctypes
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import interpolate_cuda
from tests.cuda_shim.on_the_cpu import (
    FORWARD,
    REVERSE,
    SHUFFLED,
    cuda_is,
    fill_new_tensors,
    kernels_of,
)
from tests.ops.interpolate_gpu_cases import SHAPES, Case, case


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    return kernels_of("interpolate", folder=tmp_path_factory.mktemp("shim"))


@pytest.fixture(autouse=True)
def on_the_cpu(library, monkeypatch) -> Iterator[None]:
    fill_new_tensors(monkeypatch)
    with cuda_is(library, monkeypatch):
        yield


def on_the_gpu(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """The result, and the gradients of weights and attributes."""
    attrs, faces, face_idx, bary, grad = case
    sizes = (interpolate_cuda._num_rows(attrs, faces), interpolate_cuda._is_shared(attrs, faces))
    return (
        interpolate_cuda._forward(attrs, faces, face_idx, bary),
        interpolate_cuda._bary_vjp(grad, attrs, faces, face_idx),
        interpolate_cuda._attrs_vjp(grad, faces, face_idx, bary, *sizes),
    )


def expected(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    attrs, faces, face_idx, bary, grad = case
    ops = torch.ops.lightning_rast
    sizes = (interpolate_cuda._num_rows(attrs, faces), interpolate_cuda._is_shared(attrs, faces))
    return (
        ops.interpolate(attrs, faces, face_idx, bary),
        ops.interpolate_bary_vjp(grad, attrs, faces, face_idx),
        ops.interpolate_attrs_vjp(grad, faces, face_idx, bary, *sizes),
    )


def assert_same(case: Case) -> None:
    actual, wanted = on_the_gpu(case), expected(case)
    assert torch.equal(actual[0], wanted[0])
    assert torch.equal(actual[1], wanted[1])
    # Both sum in higher precision and round once, in another order.
    tolerance = 1e-13 if case.attrs.dtype == torch.float64 else 2e-7
    torch.testing.assert_close(actual[2], wanted[2], rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_view"])
@pytest.mark.parametrize("by_vertex", [True, False], ids=["vertex", "corner"])
@pytest.mark.parametrize("shape", SHAPES)
def test_as_on_the_cpu(library, shape, by_vertex, shared, dtype, order):
    library.cuda_shim_order(order, 5)
    assert_same(case(shape, by_vertex=by_vertex, shared=shared, dtype=dtype))


@pytest.mark.parametrize("num_channels", [0, 1, 2, 4, 5, 31, 32, 33, 70])
def test_any_number_of_channels(num_channels):
    assert_same(case((2, 9, 11), num_channels=num_channels))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_the_order_of_threads_does_not_show(library, dtype):
    results = []
    for order, seed in ((FORWARD, 0), (REVERSE, 0), (SHUFFLED, 1), (SHUFFLED, 2)):
        library.cuda_shim_order(order, seed)
        results.append(on_the_gpu(case((2, 40, 30), dtype=dtype))[2])
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("bad", [-2, 23, 2**31 - 1])
def test_a_pixel_whose_face_does_not_exist_is_nan_and_has_no_gradient(bad):
    good = case((1, 6, 8))
    face_idx = good.face_idx.clone()
    face_idx[0, 3, 4] = bad
    out, grad_bary, grad_attrs = on_the_gpu(good._replace(face_idx=face_idx))
    background = good.face_idx.clone()
    background[0, 3, 4] = -1
    wanted = expected(good._replace(face_idx=background))
    assert out[0, 3, 4].isnan().all()
    assert out.isnan().sum() == 3
    assert torch.equal(grad_bary, wanted[1])
    torch.testing.assert_close(grad_attrs, wanted[2], rtol=2e-7, atol=1e-12)


def test_a_pixel_whose_vertex_does_not_exist_is_nan_and_has_no_gradient():
    good = case((1, 6, 8))
    face = int(good.face_idx.max())
    assert good.faces is not None
    faces = good.faces.clone()
    faces[face, 1] = 15
    out, grad_bary, grad_attrs = on_the_gpu(good._replace(faces=faces))
    at = good.face_idx == face
    assert torch.equal(out.isnan().any(dim=-1), at)
    assert (grad_bary[at] == 0).all()
    assert grad_attrs.isfinite().all()


def test_a_gradient_that_is_not_finite_stays_with_its_rows():
    good = case((1, 6, 8), by_vertex=False)
    grad = good.grad.clone()
    grad[0, 2, 5] = torch.inf
    face = int(good.face_idx[0, 2, 5])
    assert face >= 0
    grad_attrs = on_the_gpu(good._replace(grad=grad))[2]
    assert torch.equal(grad_attrs.isfinite().all(dim=(1, 2)), torch.arange(23) != face)
