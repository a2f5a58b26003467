"""The depth buffer of pictures: the nearest face everywhere, and no holes between faces."""

import numpy as np
import torch

from lightning_rast.ops import contour_coverage
from lightning_rast.render.nearest import nearest_faces
from lightning_rast.scene import Topology, grid, icosphere


def test_interpenetrating_faces_meet_where_they_are_equally_near():
    corners = np.array([[[-100.0, -100], [140, -100], [-100, 300]]] * 2)
    level = np.array([[0.5, 0.5, 0.5], [0.0, 1.0, 0.0]])  # the second rises with x
    hits = nearest_faces(corners, level, (8, 40))
    face_idx = hits.face_idx.reshape(8, 40)
    # 0.5 is reached half-way between x = -100 and x = 140.
    assert (face_idx[:, :20] == 0).all()
    assert (face_idx[:, 20:] == 1).all()


def test_barycentric_weights_give_the_pixel_back():
    corners = np.array([[[3.2, 1.1], [18.7, 6.0], [5.5, 19.4]]])
    for order in ([0, 1, 2], [0, 2, 1]):
        hits = nearest_faces(corners[:, order], np.ones((1, 3)), (20, 20))
        row, column = np.divmod(hits.pixel, 20)
        place = np.einsum("pk,pkd->pd", hits.bary, corners[:, order][hits.face_idx])
        np.testing.assert_allclose(place, np.stack((column, row), axis=1) + 0.5, atol=1e-4)


def test_pixels_are_hit_where_their_centre_is_covered():
    sphere = icosphere(3)
    corners = 60 + 50 * sphere.verts.numpy()[sphere.faces.numpy()]
    hits = nearest_faces(corners[..., :2], -corners[..., 2], (120, 120))
    clip = torch.nn.functional.pad(sphere.verts / 1.2, (0, 1), value=1.0)
    clip[:, 1] *= -1
    topology = Topology.from_faces(sphere.faces, sphere.num_verts)
    coverage = contour_coverage(clip[None], topology, (120, 120))[0].flatten().numpy()
    is_hit = np.zeros(120 * 120, dtype=bool)
    is_hit[hits.pixel] = True
    assert is_hit[coverage > 0.9].all()
    assert not is_hit[coverage < 0.1].any()


def test_many_faces_leave_no_holes_and_cover_the_picture_in_parts(monkeypatch):
    sheet = grid(60, 60, width=2.4, height=2.4).verts.numpy()
    corners = 100 + 85 * sheet[grid(60, 60).faces.numpy()]
    flat = corners[..., np.ptp(sheet, axis=0) > 0]
    whole = nearest_faces(flat, np.ones(flat.shape[:2]), (200, 200))
    assert len(whole.pixel) == 200 * 200
    monkeypatch.setattr("lightning_rast.render.nearest._CANDIDATES_AT_ONCE", 1000)
    parts = nearest_faces(flat, np.ones(flat.shape[:2]), (200, 200))
    np.testing.assert_array_equal(parts.pixel, whole.pixel)


def test_faces_without_area_and_off_the_picture_hit_nothing():
    corners = np.array(
        [
            [[1.0, 1], [5, 5], [9, 9]],
            [[4.0, 4], [4, 4], [4, 4]],
            [[-9.0, 1], [-5, 1], [-5, 5]],
        ]
    )
    assert len(nearest_faces(corners, np.ones((3, 3)), (10, 10)).pixel) == 0
