"""A sum whose bits do not depend on the number of threads."""

import torch
from jaxtyping import Float
from torch import Tensor

_BLOCK = 4096


def steady_sum(values: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """The sum over all elements, differentiable.

    torch shares a sum of more than some ten thousand elements among its threads, and how many
    there are decides the last bit. Blocks of a fixed size are summed each by one thread here, and
    their sums by one thread, too.
    """
    flat = values.flatten()
    if len(flat) <= _BLOCK:
        return flat.sum()
    blocks = torch.nn.functional.pad(flat, (0, -len(flat) % _BLOCK)).reshape(-1, _BLOCK)
    return steady_sum(blocks.sum(dim=1))
