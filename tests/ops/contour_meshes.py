"""Meshes, soups and views that the proofs of `contour_coverage` run on.

Made here from numpy alone, so that a mistake in `scene.primitives` or `Camera` cannot hide one in
the op. Vertices are float64, faces int32 and wound counter-clockwise seen from outside.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lightning_rast.scene import Topology


class Surface(NamedTuple):
    """`verts (V, 3)` float64 and `faces (F, 3)` int32."""

    verts: Tensor
    faces: Tensor

    @property
    def topology(self) -> Topology:
        return Topology.from_faces(self.faces, len(self.verts))


def surface(verts: npt.ArrayLike, faces: npt.ArrayLike) -> Surface:
    return Surface(
        torch.from_numpy(np.asarray(verts, dtype=np.float64).reshape(-1, 3)),
        torch.from_numpy(np.asarray(faces, dtype=np.int32).reshape(-1, 3)),
    )


def icosphere(level: int, radius: float = 1.0) -> Surface:
    phi = (1 + 5**0.5) / 2
    ring = np.array([[-1, phi, 0], [1, phi, 0], [-1, -phi, 0], [1, -phi, 0]])
    verts = np.concatenate([ring, np.roll(ring, 1, axis=1), np.roll(ring, 2, axis=1)])
    distance = np.linalg.norm(verts[:, None] - verts[None], axis=2) < 2.1
    triples = np.array([(a, b, c) for a in range(12) for b in range(a) for c in range(b)])
    a, b, c = triples.T
    faces = triples[distance[a, b] & distance[b, c] & distance[c, a]]
    corners = verts[faces]
    volume = np.linalg.det(corners)
    faces = np.where(volume[:, None] < 0, faces[:, ::-1], faces)
    for _ in range(level):
        verts, faces = _split(verts, faces)
    return surface(radius * verts / np.linalg.norm(verts, axis=1, keepdims=True), faces)


def _split(
    verts: npt.NDArray[np.float64], faces: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    unique, inverse = np.unique(sides, axis=0, return_inverse=True)
    ab, bc, ca = (len(verts) + inverse.reshape(-1, 3)).T
    a, b, c = faces.T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    middle = verts[unique].mean(axis=1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    verts = verts / np.linalg.norm(verts, axis=1, keepdims=True)
    return np.concatenate([verts, middle]), np.concatenate([np.stack(p, axis=1) for p in parts])


def torus(around: int = 48, across: int = 24, major: float = 0.7, minor: float = 0.3) -> Surface:
    u, v = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    theta, phi = 2 * np.pi * u / around, 2 * np.pi * v / across
    distance = major + minor * np.cos(phi)
    verts = np.stack(
        [distance * np.cos(theta), distance * np.sin(theta), minor * np.sin(phi)], axis=-1
    )
    a = u * across + v
    b = (u + 1) % around * across + v
    c = (u + 1) % around * across + (v + 1) % across
    d = u * across + (v + 1) % across
    return surface(verts, np.stack([a, b, c, a, c, d], axis=-1))


def bumpy_sphere(level: int = 4, height: float = 0.15) -> Surface:
    sphere = icosphere(level)
    x, y, z = sphere.verts.numpy().T
    # Not torch's sin(): its last bit may depend on the number of threads.
    bump = torch.from_numpy(np.sin(5 * x + 1) * np.sin(4 * y + 2) * np.sin(6 * z))
    return Surface(sphere.verts * (0.9 + height * bump)[:, None], sphere.faces)


def noisy_sphere(level: int = 5, noise: float = 0.06, seed: int = 0) -> Surface:
    """Each vertex is moved at random by more than an edge: thousands of tiny folds."""
    sphere = icosphere(level, radius=0.85)
    offset = np.random.default_rng(seed).normal(scale=noise, size=sphere.verts.shape)
    return Surface(sphere.verts + torch.from_numpy(offset), sphere.faces)


def sheet(cells: int = 24, bend: float = 0.3) -> Surface:
    """An open square sheet of `2 cells^2` faces over [-0.8, 0.8]^2, waved in z."""
    i, j = np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij")
    u, v = np.meshgrid(*[np.linspace(-0.8, 0.8, cells + 1)] * 2, indexing="ij")
    verts = np.stack([u, v, bend * np.sin(3 * u) * np.cos(4 * v + 1)], axis=-1)
    a = i * (cells + 1) + j
    b, c, d = a + cells + 1, a + cells + 2, a + 1
    return surface(verts, np.stack([a, b, c, a, c, d], axis=-1))


def crumpled_sheet(cells: int = 40, noise: float = 0.12, seed: int = 1) -> Surface:
    flat = sheet(cells)
    offset = np.random.default_rng(seed).normal(scale=noise, size=flat.verts.shape)
    return Surface(flat.verts + torch.from_numpy(offset), flat.faces)


def joined(*parts: Surface) -> Surface:
    starts = np.cumsum([0] + [len(part.verts) for part in parts[:-1]])
    faces = [part.faces + int(start) for part, start in zip(parts, starts, strict=True)]
    return Surface(torch.cat([part.verts for part in parts]), torch.cat(faces))


def nested_shells() -> Surface:
    """A sphere in a sphere, the inner one inside out: what a hollow object looks like."""
    inner = icosphere(3, radius=0.5)
    return joined(icosphere(3, radius=0.9), Surface(inner.verts, inner.faces.flip(1)))


SMOOTH: dict[str, Callable[[], Surface]] = {
    "torus": torus,
    "bumpy sphere": bumpy_sphere,
    "nested shells": nested_shells,
}
OPEN: dict[str, Callable[[], Surface]] = {"open sheet": sheet}
FOLDED: dict[str, Callable[[], Surface]] = {
    "noisy sphere": noisy_sphere,
    "crumpled sheet": crumpled_sheet,
}
ALL = SMOOTH | OPEN | FOLDED
