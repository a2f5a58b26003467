"""Scenes that the proofs of `soft_coverage` run on, with options for each semantics."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tests.ops.contour_meshes import Surface, icosphere, sheet, surface
from tests.ops.contour_views import orthographic, projected, seen_from
from tests.reference import soft_coverage as reference

SOFTNESS = {"pixel": 0.7, "softras": 2e-3, "pytorch3d": 2e-3}


class Scene(NamedTuple):
    verts_clip: Tensor
    faces: Tensor
    image_size: tuple[int, int]


def options(semantics: str, faces_per_pixel: int = 50) -> dict[str, Any]:
    """Keyword arguments of `soft_coverage` for moderately soft pictures of 20 to 40 pixels."""
    chosen: dict[str, Any] = {"semantics": semantics, "sigma": SOFTNESS[semantics]}
    if semantics == "pytorch3d":
        chosen["faces_per_pixel"] = faces_per_pixel
    return chosen


def expected(scene: Scene, semantics: str, faces_per_pixel: int = 50) -> Tensor:
    """What the reference says to the same options."""
    inputs = (scene.verts_clip.double(), scene.faces, scene.image_size)
    sigma = SOFTNESS[semantics]
    if semantics == "pixel":
        return reference.pixel(*inputs, sigma=sigma)
    if semantics == "softras":
        return reference.softras(*inputs, sigma=sigma)
    blur_radius = 9.21024036697585 * sigma  # log(1 / 1e-4 - 1) sigma
    return reference.pytorch3d(
        *inputs, sigma=sigma, blur_radius=blur_radius, faces_per_pixel=faces_per_pixel
    )


def wide(verts_clip: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Square pixels in a picture that is not square."""
    return verts_clip * torch.tensor([image_size[0] / image_size[1], 1, 1, 1]).double()


def sphere_scene() -> Scene:
    """A small sphere, front and back faces, in a picture of two and a half tiles."""
    return Scene(wide(seen_from(icosphere(2).verts), (22, 37)), icosphere(2).faces, (22, 37))


def cut_scene() -> Scene:
    """The near plane cuts the front of a sphere off."""
    verts_clip = torch.cat(
        [seen_from(icosphere(1).verts, near=2.1), seen_from(icosphere(1).verts, near=2.6)]
    )
    return Scene(verts_clip, icosphere(1).faces, (24, 20))


def inside_scene() -> Scene:
    """The camera is inside the mesh; most faces have corners behind it."""
    return Scene(seen_from(icosphere(1).verts, eye=(0.1, 0.2, 0.3)), icosphere(1).faces, (20, 20))


def orthographic_scene() -> Scene:
    mesh = sheet(6)
    turn = torch.linalg.qr(torch.from_numpy(np.sin(np.arange(9.0).reshape(3, 3)) + np.eye(3)))[0]
    return Scene(projected(mesh.verts @ turn, orthographic(1.1)), mesh.faces, (24, 24))


def soup_scene(num_faces: int = 60, size: int = 40, seed: int = 0, thinness: float = 0.98) -> Scene:
    """Random triangles of all sizes and depths, through each other, thin ones too."""
    generator = torch.Generator().manual_seed(seed)
    ndc = torch.rand(num_faces, 1, 2, generator=generator).double() * 2.4 - 1.2
    reach = torch.rand(num_faces, 1, 1, generator=generator).double() ** 3 + 0.02
    offset = torch.randn(num_faces, 3, 2, generator=generator).double()
    offset[::7, 1] = thinness * offset[::7, 0]
    xy = (ndc + reach * offset).reshape(-1, 2)
    w = 1 + 3 * torch.rand(len(xy), 1, generator=generator).double()
    verts_clip = torch.cat([xy * w, w - 0.2, w], dim=1)[None]
    faces = torch.arange(3 * num_faces, dtype=torch.int32).reshape(-1, 3)
    return Scene(verts_clip, faces, (size, size))


def sliver_scene(num_views: int = 400, height: float = 1e-9, size: int = 32) -> Scene:
    """A triangle about as thin as rounding in each view, through the centre of a pixel, before one
    that fills the picture. Every other view is orthographic."""
    generator = torch.Generator().manual_seed(0)
    pixel = torch.randint(0, size, (num_views, 1, 2), generator=generator).double()
    angle = 2 * torch.pi * torch.rand(num_views, 1, generator=generator).double()
    along = torch.stack([angle.cos(), angle.sin()], dim=-1)
    across = torch.stack([-angle.sin(), angle.cos()], dim=-1)
    thin = (pixel + 0.5) / (size / 2) - 1 + along * torch.tensor([[-0.7], [0.8], [0.11]]).double()
    thin[:, 2:] += height * across
    wide = torch.tensor([[-30.0, -30], [30, -30], [0, 30]]).double().expand(num_views, 3, 2)
    w = torch.tensor([2.0, 2.1, 2.2, 5, 5, 5]).double().expand(num_views, 6).clone()
    w[1::2] = 2.0
    z = torch.tensor([0.0, 0, 0, 1, 1, 1]).double().expand(num_views, 6)
    verts_clip = torch.cat(
        [torch.cat([thin, wide], dim=1) * w[..., None], z[..., None], w[..., None]], -1
    )
    faces = torch.arange(6, dtype=torch.int32).reshape(2, 3)
    return Scene(verts_clip, faces, (size, size))


def one_triangle() -> Surface:
    return surface([[-0.6, -0.5, 0], [0.7, -0.4, 0.2], [0.1, 0.6, -0.1]], [[0, 1, 2]])


SCENES = {
    "sphere": sphere_scene,
    "cut at the near plane": cut_scene,
    "camera inside": inside_scene,
    "orthographic": orthographic_scene,
    "soup": soup_scene,
}
