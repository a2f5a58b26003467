"""A start that leads nowhere is refused with what to do, a doubtful one told of."""

import pytest
import torch

from lightning_rast.data import orbit_cameras, view_directions
from lightning_rast.optim.agreement import Targets
from lightning_rast.optim.start_checks import StartError, check_digits, check_start_place
from lightning_rast.render.silhouette import render_silhouettes
from lightning_rast.scene import Camera, icosphere

BALL = icosphere(2)
CAMERAS = orbit_cameras(BALL, view_directions("fibonacci", 4), image_size=48)
MASKS = Targets.of(render_silhouettes(BALL, CAMERAS), CAMERAS)


def told_of(start):
    return check_start_place(start, MASKS, center=torch.zeros(3), radius=1.0)


def moved(center) -> Camera:
    return Camera.look_at(
        CAMERAS.center_world + torch.tensor(center),
        target=center,
        fov_deg=40.0,
        image_size=(48, 48),
    )


def test_nothing_is_said_of_a_start_in_its_place():
    assert told_of(icosphere(1, radius=0.6)) is None


def test_a_start_that_no_mask_shows_is_refused_with_both_places():
    with pytest.raises(StartError, match=r"none of the 4 masks.*\(0, 9, 0\).*\(0, 0, 0\) with 1\."):
        told_of(icosphere(1, center=(0.0, 9.0, 0.0)))


@pytest.mark.parametrize("scale", [0.001, 0.1])
def test_a_start_in_another_unit_is_told_of(scale):
    assert "unit" in (told_of(icosphere(1, radius=scale)) or "")


@pytest.mark.parametrize(("distance", "is_told"), [(0.0, False), (1e3, False), (5e4, True)])
def test_digits_are_told_of_where_images_tell_more(distance, is_told):
    center = torch.tensor([0.0, distance, 0.0])
    text = check_digits(center, moved(center.tolist()))
    assert (text is not None) == is_told
    assert text is None or "subtract" in text


def test_an_object_without_digits_is_refused():
    center = torch.tensor([0.0, 1e6, 0.0])
    with pytest.raises(StartError, match="Move the world"):
        check_digits(center, moved(center.tolist()))
