"""Rows by index, and sums by index, with the same bits on every run.

PyTorch adds the gradient of `values[index]` up with atomics, in whatever order the threads come.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from lightning_rast.scene.lazy_property import lazy_property


class Gather:
    """`values[index]` for tensors of `num_rows` rows, and its transpose.

    Where rows are added up (in `summed`, and in the gradient of the other), each row adds its own
    entries in the order of `index`, one after another, whatever the device and the number of
    threads. Differentiable any number of times.
    """

    def __init__(self, index: Int[Tensor, " K"], num_rows: int) -> None:
        self._index = index.long().contiguous()
        self._num_rows = num_rows

    def __call__(self, values: Float[Tensor, "V C"]) -> Float[Tensor, "K C"]:
        """`values[index]`."""
        if not (values.requires_grad and torch.is_grad_enabled()):
            return values[self._index]
        return _Gather.apply(values, self._index, *self._entries)

    def summed(self, values: Float[Tensor, "K C"]) -> Float[Tensor, "V C"]:
        """Row v is the sum of `values[k]` over all k with `index[k] == v`, or 0."""
        return _Sum.apply(values, self._index, *self._entries)

    @lazy_property
    def _entries(self) -> tuple[Tensor, Tensor]:
        """Places in `index`, row by row, and where each row begins among them."""
        order = torch.argsort(self._index, stable=True)
        rows = torch.arange(self._num_rows, device=order.device)
        return order, torch.searchsorted(self._index[order], rows)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, index: Tensor, order: Tensor, offsets: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(index, order, offsets)
        return values[index]

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Sum.apply(grad, *ctx.saved_tensors), None, None, None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, index: Tensor, order: Tensor, offsets: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(index, order, offsets)
        return embedding_bag(order, values.contiguous(), offsets, mode="sum")

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Gather.apply(grad, *ctx.saved_tensors), None, None, None
