"""Polygons of any shape become triangles that cover them once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_rast.scene.polygons import triangulate

# 3       1    An arrowhead with its notch at corner 2: fanned around corner 0 or 2 it comes
#  \  2  /     out right, around 1 or 3 it does not.
#     0
ARROW = [(0, 0), (2, 3), (0, 1), (-2, 3)]
STAR = [
    (r * np.cos(a), r * np.sin(a))
    for r, a in zip([1, 0.3] * 5, np.arange(10) * np.pi / 5, strict=True)
]
LETTER_U = [(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]
SIDE_WITH_POINTS = [(0, 0), (1, 0), (2, 0), (3, 0), (3, 3), (2, 1), (1, 1), (0, 3)]


def area_of(outline: np.ndarray) -> float:
    x, y = outline.T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def triangulated(outline: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of one planar polygon, and their areas against the polygon's normal."""
    verts = outline @ frame[:2]
    count = len(verts)
    faces = triangulate(verts, np.arange(count), np.array([count]))
    a, b, c = verts[faces].transpose(1, 0, 2)
    return faces, 0.5 * np.cross(b - a, c - a) @ frame[2]


def frame(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.linalg.det(q)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("outline", [ARROW, STAR, LETTER_U, SIDE_WITH_POINTS])
def test_concave_polygons_are_covered_once(outline: list[tuple[float, float]], seed: int):
    corners = np.array(outline, dtype=np.float64)
    faces, areas = triangulated(corners, frame(seed))
    assert len(faces) == len(corners) - 2
    assert areas.min() > -1e-12
    assert areas.sum() == pytest.approx(area_of(corners))


@pytest.mark.parametrize("outline", [ARROW, STAR, LETTER_U, SIDE_WITH_POINTS])
def test_triangles_keep_every_side_of_the_polygon(outline: list[tuple[float, float]]):
    # Else faces beside it, which have these sides, would not be joined to it.
    corners = np.array(outline, dtype=np.float64)
    faces, _ = triangulated(corners, np.eye(3))
    directed = {(int(f[i]), int(f[(i + 1) % 3])) for f in faces for i in range(3)}
    outer = {edge for edge in directed if edge[::-1] not in directed}
    assert outer == {(i, (i + 1) % len(corners)) for i in range(len(corners))}


@given(st.lists(st.floats(0.2, 1.0), min_size=4, max_size=30), st.integers(0, 1000))
def test_star_shaped_polygons_are_covered_once(radii: list[float], seed: int):
    angle = np.arange(len(radii)) * 2 * np.pi / len(radii)
    corners = np.stack((np.cos(angle), np.sin(angle)), axis=1) * np.array(radii)[:, None]
    _, areas = triangulated(corners, frame(seed))
    assert areas.sum() == pytest.approx(area_of(corners))
    assert np.abs(areas).sum() == pytest.approx(area_of(corners))


def test_mixed_polygons_come_in_their_order():
    verts = np.array([*[(x, y, 0.0) for x, y in LETTER_U], (5.0, 5.0, 0.0)])
    corners = np.array([0, 1, 8, *range(8), 2, 1, 0, 7])
    faces = triangulate(verts, corners, np.array([3, 8, 4]))
    assert len(faces) == 1 + 6 + 2
    assert faces[0].tolist() == [0, 1, 8]
    assert set(faces[7:].reshape(-1).tolist()) == {0, 1, 2, 7}


@pytest.mark.parametrize(
    "outline",
    [[(0, 0)] * 5, [(0, 0), (1, 0), (2, 0), (3, 0)], [(0, 0), (1, 1), (1, 0), (0, 1)]],
)
def test_polygons_without_a_right_answer_give_some_triangles(outline: list[tuple[int, int]]):
    faces, _ = triangulated(np.array(outline, dtype=np.float64), np.eye(3))
    assert faces.shape == (len(outline) - 2, 3)


def test_no_polygons_give_no_triangles():
    empty = np.empty(0, dtype=np.int64)
    assert triangulate(np.empty((0, 3)), empty, empty).shape == (0, 3)
