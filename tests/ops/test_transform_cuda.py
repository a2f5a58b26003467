"""`transform_points` on a GPU: against the CPU, repeatable, without stalls."""

import pytest
import torch

from lightning_rast.ops import transform_points
from tests.ops.transform_cases import case, outputs

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_view"])
@pytest.mark.parametrize(("num_views", "num_verts"), [(0, 3), (3, 0), (1, 1), (20, 10_000)])
def test_as_on_the_cpu(num_views, num_verts, shared, dtype):
    inputs = case(num_views, num_verts, shared=shared, dtype=dtype)
    expected = outputs(*inputs)
    actual = [x.cpu() for x in outputs(*(x.cuda() for x in inputs))]
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])
    # Summed over blocks of another size than on the CPU.
    torch.testing.assert_close(actual[2], expected[2], rtol=1e-11, atol=1e-10)


def test_every_run_has_the_same_bits():
    inputs = [x.cuda() for x in case(20, 10_000, shared=True, dtype=torch.float32)]
    first = outputs(*inputs)
    for _ in range(20):
        assert all(torch.equal(a, b) for a, b in zip(outputs(*inputs), first, strict=True))


def test_the_host_never_waits(never_waiting):
    torch.cuda.set_sync_debug_mode("default")  # copies to the device are no part of the claim
    inputs = [x.cuda() for x in case(3, 500, shared=True)]
    torch.cuda.set_sync_debug_mode("error")
    outputs(*inputs)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_view"])
def test_registration(shared: bool):
    points, matrices, _ = (x.cuda() for x in case(2, 5, shared=shared))
    leaves = points.requires_grad_(), matrices.requires_grad_()
    torch.library.opcheck(torch.ops.lightning_rast.transform_points.default, leaves)


def test_devices_must_agree():
    with pytest.raises(ValueError, match="points is on cuda:0, matrices on cpu"):
        transform_points(torch.zeros(5, 3, device="cuda"), torch.zeros(2, 4, 4).double())
