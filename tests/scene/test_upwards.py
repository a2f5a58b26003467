"""Up is where the images say, if they say it together."""

import math

import pytest
import torch

from lightning_rast.scene import Camera
from lightning_rast.scene.upwards import turn_from_y, upwards

SIDES = [[2.0, 0.3, 0.1], [0.2, 0.5, -2.0], [-1.5, 1.6, 0.4], [0.3, -0.4, 2.2]]


def seen(eyes, up):
    camera = Camera.look_at(eyes, up=up, fov_deg=30.0, image_size=(8, 8))
    return camera.to_opengl()


def tilted(poses, degrees):
    """Each camera rolled, to one side and the other by turns."""
    angles = torch.tensor([math.radians(degrees) * (-1) ** i for i in range(len(poses))])
    roll = torch.eye(4, dtype=torch.float64).repeat(len(poses), 1, 1)
    roll[:, 0, 0] = roll[:, 1, 1] = angles.cos()
    roll[:, 1, 0], roll[:, 0, 1] = angles.sin(), -angles.sin()
    return poses @ roll


@pytest.mark.parametrize("up", [[0.0, 1, 0], [0.0, 0, -1], [0.6, 0.0, 0.8], [-0.48, -0.6, 0.64]])
def test_up_is_where_level_images_say(up):
    # From above as from below, of a few cameras as of many: the horizon tells.
    found = upwards(seen(SIDES, up))
    assert found == pytest.approx(up, abs=0.01)


def test_images_that_are_not_quite_level_tell_nearly():
    found = torch.tensor(upwards(tilted(seen(SIDES, [0.6, 0.0, 0.8]), 5)))
    assert found @ torch.tensor([0.6, 0.0, 0.8]) > math.cos(math.radians(8))


def test_an_axis_that_is_nearly_meant_is_meant():
    assert upwards(seen(SIDES, [0.05, 0.02, -1.0])) == [0.0, 0.0, -1.0]


def test_images_from_one_side_tell_by_their_own_upward_direction():
    found = upwards(seen([[0.0, 0.5, 2.0], [0.0, -0.5, 2.0]], [0.0, 1.0, 0.0]))
    assert found == [0.0, 1.0, 0.0]
    found = upwards(seen([[2.0, 0.0, 0.0]], [0.0, 0.6, 0.8]))
    assert found == pytest.approx([0.0, 0.6, 0.8], abs=1e-6)


def test_up_is_y_where_images_do_not_agree():
    around = [[2.0, 0, 0], [0, 0, 2.0], [-2.0, 0, 0], [0, 0, -2.0]]
    on_their_side = tilted(seen(around, [0.0, 1.0, 0.0]), 90)
    assert upwards(on_their_side) == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("up", [[0.0, 1, 0], [0.0, 0, -2], [0.0, -1, 0], [-0.48, -0.6, 0.64]])
def test_the_turn_from_y_is_a_rotation_that_takes_y_there(up):
    turn = turn_from_y(up)
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3, dtype=torch.float64))
    assert torch.linalg.det(turn).item() == pytest.approx(1)
    direction = torch.tensor(up, dtype=torch.float64)
    torch.testing.assert_close(turn[:, 1], direction / direction.norm())


def test_y_is_left_where_it_is_to_the_bit():
    points = torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(points @ turn_from_y([0.0, 1.0, 0.0]), points)
