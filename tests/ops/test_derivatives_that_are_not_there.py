"""No operator gives a derivative that it does not have: neither zero nor a riddle."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from tests.ops.operator_table import OPERATORS, VERTS

named = pytest.mark.parametrize(("name", "operator"), OPERATORS.items(), ids=OPERATORS)


@named
def test_forward_mode_is_refused(name: str, operator: Callable[[Tensor], Tensor]):
    # Torch would take what an operator in Python lacks for zero.
    with forward_ad.dual_level(), pytest.raises(RuntimeError, match=f"^{name}: .* forward-mode"):
        operator(forward_ad.make_dual(VERTS.clone(), torch.ones_like(VERTS)))


@named
def test_forward_mode_of_a_backward_pass_is_refused(
    name: str, operator: Callable[[Tensor], Tensor]
):
    verts = VERTS.clone().requires_grad_()
    image = operator(verts)
    ones = torch.ones_like(image)
    with forward_ad.dual_level(), pytest.raises(RuntimeError, match="forward-mode"):
        torch.autograd.grad(image, verts, forward_ad.make_dual(ones, ones))


@named
def test_a_call_beside_forward_mode_works(name: str, operator: Callable[[Tensor], Tensor]):
    expected = operator(VERTS)
    with forward_ad.dual_level():
        assert torch.equal(operator(VERTS), expected)


@named
def test_jvp_is_refused(name: str, operator: Callable[[Tensor], Tensor]):
    with pytest.raises(RuntimeError, match=f"^{name}: .* forward-mode"):
        torch.func.jvp(operator, (VERTS,), (VERTS,))


@named
def test_torch_func_grad_is_refused_by_name(name: str, operator: Callable[[Tensor], Tensor]):
    with pytest.raises(RuntimeError, match=f"^{name}: .* torch.func .* use backward"):
        torch.func.grad(lambda verts: operator(verts).sum())(VERTS)


@named
def test_constants_of_torch_func_grad_pass(name: str, operator: Callable[[Tensor], Tensor]):
    grad = torch.func.grad(lambda factor: (factor * operator(VERTS)).sum())(torch.tensor(2.0))
    torch.testing.assert_close(grad.double(), operator(VERTS).sum(), check_dtype=False)


@named
def test_vmap_gives_what_single_calls_give(name: str, operator: Callable[[Tensor], Tensor]):
    many = torch.stack([VERTS, 1.01 * VERTS])
    expected = torch.stack([operator(verts) for verts in many])
    torch.testing.assert_close(torch.vmap(operator)(many), expected)


@named
def test_batches_of_gradients_are_those_of_single_ones(
    name: str, operator: Callable[[Tensor], Tensor]
):
    verts = VERTS.clone().requires_grad_()
    image = operator(verts)
    weights = torch.randn(3, *image.shape, dtype=image.dtype)
    single = [torch.autograd.grad(image, verts, w, retain_graph=True)[0] for w in weights]
    (batch,) = torch.autograd.grad(image, verts, weights, is_grads_batched=True)
    torch.testing.assert_close(batch, torch.stack(single))


@pytest.mark.usefixtures("unchecked")
@named
def test_arrays_of_numpy_are_no_tensors(name: str, operator: Callable[[Tensor], Tensor]):
    with pytest.raises(TypeError, match=rf"^{name}: \w+ must be a torch.Tensor, got ndarray"):
        operator(np.zeros((1, 42, 4)))  # pyright: ignore[reportArgumentType]
