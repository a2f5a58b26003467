"""`interpolate` on a GPU: against the CPU, repeatable, without stalls, in a CUDA graph.

`compute-sanitizer --tool memcheck python -m pytest -m cuda tests/ops/test_interpolate_cuda.py`
looks for accesses out of bounds, and with `--tool racecheck`, `initcheck` or `synccheck` for races
in shared memory, uninitialised reads and misused barriers. All should report no error.
"""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import interpolate
from tests.ops.interpolate_gpu_cases import SHAPES, Case, case

pytestmark = pytest.mark.cuda


def on_gpu(case: Case) -> Case:
    return Case(*(None if tensor is None else tensor.cuda() for tensor in case))


def outputs(case: Case) -> tuple[Tensor, ...]:
    """The result, and the gradients of attributes and weights."""
    attrs, bary = (tensor.detach().requires_grad_() for tensor in (case.attrs, case.bary))
    fragments = SimpleNamespace(face_idx=case.face_idx, bary=bary)
    out = interpolate(attrs, case.faces, fragments)
    return out.detach(), *torch.autograd.grad(out, (attrs, bary), case.grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_view"])
@pytest.mark.parametrize("by_vertex", [True, False], ids=["vertex", "corner"])
@pytest.mark.parametrize("num_channels", [1, 3, 33])
@pytest.mark.parametrize("shape", [*SHAPES, (4, 300, 500)])
def test_as_on_the_cpu(shape, num_channels, by_vertex, shared, dtype):
    on_cpu = case(shape, num_channels=num_channels, by_vertex=by_vertex, shared=shared, dtype=dtype)
    expected = outputs(on_cpu)
    actual = [tensor.cpu() for tensor in outputs(on_gpu(on_cpu))]
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[2], expected[2])
    tolerance = 1e-12 if dtype == torch.float64 else 2e-7
    torch.testing.assert_close(actual[1], expected[1], rtol=tolerance, atol=1e-11)


def test_every_run_has_the_same_bits():
    on_device = on_gpu(case((4, 300, 500)))
    first = outputs(on_device)
    for _ in range(20):
        assert all(torch.equal(a, b) for a, b in zip(outputs(on_device), first, strict=True))


def test_the_host_never_waits(never_waiting):
    torch.cuda.set_sync_debug_mode("default")  # copies to the device are no part of the claim
    on_device = on_gpu(case((2, 13, 17)))
    torch.cuda.set_sync_debug_mode("error")
    outputs(on_device)


def test_a_captured_graph_follows_its_input():
    inputs = on_gpu(case((2, 40, 50)))
    expected = [outputs(inputs._replace(attrs=k * inputs.attrs)) for k in (1.0, 2.0)]
    still = inputs._replace(attrs=inputs.attrs.clone())
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        outputs(still)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = outputs(still)
    for k, wanted in zip((1.0, 2.0), expected, strict=True):
        still.attrs.copy_(k * inputs.attrs)
        graph.replay()
        assert all(torch.equal(a, b) for a, b in zip(captured, wanted, strict=True))


def test_registration():
    attrs, faces, face_idx, bary, _ = on_gpu(case((2, 5, 6), dtype=torch.float64))
    inputs = (attrs.requires_grad_(), faces, face_idx, bary.requires_grad_())
    torch.library.opcheck(torch.ops.lightning_rast.interpolate.default, inputs)
