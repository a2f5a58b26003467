"""Distances over what cameras see."""

import pytest
import torch

from lightning_rast.data import orbit_cameras
from lightning_rast.evaluation import compare_seen, times_seen
from lightning_rast.scene import Camera, Mesh, icosphere

BALL = icosphere(3)
POLES = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])


def camera_at(z: float) -> Camera:
    direction = torch.tensor([[0.0, 0.0, z]], dtype=torch.float64)
    return orbit_cameras(BALL, direction, image_size=64)


def above_and_below() -> Camera:
    return Camera.cat([camera_at(1.0), camera_at(-1.0)])


def test_a_camera_sees_the_side_that_is_turned_to_it():
    assert times_seen(POLES, POLES, BALL, camera_at(1.0)).tolist() == [1, 0]


def test_each_camera_that_sees_a_point_counts():
    cameras = Camera.cat([camera_at(1.0), above_and_below()])
    assert times_seen(POLES, POLES, BALL, cameras).tolist() == [2, 1]


def test_what_stands_in_front_hides():
    shield = BALL.verts * 0.5 + torch.tensor([0.0, 0.0, 1.7])
    both = Mesh(
        torch.cat([BALL.verts, shield]), torch.cat([BALL.faces, BALL.faces + len(BALL.verts)])
    )
    assert times_seen(POLES, POLES, both, above_and_below()).tolist() == [0, 1]


def test_less_than_half_of_a_ball_is_seen_at_once():
    seen = compare_seen(BALL, BALL, camera_at(1.0), least_views=1)
    assert 0.25 < seen.share < 0.5


def test_what_no_camera_sees_does_not_count():
    dented = BALL.with_verts(BALL.verts * torch.where(BALL.verts[:, 2:] < -0.3, 0.8, 1.0))
    seen = compare_seen(dented, BALL, camera_at(1.0), least_views=1)
    assert seen.chamfer_world < 1e-3


def test_what_a_camera_sees_counts():
    dented = BALL.with_verts(BALL.verts * torch.where(BALL.verts[:, 2:] > 0.7, 0.9, 1.0))
    seen = compare_seen(dented, BALL, camera_at(1.0), least_views=1)
    assert seen.chamfer_world > 0.02


def test_a_surface_that_too_few_views_see_is_refused():
    with pytest.raises(ValueError, match="seen by 2"):
        compare_seen(BALL, BALL, camera_at(1.0), least_views=2)
