"""Exact area averaging of images: what a sensor with larger pixels would have measured.

Coverage is a box-filtered quantity, so averaging it over the area of a coarser pixel gives
exactly the coverage of that pixel: a pyramid built this way and a silhouette rendered at the
coarse size agree at every level.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def area_average(images: Float[Tensor, "N H W"], image_size: tuple[int, int]) -> Tensor:
    """Resize by averaging over each new pixel's footprint, for any ratio, to (N, *image_size).

    Border pixels of a footprint count with the fraction that lies inside. Enlarging repeats
    pixels (with the same exactness). Not differentiable.

    Raises:
        ValueError: if a side of `image_size` is less than 1.
    """
    if min(image_size) < 1:
        raise ValueError(f"area_average: image_size must be at least 1 x 1, got {image_size}")
    with torch.no_grad():
        rows = _average_last_axis(images.transpose(1, 2), image_size[0])
        return _average_last_axis(rows.transpose(1, 2), image_size[1]).contiguous()


def downscaled_size(image_size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Each side divided by `factor`, rounded, at least one pixel."""
    return max(1, round(image_size[0] / factor)), max(1, round(image_size[1] / factor))


def _average_last_axis(images: Tensor, size: int) -> Tensor:
    old_size = images.shape[-1]
    if size == old_size:
        return images
    if old_size % size == 0:
        return images.unflatten(-1, (size, old_size // size)).mean(dim=-1)
    # The integral up to a position between two pixels is linear in it, so a running sum
    # interpolated at the footprints' borders gives fractional pixels exactly.
    integral = torch.nn.functional.pad(images.double().cumsum(dim=-1), (1, 0))
    borders = torch.arange(size + 1, device=images.device).double() * (old_size / size)
    left = borders.floor().long().clamp(max=old_size - 1)
    fraction = borders - left
    at_borders = torch.lerp(integral[..., left], integral[..., left + 1], fraction)
    return (at_borders.diff(dim=-1) * (size / old_size)).to(images.dtype)
