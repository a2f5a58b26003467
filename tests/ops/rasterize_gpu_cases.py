"""Scenes for the proofs that CUDA and CPU kernels of `rasterize` agree."""

from typing import NamedTuple

import torch
from torch import Tensor

from tests.ops.contour_meshes import Surface, bumpy_sphere, crumpled_sheet, nested_shells, torus
from tests.ops.contour_views import look_at, on_screen, orthographic, projected, seen_from


class Case(NamedTuple):
    """Arguments of the operator."""

    verts_clip: Tensor
    faces: Tensor
    face_ranges: Tensor | None
    height: int
    width: int
    cull: str = "none"
    num_layers: int | None = None


MESHES = {
    "torus": torus(),
    "bumpy": bumpy_sphere(3),
    "crumpled": crumpled_sheet(20),
    "nested": nested_shells(),
}


def views(mesh: Surface, dtype: torch.dtype = torch.float32) -> Tensor:
    """From outside, from close by with faces cut by the near plane, and without perspective."""
    close = seen_from(mesh.verts, eye=(0.2, 0.1, 0.9), near=0.5)
    parallel = projected(mesh.verts, orthographic(1.2) @ look_at((1.1, 0.9, 2.4)))
    return torch.cat([seen_from(mesh.verts), close, parallel]).to(dtype)


def large_faces(image_size: tuple[int, int], num_faces: int = 40, seed: int = 0) -> Case:
    """Faces from a few pixels to many times the image, slivers among them, some behind the eye."""
    generator = torch.Generator().manual_seed(seed)
    size = 10 ** (3 * torch.rand(num_faces, 1, 1, generator=generator) - 1.5)
    middle = 2 * torch.rand(num_faces, 1, 3, generator=generator) - 1
    verts = middle + size * torch.randn(num_faces, 3, 3, generator=generator)
    verts[::5, 2] = verts[::5, 1] + 0.01 * torch.randn(len(verts[::5]), 3, generator=generator)
    verts_clip = seen_from(verts.reshape(-1, 3), near=0.4).float()
    faces = torch.arange(3 * num_faces, dtype=torch.int32).reshape(-1, 3)
    return Case(verts_clip, faces, None, *image_size)


def grazing_faces(size: int, reach: float, num_faces: int = 300, seed: int = 0) -> Case:
    """Faces with an edge past a pixel centre, at distances that float could not tell from zero."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    centre = (size * random(num_faces, 2)).floor() + 0.5
    angle = 2 * torch.pi * random(num_faces, 1)
    along = torch.cat([angle.cos(), angle.sin()], dim=1)
    across = torch.stack([-along[:, 1], along[:, 0]], dim=1)
    distance = 10 ** (-5 - 8 * random(num_faces, 1)) * (2 * random(num_faces, 1) - 1).sign()
    start = centre + distance * across - reach * random(num_faces, 1) * along
    end = start + 2 * reach * along
    xy = torch.stack([start, end, centre + reach * random(num_faces, 1) * across], dim=1)
    verts_clip = on_screen(xy.reshape(-1, 2), (size, size))[None]
    faces = torch.arange(3 * num_faces, dtype=torch.int32).reshape(-1, 3)
    # All in one plane, so that the first of the faces over a pixel shows: a layer for each.
    return Case(verts_clip, faces, None, size, size, "none", num_faces)


def packed(dtype: torch.dtype = torch.float32) -> Case:
    """Several meshes in one vertex array, a view for each; one shared by two views, one empty."""
    meshes = [bumpy_sphere(2), torus(), crumpled_sheet(9)]
    verts_clip = torch.cat([seen_from(mesh.verts)[0] for mesh in meshes]).to(dtype)
    first_vert, first_face, faces = 0, [0], []
    for mesh in meshes:
        faces.append(mesh.faces + first_vert)
        first_vert += len(mesh.verts)
        first_face.append(first_face[-1] + len(mesh.faces))
    ranges = [(first_face[k], first_face[k + 1]) for k in (0, 2, 1, 0)] + [(7, 7)]
    return Case(verts_clip, torch.cat(faces).int(), torch.tensor(ranges), 33, 41)
