"""Matt surfaces under three lights: enough to see a shape by. Colours are linear, 0..1."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.scene import Camera


@dataclass(frozen=True, kw_only=True)
class Lights:
    """What falls on a surface; a white one that faces a light of strength 1 is white.

    ambient: from everywhere, half as much from below (-y of the world) as from above.
    headlight: from where the camera is.
    sun: parallel rays, no shadows.
    sun_direction: towards the sun, of any length. By default over the viewer's left shoulder.
    sun_follows_camera: `sun_direction` is in view coordinates (x right, y down, z forward), so
        that every view of a turntable is lit alike; else in the world's.
    """

    ambient: float = 0.2
    headlight: float = 0.1
    sun: float = 0.8
    sun_direction: tuple[float, float, float] = (-0.55, -0.6, -0.6)
    sun_follows_camera: bool = True


def shaded(
    albedo: Float[Tensor, "N H W C"],
    normals: Float[Tensor, "N H W 3"],
    camera: Camera,
    lights: Lights,
) -> Float[Tensor, "N H W C"]:
    """`albedo` times the light on it [Lambert 1760].

    normals: in the world, of length 1, of the side that the camera sees; where there is none
    (zero), only light from half of the sky is left. Differentiable in everything.
    """
    light = lights.ambient * (0.75 + 0.25 * normals[..., 1:2])
    if lights.headlight:
        facing = (normals * directions_to_camera(camera, normals.dtype)).sum(dim=3, keepdim=True)
        light = light + lights.headlight * facing.clamp(min=0)
    if lights.sun:
        light = light + lights.sun * _towards_sun(normals, camera, lights).clamp(min=0)
    return albedo * light


def directions_to_camera(camera: Camera, dtype: torch.dtype) -> Float[Tensor, "N H W 3"]:
    """Unit vectors in the world, from what is seen at each pixel's centre towards the camera."""
    height, width = camera.image_size
    right, down, forward = camera.world_to_view[:, :3, :3].double().unbind(1)
    if camera.orthographic:
        return -forward[:, None, None].to(dtype).expand(-1, height, width, 3)
    # K without its last row, (0, 0, 1), solved for x and y at z = 1: linear in column and row.
    (a, b, left), (c, d, top) = (
        line.split(1, dim=1) for line in camera.K[:, :2].double().unbind(1)
    )
    determinant = a * d - b * c
    along_row = (d * right - c * down) / determinant
    along_column = (a * down - b * right) / determinant
    corner = forward - left * along_row - top * along_column
    along_row, along_column, corner = (
        vector[:, None, None].to(dtype) for vector in (along_row, along_column, corner)
    )
    row, column = (
        torch.arange(side, dtype=dtype, device=corner.device) + 0.5 for side in (height, width)
    )
    rays = corner + row[:, None, None] * along_column + column[:, None] * along_row
    return rays / -rays.square().sum(dim=3, keepdim=True).sqrt()


def _towards_sun(normals: Tensor, camera: Camera, lights: Lights) -> Float[Tensor, "N H W 1"]:
    """Cosine of the angle between the normals and the sun."""
    length = math.hypot(*lights.sun_direction)
    x, y, z = (value / length for value in lights.sun_direction)
    if not lights.sun_follows_camera:
        return x * normals[..., :1] + y * normals[..., 1:2] + z * normals[..., 2:]
    right, down, forward = camera.world_to_view[:, :3, :3].to(normals).unbind(1)
    direction = x * right + y * down + z * forward
    return (normals * direction[:, None, None]).sum(dim=3, keepdim=True)


def srgb_from_linear(linear: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """For files and screens; values are clamped to 0..1 first (IEC 61966-2-1)."""
    linear = linear.clamp(0, 1)
    bright = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, bright)


def linear_from_srgb(srgb: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """The inverse of `srgb_from_linear`: for colours from image files and colour pickers."""
    srgb = srgb.clamp(0, 1)
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
