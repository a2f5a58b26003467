"""The CUDA kernels of `transform_points`, run on the CPU, against the CPU's own.

Threads and blocks run in several orders, and all memory starts as rubbish.
"""

import ctypes
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import transform, transform_cuda
from tests.cuda_shim.on_the_cpu import (
    FORWARD,
    REVERSE,
    SHUFFLED,
    cuda_is,
    fill_new_tensors,
    kernels_of,
)
from tests.ops.transform_cases import case


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    return kernels_of("transform", folder=tmp_path_factory.mktemp("shim"))


@pytest.fixture(autouse=True)
def on_the_cpu(library, monkeypatch) -> Iterator[None]:
    fill_new_tensors(monkeypatch)
    with cuda_is(library, monkeypatch):
        yield


def outputs(side, points: Tensor, matrices: Tensor, grad: Tensor) -> tuple[Tensor, ...]:
    return (
        side._forward(points, matrices),
        side._points_vjp(grad, matrices, points.dim() == 2),
        side._matrices_vjp(grad, points),
    )


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_view"])
@pytest.mark.parametrize(
    ("num_views", "num_verts"), [(0, 0), (0, 3), (3, 0), (1, 1), (3, 257), (17, 40), (2, 4100)]
)
def test_as_on_the_cpu(library, num_views, num_verts, shared, dtype, order):
    library.cuda_shim_order(order, 5)
    inputs = case(num_views, num_verts, shared=shared, dtype=dtype)
    actual, expected = outputs(transform_cuda, *inputs), outputs(transform, *inputs)
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])
    # Summed over blocks of another size than on the CPU.
    torch.testing.assert_close(actual[2], expected[2], rtol=1e-12, atol=1e-11)


def test_the_order_of_threads_does_not_show(library):
    inputs = case(3, 4100, shared=True)
    results = []
    for order in (FORWARD, REVERSE, SHUFFLED):
        library.cuda_shim_order(order, 9)
        results.append(transform_cuda._matrices_vjp(inputs[2], inputs[0]))
    assert all(torch.equal(result, results[0]) for result in results)
