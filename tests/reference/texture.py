"""Texture lookups written out texel by texel, in plain PyTorch.

Points (P, 2) of one texture (H, W, C). Levels are averages of a texture that is refined until all
stretches hold whole texels; texels are counted from the whole plane, and wrapped one by one.
"""

import math

import torch
from torch import Tensor


def mip_levels(texture: Tensor) -> list[Tensor]:
    levels = [texture]
    while max(levels[-1].shape[:2]) > 1:
        level = levels[-1]
        for dim in (0, 1):
            size, half = level.shape[dim], max(1, level.shape[dim] // 2)
            common = math.lcm(size, half)
            fine = level.repeat_interleave(common // size, dim)
            level = fine.unflatten(dim, (half, common // half)).mean(dim=dim + 1)
        levels.append(level)
    return levels


def nearest(texture: Tensor, uv: Tensor, wrap: str) -> Tensor:
    height, width, _ = texture.shape
    size = torch.tensor((width, height))
    if wrap == "clamp":
        uv = uv.clamp(0, 1)
    column, row = (uv * size).floor().long().unbind(-1)
    return texture[_texel(row, height, wrap), _texel(column, width, wrap)]


def bilinear(texture: Tensor, uv: Tensor, wrap: str) -> Tensor:
    height, width, _ = texture.shape
    if wrap == "clamp":
        uv = uv.clamp(0, 1)
    x, y = uv[:, 0] * width - 0.5, uv[:, 1] * height - 0.5
    column, row = x.detach().floor(), y.detach().floor()
    total = texture.new_zeros(len(uv), texture.shape[2])
    for down in (0, 1):
        for right in (0, 1):
            weight_x = x - column if right else 1 - (x - column)
            weight_y = y - row if down else 1 - (y - row)
            rows = _texel(row.long() + down, height, wrap)
            columns = _texel(column.long() + right, width, wrap)
            total = total + (weight_x * weight_y)[:, None] * texture[rows, columns]
    return total


def mipmap(texture: Tensor, uv: Tensor, wrap: str, uv_dx: Tensor, uv_dy: Tensor) -> Tensor:
    size = torch.tensor((texture.shape[1], texture.shape[0]))
    levels = mip_levels(texture)
    longest = torch.maximum((uv_dx * size).norm(dim=1), (uv_dy * size).norm(dim=1))
    level = longest.log2().clamp(0, len(levels) - 1)
    colours = torch.stack([bilinear(picture, uv, wrap) for picture in levels])
    number = torch.arange(len(levels), dtype=uv.dtype)
    weights = (1 - (level - number[:, None]).abs()).clamp(min=0)
    return (weights[..., None] * colours).sum(dim=0)


def _texel(number: Tensor, size: int, wrap: str) -> Tensor:
    """Which texel lies at each whole number of the plane."""
    if wrap == "repeat":
        return number % size
    if wrap == "clamp":
        return number.clamp(0, size - 1)
    there_and_back = number % (2 * size)
    return torch.where(there_and_back < size, there_and_back, 2 * size - 1 - there_and_back)
