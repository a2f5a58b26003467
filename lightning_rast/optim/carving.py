"""Carving with cameras."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from lightning_rast.ops.carve import carve
from lightning_rast.scene import Camera


def carved(
    distances: Float[Tensor, "N H W"],
    cameras: Camera,
    *,
    origin: Float64[Tensor, "3"],
    cell: float,
    size: Sequence[int],
    ks: tuple[int, int] = (1, 1),
    least_seen: int = 1,
) -> Float[Tensor, "K X Y Z"]:
    """`ops.carve.carve`, which says what it makes and takes, with the views' cameras."""
    return carve(
        distances,
        pixel_from_world(cameras),
        origin=origin.tolist(),
        cell=cell,
        size=list(size),
        near=least_depth(cameras),
        ks=ks,
        least_seen=least_seen,
    )


def pixel_from_world(cameras: Camera) -> Float64[Tensor, "N 3 4"]:
    """Takes (x, y, z, 1) to (column d, row d, d), d the depth, or 1 for parallel rays."""
    K, view = cameras.K.double(), cameras.world_to_view.double()
    if not cameras.orthographic:
        return K @ view[:, :3]
    plane = torch.cat((view[:, :2], view[:, 3:]), dim=1)  # depth is replaced by one
    return K @ plane


def least_depth(cameras: Camera) -> float:
    """What is not deeper than this is behind the camera, or too near to be seen."""
    return 0.0 if cameras.orthographic else cameras.near
