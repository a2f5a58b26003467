"""Rows by index, with a gradient that has the same bits on every run.

PyTorch adds the gradient of `values[index]` up with atomics, in whatever order the threads come.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag


class Gather:
    """`values[index]` for tensors of `num_rows` rows.

    In the gradient each row adds up its own entries in the order of `index`, one after another,
    whatever the device and the number of threads.
    """

    def __init__(self, index: Int[Tensor, " K"], num_rows: int) -> None:
        self._index = index.long().contiguous()
        self._order = torch.argsort(self._index, stable=True)
        rows = torch.arange(num_rows, device=index.device)
        self._offsets = torch.searchsorted(self._index[self._order], rows)

    def __call__(self, values: Float[Tensor, "V C"]) -> Float[Tensor, "K C"]:
        return _Gather.apply(values, self._index, self._order, self._offsets)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, index: Tensor, order: Tensor, offsets: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(order, offsets)
        return values[index]

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        order, offsets = ctx.saved_tensors
        return embedding_bag(order, grad.contiguous(), offsets, mode="sum"), None, None, None
