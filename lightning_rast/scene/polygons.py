"""Polygons into triangles."""

import mapbox_earcut
import numpy as np


def triangulate(verts: np.ndarray, corners: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Triangles (F, 3) of simple polygons, concave ones included, wound as the polygons are.

    `corners` lists the vertices (V, 3) of one polygon after the other, `counts` says how many
    each has (at least 3). Polygons need not be quite flat. Triangles come in the polygons' order.
    """
    starts = np.cumsum(counts) - counts
    triangles, source = [], []
    for size in np.unique(counts):
        polygons = np.flatnonzero(counts == size)
        rings = corners[starts[polygons, None] + np.arange(size)]
        split = _fans(rings)
        if size > 3:
            for index in np.flatnonzero(_is_concave(verts[rings])):
                split[index] = _ears(verts[rings[index]], rings[index])
        triangles.append(split.reshape(-1, 3))
        source.append(np.repeat(polygons, size - 2))
    if not triangles:
        return np.empty((0, 3), dtype=np.int64)
    return np.concatenate(triangles)[np.argsort(np.concatenate(source), kind="stable")]


def _fans(rings: np.ndarray) -> np.ndarray:
    """(P, n) polygons to (P, n - 2, 3) triangles around their first corner."""
    first = np.broadcast_to(rings[:, :1], (len(rings), rings.shape[1] - 2))
    return np.stack((first, rings[:, 1:-1], rings[:, 2:]), axis=2)


def _area_vectors(points: np.ndarray) -> np.ndarray:
    """Newell's normals of polygons (P, n, 3), twice their area long: the best plane's normal."""
    offset = points - points[:, :1]
    return np.cross(offset, np.roll(offset, -1, axis=1)).sum(axis=1)


def _is_concave(points: np.ndarray) -> np.ndarray:
    """Polygons (P, n, 3) that turn away from their own normal somewhere."""
    side = np.roll(points, -1, axis=1) - points
    turn = np.cross(np.roll(side, 1, axis=1), side)
    normal = _area_vectors(points)[:, None]
    # A corner on a straight side turns by rounding only.
    slack = 1e-9 * np.linalg.norm(turn, axis=2) * np.linalg.norm(normal, axis=2)
    return ((turn * normal).sum(axis=2) < -slack).any(axis=1)


def _ears(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """The n - 2 triangles of one concave polygon (n, 3) with vertices `ring` (n,)."""
    # Seen along the normal's longest axis the polygon keeps its shape best.
    normal = _area_vectors(points[None])[0]
    axis = int(np.abs(normal).argmax())
    flat = points[:, [(axis + 1) % 3, (axis + 2) % 3]].astype(np.float64)
    if normal[axis] < 0:
        flat = flat[:, ::-1]
    flat = np.ascontiguousarray(flat - flat[0])
    ends = np.array([len(flat)], dtype=np.uint32)
    ears = mapbox_earcut.triangulate_float64(flat, ends).astype(np.int64).reshape(-1, 3)
    a, b, c = flat[ears].transpose(1, 0, 2)
    u, v = b - a, c - a
    is_flipped = u[:, 0] * v[:, 1] < u[:, 1] * v[:, 0]
    ears[is_flipped] = ears[is_flipped, ::-1]
    ears = np.concatenate((ears, _stitches(ears, len(ring))))
    if len(ears) != len(ring) - 2:
        # Self-intersecting or without area: there is no right answer, but a surface is expected.
        return _fans(ring[None])[0]
    return ring[ears]


def _stitches(ears: np.ndarray, size: int) -> np.ndarray:
    """Triangles without area for the corners that earcut left out.

    It drops corners on straight sides; the neighbouring faces, which do use them, would come
    apart from this one along its whole side.
    """
    kept = np.unique(ears)
    if len(kept) < 3:
        return np.empty((0, 3), dtype=np.int64)
    stitches = [
        (start, (start + step) % size, (start + step + 1) % size)
        for start, end in zip(kept, np.roll(kept, -1), strict=True)
        for step in range(1, int((end - start) % size))
    ]
    return np.array(stitches, dtype=np.int64).reshape(-1, 3)
