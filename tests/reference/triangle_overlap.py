"""Pairs of faces that intersect, by trying all axes that could separate them, in whole numbers."""

import itertools

import numpy as np


def intersecting_faces(verts: np.ndarray, faces: np.ndarray) -> list[tuple[int, int]]:
    """verts: (V, 3) small integers, no two rows equal."""
    corners = [[verts[v].astype(object) for v in face] for face in faces]
    has_area = [bool(np.any(_normal(triangle) != 0)) for triangle in corners]
    return [
        (i, k)
        for i, k in itertools.combinations(range(len(faces)), 2)
        if has_area[i] and has_area[k] and _meet(faces[i], faces[k], corners[i], corners[k])
    ]


def _meet(s: np.ndarray, t: np.ndarray, s_corners: list, t_corners: list) -> bool:
    shared = sorted(set(s) & set(t))
    if len(shared) == 3:
        return True
    if not shared:
        return _convex_meet(s_corners, t_corners)
    own_s = [p for v, p in zip(s, s_corners, strict=True) if v not in shared]
    own_t = [p for v, p in zip(t, t_corners, strict=True) if v not in shared]
    if len(shared) == 2:
        a, b = (p for v, p in zip(s, s_corners, strict=True) if v in shared)
        normals = [np.cross(b - a, apex - a) for apex in (*own_s, *own_t)]
        is_flat = not np.any(np.cross(*normals) != 0)
        return is_flat and normals[0] @ normals[1] > 0
    return _convex_meet(own_s, t_corners) or _convex_meet(own_t, s_corners)


def _convex_meet(a: list, b: list) -> bool:
    """Points, segments or triangles; closed. No axis separates them strictly if they meet."""
    axes = [np.array(axis, dtype=object) for axis in np.eye(3, dtype=int)]
    normals = [_normal(shape) for shape in (a, b) if len(shape) == 3]
    sides = [[q - p for p, q in itertools.combinations(shape, 2)] for shape in (a, b)]
    axes += normals
    axes += [np.cross(d, e) for d in sides[0] for e in sides[1]]
    axes += [np.cross(n, d) for n in normals for d in sides[0] + sides[1]]
    for axis in axes:
        on_a, on_b = [axis @ p for p in a], [axis @ p for p in b]
        if max(on_a) < min(on_b) or max(on_b) < min(on_a):
            return False
    return True


def _normal(triangle: list) -> np.ndarray:
    return np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
