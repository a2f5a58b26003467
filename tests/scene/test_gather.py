"""Rows by index and sums by index: each is the other's gradient."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from lightning_rast.scene.gather import Gather

INDEX = torch.tensor([4, 0, 0, 2, 4, 4])  # rows 1, 3 and 5 are not used


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gathering_is_indexing(dtype):
    values = torch.randn(6, 3, dtype=dtype)
    assert torch.equal(Gather(INDEX, 6)(values), values[INDEX])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_is_that_of_indexing(dtype):
    values = torch.randn(6, 3, dtype=dtype, requires_grad=True)
    grad = torch.randn(6, 3, dtype=dtype)
    torch.testing.assert_close(
        torch.autograd.grad(Gather(INDEX, 6)(values), values, grad),
        torch.autograd.grad(values[INDEX], values, grad),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_summing_adds_rows_where_the_index_says(dtype):
    values = torch.randn(6, 3, dtype=dtype)
    expected = torch.zeros(7, 3, dtype=dtype).index_add(0, INDEX, values)
    torch.testing.assert_close(Gather(INDEX, 7).summed(values), expected)


def test_both_are_differentiable_twice():
    gather = Gather(INDEX, 6)
    values = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    for function in (gather, gather.summed):
        assert gradcheck(function, values)
        assert gradgradcheck(lambda v, f=function: f(v).square(), values)


def test_a_gather_of_nothing_has_no_gradient():
    values = torch.randn(2, 3, requires_grad=True)
    Gather(torch.zeros(0, dtype=torch.int32), 2)(values).sum().backward()
    assert (values.grad == 0).all()
