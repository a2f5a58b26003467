"""Weights of a picture's columns, to make a loss of it."""

import torch
from torch import Tensor


def column_weights(picture: Tensor, width: int) -> Tensor:
    """(W,), in the type and on the device of a picture: the same bits on every device.

    `linspace` is not: a GPU rounds a product and a sum at once.
    """
    return torch.arange(width, dtype=picture.dtype, device=picture.device) / 64 - 0.4
