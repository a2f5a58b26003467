"""Sums with the same bits for any number of threads."""

import pytest
import torch

from lightning_rast.ops.steady_sum import steady_sum


@pytest.mark.parametrize("count", [0, 1, 4096, 4097, 100_000, 5_000_003])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_thread_counts_agree_bit_for_bit(count, dtype):
    values = torch.randn(count, dtype=dtype)
    threads, found = torch.get_num_threads(), []
    for num_threads in (1, 2, 3, 7):
        torch.set_num_threads(num_threads)
        found.append(steady_sum(values).item())
    torch.set_num_threads(threads)
    assert found[1:] == found[:1] * 3


def test_it_is_the_sum():
    values = torch.randn(3, 5001, dtype=torch.float64)
    torch.testing.assert_close(steady_sum(values), values.sum())


def test_gradients():
    values = torch.randn(2, 2500, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(steady_sum(values.square()), values)
    torch.testing.assert_close(grad, 2 * values)
