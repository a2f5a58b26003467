"""Simple shapes. Faces wind counter-clockwise seen from outside; vertices are float32."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import normalize

from lightning_rast.scene.mesh import Mesh

_ORIGIN = (0.0, 0.0, 0.0)


def icosphere(level: int = 3, *, radius: float = 1.0, center: Sequence[float] = _ORIGIN) -> Mesh:
    """A sphere of 20 * 4^level nearly equal triangles."""
    if level < 0:
        raise ValueError(f"level must not be negative, got {level}")
    p = (1 + 5**0.5) / 2
    # The corners of three golden rectangles, one in each coordinate plane.
    verts = [
        (-1, p, 0), (1, p, 0), (-1, -p, 0), (1, -p, 0),
        (0, -1, p), (0, 1, p), (0, -1, -p), (0, 1, -p),
        (p, 0, -1), (p, 0, 1), (-p, 0, -1), (-p, 0, 1),
    ]  # fmt: skip
    faces = [
        (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11),
        (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6), (7, 1, 8),
        (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9),
        (4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7), (9, 8, 1),
    ]  # fmt: skip
    mesh = Mesh(normalize(torch.tensor(verts, dtype=torch.float64), dim=1), torch.tensor(faces))
    for _ in range(level):
        mesh = mesh.subdivide()
        mesh = mesh.with_verts(normalize(mesh.verts, dim=1))
    return _placed(mesh.verts.numpy() * radius, mesh.faces.numpy(), center)


def cube(*, size: float = 1.0, center: Sequence[float] = _ORIGIN) -> Mesh:
    """An axis-aligned box of 8 vertices and 12 faces with edges of length `size`."""
    #     6-----7
    #    /|    /|      y
    #   2-----3 |      |
    #   | 4---|-5      o-- x       bit 0 of an index is x, bit 1 is y, and z falls with bit 2
    #   |/    |/      /
    #   0-----1      z
    verts = [(x, y, z) for z in (1, -1) for y in (-1, 1) for x in (-1, 1)]
    quads = [(0, 1, 3, 2), (5, 4, 6, 7), (1, 5, 7, 3), (4, 0, 2, 6), (2, 3, 7, 6), (4, 5, 1, 0)]
    return _placed(np.array(verts) * (size / 2), _halved(np.array(quads)), center)


def torus(
    num_major: int = 64,
    num_minor: int = 32,
    *,
    radius: float = 1.0,
    tube_radius: float = 0.4,
    center: Sequence[float] = _ORIGIN,
) -> Mesh:
    """A ring around the y axis, of 2 * num_major * num_minor faces."""
    _check_at_least(3, num_major=num_major, num_minor=num_minor)
    around = _angles(num_major)[:, None]
    across = _angles(num_minor)[None, :]
    distance = radius + tube_radius * np.cos(across)
    verts = np.stack(
        np.broadcast_arrays(
            distance * np.sin(around), tube_radius * np.sin(across), distance * np.cos(around)
        ),
        axis=-1,
    )
    index = np.arange(num_major * num_minor).reshape(num_major, num_minor)
    right, above = np.roll(index, -1, axis=0), np.roll(index, -1, axis=1)
    quads = np.stack((index, right, np.roll(right, -1, axis=1), above), axis=-1)
    return _placed(verts.reshape(-1, 3), _halved(quads.reshape(-1, 4)), center)


def cylinder(
    num_sides: int = 32,
    *,
    radius: float = 1.0,
    height: float = 2.0,
    center: Sequence[float] = _ORIGIN,
) -> Mesh:
    """A closed cylinder along the y axis, of 4 * num_sides faces."""
    _check_at_least(3, num_sides=num_sides)
    x, z = radius * np.sin(_angles(num_sides)), radius * np.cos(_angles(num_sides))
    bottom, top = (
        np.stack((x, np.full(num_sides, y), z), axis=1) for y in (-height / 2, height / 2)
    )
    poles = np.array([(0, -height / 2, 0), (0, height / 2, 0)])
    index = np.arange(num_sides)
    following = np.roll(index, -1)
    low, high = np.full(num_sides, 2 * num_sides), np.full(num_sides, 2 * num_sides + 1)
    sides = np.stack((index, following, following + num_sides, index + num_sides), axis=1)
    caps = [
        np.stack((low, following, index), axis=1),
        np.stack((high, index + num_sides, following + num_sides), axis=1),
    ]
    return _placed(
        np.concatenate((bottom, top, poles)), np.concatenate((_halved(sides), *caps)), center
    )


def grid(
    num_rows: int = 8,
    num_columns: int = 8,
    *,
    width: float = 1.0,
    height: float = 1.0,
    center: Sequence[float] = _ORIGIN,
) -> Mesh:
    """An open sheet in the xy plane that faces +z, of 2 * num_rows * num_columns triangles."""
    _check_at_least(1, num_rows=num_rows, num_columns=num_columns)
    x, y = np.meshgrid(
        np.linspace(-width / 2, width / 2, num_columns + 1),
        np.linspace(-height / 2, height / 2, num_rows + 1),
    )
    verts = np.stack((x, y, np.zeros_like(x)), axis=-1).reshape(-1, 3)
    index = np.arange(len(verts)).reshape(num_rows + 1, num_columns + 1)
    quads = np.stack((index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]), axis=-1)
    return _placed(verts, _halved(quads.reshape(-1, 4)), center)


def quad(*, size: float = 1.0, center: Sequence[float] = _ORIGIN) -> Mesh:
    """A square of two triangles in the xy plane that faces +z."""
    return grid(1, 1, width=size, height=size, center=center)


def _halved(quads: np.ndarray) -> np.ndarray:
    """Two triangles for each quadrangle (F, 4)."""
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def _angles(count: int) -> np.ndarray:
    return np.arange(count) * (2 * np.pi / count)


def _placed(verts: np.ndarray, faces: np.ndarray, center: Sequence[float]) -> Mesh:
    return Mesh(
        torch.from_numpy((verts + np.asarray(center, dtype=np.float64)).astype(np.float32)),
        torch.from_numpy(faces.astype(np.int32)),
    )


def _check_at_least(minimum: int, **counts: int) -> None:
    for name, count in counts.items():
        if count < minimum:
            raise ValueError(f"{name} must be at least {minimum}, got {count}")
