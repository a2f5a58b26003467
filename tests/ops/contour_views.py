"""Clip-space views of test meshes, written out from the definition of OpenGL's frustum."""

import math

import torch
from torch import Tensor

EYE = (1.1, 0.9, 2.4)


def perspective(fov_deg: float, near: float = 0.01, far: float = 100.0) -> Tensor:
    """Square frustum `(4, 4)` float64; a view looks along -z."""
    scale = 1 / math.tan(math.radians(fov_deg) / 2)
    a, b = (far + near) / (near - far), 2 * far * near / (near - far)
    rows = [[scale, 0, 0, 0], [0, scale, 0, 0], [0, 0, a, b], [0, 0, -1, 0]]
    return torch.tensor(rows, dtype=torch.float64)


def orthographic(half_height: float, depth: float = 10.0) -> Tensor:
    return torch.diag(torch.tensor([1 / half_height, 1 / half_height, -1 / depth, 1])).double()


def look_at(
    eye: tuple[float, float, float], target: tuple[float, float, float] = (0, 0, 0)
) -> Tensor:
    """World to view `(4, 4)` float64, OpenGL axes (x right, y up, z towards the viewer)."""
    position = torch.tensor(eye, dtype=torch.float64)
    back = torch.nn.functional.normalize(position - torch.tensor(target).double(), dim=0)
    up = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    right = torch.nn.functional.normalize(torch.linalg.cross(up, back), dim=0)
    view = torch.eye(4, dtype=torch.float64)
    view[:3, :3] = torch.stack([right, torch.linalg.cross(back, right), back])
    view[:3, 3] = -view[:3, :3] @ position
    return view


def seen_from(
    verts: Tensor,
    eye: tuple[float, float, float] = EYE,
    fov_deg: float = 45.0,
    target: tuple[float, float, float] = (0, 0, 0),
    near: float = 0.01,
) -> Tensor:
    """`verts (V, 3)` to `verts_clip (1, V, 4)` in float64 for a camera at `eye`."""
    return projected(verts, perspective(fov_deg, near=near) @ look_at(eye, target))


def projected(verts: Tensor, world_to_clip: Tensor) -> Tensor:
    homogeneous = torch.cat([verts.double(), verts.new_ones(len(verts), 1).double()], dim=1)
    return (homogeneous @ world_to_clip.T)[None]


def on_screen(xy: Tensor, image_size: tuple[int, int], w: Tensor | None = None) -> Tensor:
    """Points `xy (..., V, 2)` in pixels to clip space `(..., V, 4)` with depth 0 and this `w`."""
    height, width = image_size
    ndc = torch.stack([2 * xy[..., 0] / width - 1, 1 - 2 * xy[..., 1] / height], dim=-1)
    w = torch.ones_like(ndc[..., :1]) if w is None else w[..., None]
    return torch.cat([ndc * w, torch.zeros_like(w), w], dim=-1)
