"""Cameras around an object."""

import math
from collections.abc import Sequence
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.render.options import UpAxis
from lightning_rast.scene import Camera, Mesh
from lightning_rast.scene.projection import look_at_rotation
from lightning_rast.scene.upwards import turn_from_y

_FILL = 0.94  # of the image's height or width, by the object
# Of the object's radius: no closer, however small it looks from there.
_LEAST_DISTANCE = 1.2


def turntable_cameras(
    mesh: Mesh,
    num_views: int,
    *,
    image_size: tuple[int, int] = (400, 400),
    fov_deg: float | None = 30.0,
    elevation_deg: float = 20.0,
    up: UpAxis | Sequence[float] = "y",
) -> Camera:
    """Cameras evenly around a mesh, as near as all of them still see the whole of it.

    They look at the centre of its bounding box, the first one from +z (with up="z": from -y), the
    next ones from further to the right. up: an axis, or any direction; the first camera then turns
    with it the short way from y. `fov_deg` is vertical; None makes the cameras orthographic. On the
    CPU.

    Raises:
        ValueError: the mesh has no faces, its vertices are not finite, or `up` is no direction.
    """
    low, high = mesh.bounds.detach().double().cpu()
    center = (low + high) / 2
    used = mesh.faces.reshape(-1).long().unique()
    verts = mesh.verts.detach()[used].double().cpu() - center
    radius = max(float(verts.norm(dim=1).max()), 1e-12)
    if not math.isfinite(radius):
        raise ValueError("turntable_cameras: the mesh has vertices that are not finite")
    height, width = image_size
    outwards, upwards = _directions(num_views, math.radians(elevation_deg), up)
    axes = look_at_rotation(outwards, torch.zeros_like(outwards), upwards)
    # What the image shows on either side of its middle, for each unit of its height.
    frame = torch.tensor([width / height, 1.0], dtype=torch.float64, device="cpu") * _FILL
    if fov_deg is None:
        half_heights = [((verts @ view[:2].mT).abs() / frame).max() for view in axes.unbind()]
        return Camera.orthographic_look_at(
            center + 2 * radius * outwards,
            center,
            upwards,
            height=2 * float(torch.stack(half_heights).max()),
            image_size=image_size,
            near=1e-3 * radius,
            far=1e3 * radius,
        )
    frame = frame * math.tan(math.radians(fov_deg) / 2)
    distances = [
        ((verts @ view[:2].mT).abs() / frame).amax(dim=1).sub(verts @ view[2]).max()
        for view in axes.unbind()
    ]
    distance = max(float(torch.stack(distances).max()), _LEAST_DISTANCE * radius)
    return Camera.look_at(
        center + distance * outwards,
        center,
        upwards,
        fov_deg=fov_deg,
        image_size=image_size,
        near=1e-3 * distance,
        far=1e3 * distance,
    )


def _directions(
    num_views: int, elevation: float, up: UpAxis | Sequence[float]
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"]]:
    """Towards the cameras, and upwards in their images."""
    azimuth = torch.arange(num_views, dtype=torch.float64, device="cpu") * (2 * math.pi / num_views)
    sine, cosine = azimuth.sin(), azimuth.cos()
    flat, steep = math.cos(elevation), math.sin(elevation)
    level = torch.ones_like(azimuth)
    outwards = torch.stack((flat * sine, steep * level, flat * cosine), dim=1)
    upwards = torch.stack((-steep * sine, flat * level, -steep * cosine), dim=1)
    turn = turn_from_y(_direction(up))
    return outwards @ turn.mT, upwards @ turn.mT


def _direction(up: UpAxis | Sequence[float]) -> Sequence[float]:
    axes = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
    if isinstance(up, str) and up in get_args(UpAxis):
        axis = axes[up[-1]]
        return [-each for each in axis] if up[0] == "-" else axis
    if isinstance(up, str) or len(up) != 3:
        raise ValueError(
            f"turntable_cameras: up must be one of x, y, z, -x, -y, -z or three numbers, got {up!r}"
        )
    if not 0 < math.hypot(*up) < math.inf:
        raise ValueError(f"turntable_cameras: up must be a direction, got {list(up)}")
    return up
