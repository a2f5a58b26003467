"""Small random triangle soups, made to hit ties: the cases where a sweep goes wrong."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tests.ops.contour_views import on_screen

NUM_SOUPS = 2000


class Soup(NamedTuple):
    """`verts_clip (1, V, 4)` float64, `faces (F, 3)` int32."""

    verts_clip: Tensor
    faces: Tensor
    image_size: tuple[int, int]


def tied_soup(seed: int) -> Soup:
    """Any of: free, integer, half-integer, nearly integer, tiny or far-reaching coordinates."""
    generator = torch.Generator().manual_seed(seed)
    image_size = (_any(generator, 1, 8), _any(generator, 1, 8))
    num_faces = _any(generator, 1, 9)
    faces = _connected(generator, num_faces)
    num_verts = int(faces.max()) + 1
    extent = torch.tensor([image_size[1], image_size[0]], dtype=torch.float64)
    xy = torch.rand(num_verts, 2, generator=generator, dtype=torch.float64) * (extent + 3) - 1.5
    xy = _snapped(generator, xy, extent)
    if seed % 3 == 0:
        # Powers of two keep the projection of snapped coordinates exact.
        w = 2.0 ** torch.randint(-2, 3, (num_verts,), generator=generator)
        return Soup(on_screen(xy, image_size, w.double())[None], faces, image_size)
    return Soup(on_screen(xy, image_size)[None], faces, image_size)


def general_soup(seed: int, image_size: tuple[int, int] = (6, 7), num_faces: int = 5) -> Soup:
    """Coordinates and w without ties: the coverage is differentiable there."""
    generator = torch.Generator().manual_seed(seed)
    extent = torch.tensor([image_size[1], image_size[0]], dtype=torch.float64)
    faces = _connected(generator, num_faces)
    num_verts = int(faces.max()) + 1
    xy = torch.rand(num_verts, 2, generator=generator, dtype=torch.float64) * (extent + 2) - 1
    w = 0.5 + torch.rand(num_verts, generator=generator, dtype=torch.float64)
    return Soup(on_screen(xy, image_size, w)[None], faces, image_size)


def near_clipped_soup(seed: int, image_size: tuple[int, int] = (6, 7), num_faces: int = 4) -> Soup:
    """Faces of which about half cross the near plane, w of either sign among their corners."""
    generator = torch.Generator().manual_seed(seed)
    num_verts = 3 * num_faces
    xy = torch.randn(num_verts, 2, generator=generator, dtype=torch.float64)
    depth = 0.1 + 1.2 * torch.rand(num_verts, generator=generator, dtype=torch.float64)
    depth[::3] -= 0.8
    # A perspective frustum with its near plane at depth 0.1.
    z = 1.02 * depth - 0.202
    verts_clip = torch.cat([xy, z[:, None], depth[:, None]], dim=1)
    faces = torch.arange(num_verts, dtype=torch.int32).reshape(-1, 3)
    return Soup(verts_clip[None], faces, image_size)


def tied_near_soup(seed: int) -> Soup:
    """Clip coordinates in halves, depths of any sign, corners on the near plane at depth 0.5."""
    generator = torch.Generator().manual_seed(seed)
    num_faces = _any(generator, 1, 6)
    faces = _connected(generator, num_faces)
    num_verts = int(faces.max()) + 1
    xy = torch.randint(-8, 9, (num_verts, 2), generator=generator).double() / 2
    depth = torch.randint(-2, 4, (num_verts, 1), generator=generator).double() / 2
    image_size = (_any(generator, 1, 7), _any(generator, 1, 7))
    return Soup(torch.cat([xy, depth - 1, depth], dim=1)[None], faces, image_size)


def needle_soup(num_needles: int, image_size: tuple[int, int], seed: int = 0) -> Soup:
    """Long thin faces through the whole image in every direction: nearly all of them cross."""
    generator = torch.Generator().manual_seed(seed)
    extent = torch.tensor([image_size[1], image_size[0]], dtype=torch.float64)
    center = torch.rand(num_needles, 2, generator=generator, dtype=torch.float64) * extent
    angle = math.pi * torch.rand(num_needles, generator=generator, dtype=torch.float64).numpy()
    along = torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    across = torch.stack([-along[:, 1], along[:, 0]], dim=1)
    reach = 2.0 * float(extent.max())
    width = 1.5 * float(extent.max()) / num_needles
    corners = [center - reach * along, center + reach * along]
    corners.append(corners[1] + width * across)
    xy = torch.stack(corners, dim=1).reshape(-1, 2)
    faces = torch.arange(3 * num_needles, dtype=torch.int32).reshape(-1, 3)
    return Soup(on_screen(xy, image_size)[None], faces, image_size)


def _any(generator: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))


def _connected(generator: torch.Generator, num_faces: int) -> Tensor:
    """Separate faces, faces over few common vertices, or a strip; some repeated or turned."""
    kind = _any(generator, 0, 2)
    if kind == 0:
        faces = torch.arange(3 * num_faces).reshape(-1, 3)
    elif kind == 1:
        faces = torch.randint(0, num_faces + 2, (num_faces, 3), generator=generator)
    else:
        faces = torch.arange(num_faces)[:, None] + torch.arange(3)
    if _any(generator, 0, 3) == 0:
        again = faces[torch.randint(0, num_faces, (2,), generator=generator)]
        faces = torch.cat([faces, again[:1], again[1:].flip(1)])
    return faces.int()


def _snapped(generator: torch.Generator, xy: Tensor, extent: Tensor) -> Tensor:
    kind = _any(generator, 0, 6)
    if kind == 1:
        return xy.round()
    if kind == 2:
        return (2 * xy).round() / 2
    if kind == 3:
        mixed = torch.rand(len(xy), 2, generator=generator) < 0.5
        return torch.where(mixed, xy.round(), xy)
    if kind == 4:
        return xy.round() + 1e-6 * torch.randn(len(xy), 2, generator=generator).double()
    if kind == 5:
        return 0.4 * extent + xy / 10
    if kind == 6:
        return 8 * (xy - 0.5 * extent)
    return xy
