"""Models the three sample meshes: `python data/models/make_models.py` rewrites the .glb files.

Each model is a signed distance field (negative inside, y up, front towards +z) built from a few
primitives.  Surface nets turn it into quads, the vertices are spread evenly on the surface, and
every quad is cut into two triangles.  Nothing is random: two runs write the same meshes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import trimesh

Array = np.ndarray
Field = Callable[[Array], Array]  # points (P, 3) -> signed distance (P,)


def rounded(corners: Sequence[Sequence[float]], *, closed: bool) -> Array:
    """Chaikin corner cutting of a polyline (M, D); an open one keeps its ends."""
    curve = np.asarray(corners, dtype=float)
    for _ in range(3):
        start, end = curve, np.roll(curve, -1, axis=0)
        if not closed:
            start, end = start[:-1], end[:-1]
        cut = np.stack([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end], axis=1)
        cut = cut.reshape(-1, curve.shape[1])
        curve = cut if closed else np.concatenate([curve[:1], cut[1:-1], curve[-1:]])
    return curve


# --- primitives: points (P, 3) -> signed distance (P,) ---


def ellipsoid(points: Array, center: Sequence[float], radii: Sequence[float]) -> Array:
    """First-order distance to an axis-aligned ellipsoid: exact at the surface."""
    scaled = (points - np.asarray(center)) / np.asarray(radii)
    level = np.linalg.norm(scaled, axis=1)
    slope = np.linalg.norm(scaled / np.asarray(radii), axis=1)
    return level * (level - 1.0) / np.maximum(slope, 1e-9)


def tube(points: Array, path: Array) -> Array:
    """Distance to a round tube along a polyline; rows of `path` are (x, y, z, radius)."""
    distance = np.full(len(points), np.inf)
    for start, end in pairwise(path):
        axis = end[:3] - start[:3]
        along = np.clip((points - start[:3]) @ axis / (axis @ axis), 0.0, 1.0)
        gap = np.linalg.norm(points - start[:3] - along[:, None] * axis, axis=1)
        distance = np.minimum(distance, gap - (start[3] + along * (end[3] - start[3])))
    return distance


def revolved(points: Array, half_profile: Sequence[Sequence[float]]) -> Array:
    """Distance to the solid of revolution about y whose outline is the rounded `half_profile`,
    (radius, y) corners from the bottom of the axis to its top.
    """
    mirrored = [(-radius, y) for radius, y in half_profile[-2:0:-1]]
    outline = rounded([*half_profile, *mirrored], closed=True)
    query = np.stack([np.hypot(points[:, 0], points[:, 2]), points[:, 1]], axis=1)
    squared = np.full(len(query), np.inf)
    inside = np.zeros(len(query), dtype=bool)
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if max(start[0], end[0]) < 0.0:  # never nearest: its mirror image is nearer
            continue
        side, offset = end - start, query - start
        along = np.clip(offset @ side / (side @ side), 0.0, 1.0)
        squared = np.minimum(squared, ((offset - along[:, None] * side) ** 2).sum(axis=1))
        crosses = (start[1] <= query[:, 1]) != (end[1] <= query[:, 1])
        right = (side[0] * offset[:, 1] - side[1] * offset[:, 0]) * np.sign(side[1]) > 0
        inside ^= crosses & right
    return np.where(inside, -1.0, 1.0) * np.sqrt(squared)


def smooth_union(first: Array, second: Array, radius: float) -> Array:
    """Union whose crease is filled with a fillet of about `radius`."""
    blend = np.maximum(radius - np.abs(first - second), 0.0) / radius
    return np.minimum(first, second) - blend**2 * radius / 4.0


def smooth_cut(first: Array, second: Array, radius: float) -> Array:
    """Intersection whose edge is rounded by about `radius`."""
    return -smooth_union(-first, -second, radius)


# --- the models ---


def avocado(points: Array) -> Array:
    """Half a fruit standing on its thick end: cut face and stone towards +z."""
    # The neck leans to one side, as it does on most fruits.
    lean = 0.25 * np.maximum(points[:, 1] - 0.35, 0.0) ** 2
    upright = points - lean[:, None] * np.array([1.0, 0.0, 0.0])
    half = [(0.0, -0.05), (0.15, -0.05), (0.35, 0.06), (0.41, 0.32), (0.27, 0.62), (0.205, 0.78)]
    half += [(0.18, 0.96), (0.08, 1.02), (0.0, 1.02)]
    fruit = revolved(upright, half)
    flesh = smooth_cut(fruit, points[:, 2] - 0.03, 0.05)
    # A shallow moat sets the stone off from the flesh.
    stone = ellipsoid(points, (0.0, 0.33, 0.03), (0.175, 0.19, 0.175))
    moat = np.hypot(stone - 0.03, points[:, 2] - 0.055) - 0.05
    fruit = smooth_union(smooth_cut(flesh, -moat, 0.03), stone, 0.04)
    stalk = tube(points, np.array([(0.09, 0.96, -0.06, 0.035), (0.13, 1.06, -0.08, 0.03)]))
    return smooth_union(fruit, stalk, 0.04)


def kettle(points: Array) -> Array:
    """Stovetop kettle: spout towards +x, handle with a real hole towards -x."""
    body = revolved(
        points, [(0.0, 0.0), (0.40, 0.0), (0.52, 0.05), (0.51, 0.38), (0.38, 0.70), (0.0, 0.76)]
    )
    lid = revolved(points, [(0.0, 0.66), (0.26, 0.66), (0.28, 0.74), (0.19, 0.81), (0.0, 0.83)])
    knob = revolved(points, [(0.0, 0.76), (0.06, 0.81), (0.13, 0.90), (0.12, 1.01), (0.0, 1.01)])
    pot = smooth_union(smooth_union(body, lid, 0.03), knob, 0.06)

    spout_path = [(0.30, 0.24, 0.0, 0.17), (0.54, 0.30, 0.0, 0.13), (0.62, 0.55, 0.0, 0.085)]
    spout_path += [(0.80, 0.78, 0.0, 0.065)]
    spout = tube(points, rounded(spout_path, closed=False))
    lip = (points - np.array([0.75, 0.71, 0.0])) @ np.array([0.5, 0.866, 0.0])
    pot = smooth_union(pot, smooth_cut(spout, lip, 0.04), 0.08)

    handle_path = [(-0.34, 0.56, 0.0, 0.07), (-0.60, 0.68, 0.0, 0.07), (-0.72, 0.54, 0.0, 0.07)]
    handle_path += [(-0.67, 0.29, 0.0, 0.065), (-0.42, 0.24, 0.0, 0.065)]
    # Flattened: the handle is wider across than it is thick.
    squeezed = points * np.array([1.0, 1.0, 0.75])
    handle = tube(squeezed, rounded(handle_path, closed=False))
    return smooth_union(pot, handle, 0.05)


def tree(points: Array) -> Array:
    """Broad-leaved tree: root flares, a leaning trunk, side branches, lobes of foliage."""
    trunk_path = [(0.0, -0.05, 0.0, 0.11), (0.0, 0.12, 0.0, 0.08), (0.03, 0.30, 0.01, 0.07)]
    trunk_path += [(0.0, 0.60, 0.0, 0.055)]
    wood = tube(points, rounded(trunk_path, closed=False))
    for angle, reach in ((0.3, 0.20), (1.5, 0.17), (2.7, 0.21), (3.9, 0.17), (5.1, 0.19)):
        across = np.array([np.cos(angle), np.sin(angle)])
        stops = ((0.02, 0.14, 0.05), (0.45 * reach, 0.03, 0.05), (reach, 0.0, 0.045))
        root = [(out * across[0], y, out * across[1], radius) for out, y, radius in stops]
        wood = smooth_union(wood, tube(points, rounded(root, closed=False)), 0.05)
    wood = smooth_cut(wood, -points[:, 1], 0.035)
    for branch in (
        [(0.0, 0.16, 0.0, 0.055), (-0.10, 0.30, 0.03, 0.05), (-0.32, 0.38, 0.08, 0.045)],
        [(0.02, 0.22, 0.0, 0.055), (0.14, 0.34, -0.05, 0.05), (0.34, 0.44, -0.13, 0.045)],
    ):
        wood = smooth_union(wood, tube(points, rounded(branch, closed=False)), 0.06)

    crown = np.full(len(points), np.inf)
    for *center, radius in (
        (0.00, 0.73, 0.00, 0.25),
        (0.03, 0.92, 0.01, 0.15),
        (-0.15, 0.85, -0.04, 0.15),
        (0.16, 0.83, 0.08, 0.15),
        (0.03, 0.83, -0.17, 0.13),
        (-0.27, 0.70, -0.04, 0.15),
        (-0.16, 0.69, 0.20, 0.16),
        (0.07, 0.67, 0.25, 0.15),
        (0.28, 0.71, 0.09, 0.15),
        (0.18, 0.72, -0.20, 0.14),
        (-0.08, 0.68, -0.25, 0.16),
        (-0.36, 0.43, 0.09, 0.15),  # on the left branch
        (-0.46, 0.39, 0.02, 0.11),
        (-0.37, 0.39, 0.19, 0.11),
        (0.37, 0.47, -0.14, 0.13),  # on the right branch
        (0.46, 0.44, -0.08, 0.10),
        (0.40, 0.44, -0.24, 0.10),
    ):
        lobe = ellipsoid(points, center, (radius, 0.85 * radius, radius))
        crown = smooth_union(crown, lobe, 0.05)
    return smooth_union(wood, crown, 0.04)


# --- from field to mesh ---


def surface_nets(field: Field, lower: Array, upper: Array, spacing: float) -> tuple[Array, Array]:
    """Quad mesh of `field == 0` inside a box: verts (V, 3) and outward quads (Q, 4).

    One vertex per grid cell that the surface crosses, at the mean of the crossings on the
    cell's edges; one quad per crossed grid edge, through the four cells around it.
    """
    counts = np.ceil((upper - lower) / spacing).astype(int) + 1
    index = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1)
    values = field((lower + index * spacing).reshape(-1, 3)).reshape(counts)

    cells = counts - 1
    position_sum = np.zeros((*cells, 3))
    crossings = np.zeros(cells)
    rings = []
    for axis in range(3):
        ahead, left, up = np.eye(3, dtype=int)[[axis, (axis + 1) % 3, (axis + 2) % 3]]
        start = values[tuple(slice(0, n) for n in counts - ahead)]
        end = values[tuple(slice(n, None) for n in ahead)]
        node = np.argwhere((start < 0) != (end < 0))
        before, after = start[tuple(node.T)], end[tuple(node.T)]
        crossing = node + (before / (before - after))[:, None] * ahead
        ring = np.stack([node - left - up, node - up, node, node - left], axis=1)
        for cell in ring.transpose(1, 0, 2):
            np.add.at(position_sum, tuple(cell.T), crossing)
            np.add.at(crossings, tuple(cell.T), 1.0)
        rings.append(np.where((before < 0)[:, None, None], ring, ring[:, ::-1]))

    used = crossings > 0
    vert_of_cell = np.cumsum(used.ravel()).reshape(cells) - 1
    verts = lower + spacing * position_sum[used] / crossings[used][:, None]
    quads = vert_of_cell[tuple(np.moveaxis(np.concatenate(rings), -1, 0))]
    return verts, quads


def project(field: Field, verts: Array, step: float) -> tuple[Array, Array]:
    """One Newton step onto the surface; returns verts (V, 3) and unit normals (V, 3)."""
    corners = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    around = np.stack([field(verts + step * corner) for corner in corners], axis=1)
    gradient = around @ corners / (4.0 * step)
    steepness = np.linalg.norm(gradient, axis=1, keepdims=True)
    normals = gradient / np.maximum(steepness, 1e-9)
    move = field(verts)[:, None] / np.maximum(steepness, 0.5)
    return verts - np.clip(move, -4.0 * step, 4.0 * step) * normals, normals


def spread(field: Field, verts: Array, quads: Array, spacing: float) -> Array:
    """Slide the verts along the surface towards the mean of their neighbours."""
    pairs = np.concatenate([quads[:, [i, (i + 1) % 4]] for i in range(4)])
    valence = np.bincount(pairs[:, 0], minlength=len(verts))[:, None]
    for _ in range(8):
        verts, normals = project(field, verts, 0.25 * spacing)
        mean = np.stack(
            [np.bincount(pairs[:, 0], verts[pairs[:, 1], i], len(verts)) for i in range(3)], axis=1
        )
        pull = mean / valence - verts
        verts = verts + 0.5 * (pull - (pull * normals).sum(axis=1, keepdims=True) * normals)
    for _ in range(2):
        verts, _ = project(field, verts, 0.25 * spacing)
    return verts


def cut_quads(verts: Array, quads: Array) -> Array:
    """Two triangles per quad (F, 3), along the diagonal that leaves the wider smallest angle."""
    options = [quads[:, [[0, 1, 2], [0, 2, 3]]], quads[:, [[1, 2, 3], [1, 3, 0]]]]
    sharpest = []
    for triangles in options:
        sides = verts[np.roll(triangles, -1, axis=-1)] - verts[triangles]
        sides = sides / np.linalg.norm(sides, axis=-1, keepdims=True)
        cosines = -(sides * np.roll(sides, 1, axis=2)).sum(axis=-1)
        sharpest.append(cosines.max(axis=(1, 2)))
    # The margin keeps rounding errors from deciding between the diagonals of a symmetric quad.
    first = sharpest[0] <= sharpest[1] + 1e-3
    return np.where(first[:, None, None], *options).reshape(-1, 3)


# name: (field, grid spacing).  Two sheets of surface in one cell would share a vertex, so a change
# to a field may need another spacing; the tests tell.
MODELS: dict[str, tuple[Field, float]] = {
    "avocado": (avocado, 0.0215),
    "kettle": (kettle, 0.0314),
    "tree": (tree, 0.0260),
}


def make_model(name: str) -> trimesh.Trimesh:
    """The named model, 1 unit tall, its bounding box centred on the origin."""
    field, spacing = MODELS[name]
    # No grid plane coincides with a symmetry plane or a flat face, where signs would be a toss-up.
    lower = np.array([-0.9, -0.1, -0.6]) - np.array([0.31, 0.37, 0.43]) * spacing
    verts, quads = surface_nets(field, lower, np.array([1.0, 1.1, 0.6]), spacing)
    verts = spread(field, verts, quads, spacing)
    faces = cut_quads(verts, quads)
    low, high = verts.min(axis=0), verts.max(axis=0)
    verts = (verts - (low + high) / 2.0) / (high[1] - low[1])
    return trimesh.Trimesh(verts, faces, process=False)


def main() -> None:
    folder = Path(__file__).parent
    for name in MODELS:
        mesh = make_model(name)
        mesh.export(folder / f"{name}.glb")
        print(f"{name}: {len(mesh.vertices)} vertices, {len(mesh.faces)} faces")


if __name__ == "__main__":
    main()
