"""Scenes for the proofs that CUDA and CPU kernels of `antialias` agree."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from lightning_rast.ops import rasterize
from lightning_rast.scene import Topology
from tests.ops.antialias_scenes import SCENES
from tests.ops.contour_meshes import crumpled_sheet, nested_shells
from tests.ops.contour_views import look_at, orthographic, projected, seen_from


class Case(NamedTuple):
    """A picture of random colours and the mesh that it shows."""

    image: Tensor
    face_idx: Tensor
    verts_clip: Tensor
    topology: Topology
    face_ranges: Tensor | None = None
    cull: Literal["none", "back", "front"] = "none"
    premultiplied: bool = False


def views(verts: Tensor) -> Tensor:
    """From outside, from close by with faces cut by the near plane, and without perspective."""
    close = seen_from(verts, eye=(0.2, 0.5, 0.9), near=0.3)
    parallel = projected(verts, orthographic(1.2) @ look_at((1.1, 0.9, 2.4)))
    return torch.cat([seen_from(verts), close, parallel])


def pictured(
    verts_clip: Tensor,
    faces: Tensor,
    image_size: tuple[int, int],
    dtype: torch.dtype = torch.float32,
    num_channels: int = 3,
    **drawing: Any,
) -> Case:
    verts_clip = verts_clip.to(dtype)
    topology = Topology.from_faces(faces, verts_clip.shape[1])
    premultiplied = drawing.pop("premultiplied", False)
    face_idx = rasterize(verts_clip, topology.faces, image_size, **drawing).face_idx
    generator = torch.Generator().manual_seed(0)
    shape = (*face_idx.shape, num_channels)
    image = torch.rand(shape, generator=generator, dtype=dtype) * 5 - 2
    if premultiplied:
        image = image * (face_idx >= 0)[..., None]
    return Case(image, face_idx, verts_clip, topology, **drawing, premultiplied=premultiplied)


def _scene(name: str, level: int):
    scene = SCENES[name](level)
    return scene.verts, scene.faces


MESHES = {
    "occluding": _scene("occluding", 3),
    "crossing": _scene("crossing", 3),
    "crossing, faces below a pixel": _scene("crossing", 5),
    "ring": _scene("ring", 2),
    "crumpled": (crumpled_sheet(20).verts, crumpled_sheet(20).faces),
    "nested": (nested_shells().verts, nested_shells().faces),
}
