"""Surfaces with hidden parts, for the proofs of `antialias`: vertices, faces, attributes."""

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_rast.scene import icosphere, torus


class Scene(NamedTuple):
    verts: Tensor
    faces: Tensor
    attrs: Tensor


def joined(*parts: tuple[Tensor, Tensor, Tensor]) -> Scene:
    """Parts of (vertices, faces, attributes) in one mesh."""
    verts, faces, attrs = zip(*parts, strict=True)
    starts = [sum(len(v) for v in verts[:i]) for i in range(len(parts))]
    moved = [part + start for part, start in zip(faces, starts, strict=True)]
    return Scene(torch.cat(verts), torch.cat(moved), torch.cat(attrs))


def ball(level: int, radius: float, centre: tuple[float, float, float], color: tuple[float, ...]):
    mesh = icosphere(level)
    verts = mesh.verts.double() * radius + torch.tensor(centre, dtype=torch.float64)
    return verts, mesh.faces, torch.tensor(color, dtype=torch.float64).expand(len(verts), -1)


def occluding(level: int) -> Scene:
    """A small ball before a large one."""
    return joined(
        ball(level, 0.4, (0.25, 0.1, 0.7), (1.0, 0.1)),
        ball(level, 0.7, (-0.15, 0, -0.4), (0.2, 1.0)),
    )


def crossing(level: int) -> Scene:
    """Two balls that intersect."""
    return joined(
        ball(level, 0.6, (0.3, 0.05, -0.1), (1.0, 0.1)),
        ball(level, 0.6, (-0.27, 0, 0.13), (0.2, 1.0)),
    )


def ring(level: int) -> Scene:
    """A torus seen obliquely, which hides part of itself; painted by depth and by place."""
    mesh = torus(2 ** (level + 3), 2 ** (level + 2), radius=0.6, tube_radius=0.28)
    verts = mesh.verts.double()
    turned = torch.stack(
        [verts[:, 0], 0.6 * verts[:, 1] - 0.8 * verts[:, 2], 0.8 * verts[:, 1] + 0.6 * verts[:, 2]],
        1,
    )
    painted = torch.stack([0.6 + 0.4 * turned[:, 2], 0.5 + 0.35 * turned[:, 0]], dim=1)
    return Scene(turned, mesh.faces, painted)


SCENES = {"occluding": occluding, "crossing": crossing, "ring": ring}
