"""Random meshes to remesh: noisy, badly cut, open, in several parts; each repeats with its seed."""

import itertools

import numpy as np
import torch

from lightning_rast.scene import Mesh, cube, cylinder, grid, icosphere, torus

KINDS = ("ball", "torus", "bumpy", "sheet", "holes", "parts", "solid", "needles")


def random_mesh(kind: str, seed: int) -> Mesh:
    """Float64, of a size between .01 and 100."""
    rng = np.random.default_rng(1000 * seed + KINDS.index(kind))
    mesh = globals()[f"_{kind}"](rng)
    scale = 10 ** rng.uniform(-2, 2)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn[0] *= np.sign(np.linalg.det(turn))
    verts = mesh.verts.double().numpy() @ turn * scale + rng.normal(size=3) * scale
    return Mesh(torch.from_numpy(verts), mesh.faces)


def _shaken(mesh: Mesh, rng: np.random.Generator, most: float) -> Mesh:
    """Each vertex moved by a part of the mean edge length."""
    verts = mesh.verts.double()
    a, b = verts[mesh.topology.edge_verts.long()].unbind(1)
    noise = rng.normal(size=verts.shape) * rng.uniform(0, most) * float((a - b).norm(dim=1).mean())
    return mesh.with_verts(verts + torch.from_numpy(noise))


def _ball(rng: np.random.Generator) -> Mesh:
    ball = _shaken(icosphere(int(rng.integers(1, 4))), rng, 0.12)
    return ball.with_verts(ball.verts * torch.from_numpy(rng.uniform(0.3, 1, 3)))


def _torus(rng: np.random.Generator) -> Mesh:
    major, minor = rng.integers(8, 60), rng.integers(6, 30)
    ring = torus(int(major), int(minor), tube_radius=rng.uniform(0.2, 0.6))
    return _shaken(ring, rng, 0.05)


def _bumpy(rng: np.random.Generator) -> Mesh:
    ball = icosphere(3)
    direction = torch.from_numpy(rng.normal(size=(3, 3)) * 3)
    wave = torch.sin(ball.verts.double() @ direction).sum(dim=1, keepdim=True)
    return ball.with_verts(ball.verts.double() * (1 + 0.12 * wave))


def _sheet(rng: np.random.Generator) -> Mesh:
    rows, columns = rng.integers(2, 25, 2)
    flat = _shaken(grid(int(rows), int(columns)), rng, 0.08)
    x, y, z = flat.verts.unbind(1)
    bend = rng.uniform(0, 3)
    return flat.with_verts(torch.stack((x, y, z + 0.2 * torch.sin(bend * x)), dim=1))


def _holes(rng: np.random.Generator) -> Mesh:
    """A sheet or a torus without some faces that have no corner in common."""
    whole = grid(12, 12) if rng.random() < 0.5 else torus(24, 12)
    faces = whole.faces.numpy()
    is_taken = np.zeros(whole.num_verts, dtype=bool)
    border = whole.topology.boundary_edges.numpy().reshape(-1)
    is_taken[border] = True
    kept = np.ones(len(faces), dtype=bool)
    for face in rng.permutation(len(faces))[:40]:
        if not is_taken[faces[face]].any():
            kept[face] = False
            around = np.isin(faces, faces[face]).any(axis=1)
            is_taken[faces[around].reshape(-1)] = True
    return _shaken(Mesh(whole.verts, whole.faces[torch.from_numpy(kept)]), rng, 0.05)


def _parts(rng: np.random.Generator) -> Mesh:
    shapes = [_ball(rng), _torus(rng), _sheet(rng)]
    at = np.cumsum([0] + [shape.num_verts for shape in shapes])
    return Mesh(
        torch.cat([shape.verts + 3 * i for i, shape in enumerate(shapes)]),
        torch.cat([shape.faces + int(n) for shape, n in zip(shapes, at, strict=False)]),
    )


def _solid(rng: np.random.Generator) -> Mesh:
    """The surface of a random smooth field by marching tetrahedra: full of slivers."""
    side = int(rng.integers(8, 16))
    axis = np.linspace(-1, 1, side)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    field = 1 - (x**2 + y**2 + z**2) * 1.6
    for _ in range(3):
        a, b, c = rng.uniform(-4, 4, 3)
        field = field + 0.3 * np.sin(a * x + b * y + c * z)
    field[[0, -1]] = field[:, [0, -1]] = field[:, :, [0, -1]] = -1.0
    return marching_tetrahedra(field)


def _needles(rng: np.random.Generator) -> Mesh:
    shape = cube() if rng.random() < 0.5 else cylinder(int(rng.integers(5, 40)))
    return shape.with_verts(shape.verts.double() * torch.from_numpy(rng.uniform(0.2, 3, 3)))


def marching_tetrahedra(field: np.ndarray) -> Mesh:
    """Where a field on a lattice is 0, wound so that it is positive inside; closed if the field is
    negative all around."""
    size = field.shape
    cells = np.array(list(itertools.product(*(range(n - 1) for n in size))))
    paths = [np.cumsum([[0, 0, 0], *np.eye(3, dtype=int)[list(p)]], axis=0)
             for p in itertools.permutations(range(3))]  # fmt: skip
    places = np.array(list(itertools.product(*(range(n) for n in size))), dtype=float)
    value = field.reshape(-1)
    verts: dict[tuple[int, int], int] = {}
    points, faces = [], []

    def crossing(p: int, q: int) -> int:
        key = (min(p, q), max(p, q))
        if key not in verts:
            verts[key] = len(points)
            p, q = key
            points.append(places[p] + (places[q] - places[p]) * value[p] / (value[p] - value[q]))
        return verts[key]

    for path in paths:
        corners = np.ravel_multi_index(np.moveaxis(cells[:, None] + path, 2, 0), size)
        mixed = (value[corners] > 0).any(axis=1) & (value[corners] <= 0).any(axis=1)
        for tetrahedron in corners[mixed]:
            inside = [p for p in tetrahedron if value[p] > 0]
            outside = [p for p in tetrahedron if value[p] <= 0]
            if len(inside) == 2:
                (a, b), (c, d) = inside, outside
                ring = [crossing(a, c), crossing(a, d), crossing(b, d), crossing(b, c)]
                triangles = [[ring[0], ring[1], ring[2]], [ring[0], ring[2], ring[3]]]
            else:
                (tip,), others = sorted((inside, outside), key=len)
                triangles = [[crossing(tip, p) for p in others]]
            outwards = places[outside].mean(axis=0) - places[inside].mean(axis=0)
            for t in triangles:
                p = np.array([points[v] for v in t])
                along = np.cross(p[1] - p[0], p[2] - p[0]) @ outwards
                faces.append(t if along > 0 else t[::-1])
    return Mesh(torch.tensor(np.array(points) / max(size)), torch.tensor(faces))
