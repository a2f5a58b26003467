"""Space that few views look at, around an object that some of them hold as a whole."""

import math

import pytest
import torch

from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.optim import visual_hull
from lightning_rast.scene import torus

RING = torus(48, 24)


def rendered(num_views):
    cameras = orbit_cameras(RING, view_directions("fibonacci", num_views), image_size=64)
    return synthetic_views(RING, cameras)


def test_nothing_is_left_of_what_only_two_opposite_views_see():
    # Far along the ring's axis, where the images of all other cameras have ended.
    views = rendered(12)
    hull = visual_hull(views.coverage, views.cameras)
    low, high = hull.mesh.bounds
    assert (low > RING.bounds[0] - 0.1).all()
    assert (high < RING.bounds[1] + 0.1).all()
    assert hull.mesh.topology.genus == 1


def test_images_that_cut_the_object_say_nothing_of_what_is_beyond_them():
    views = rendered(12)
    cut = torch.zeros_like(views.coverage, dtype=torch.bool)
    cut[:, :, 40:] = True  # every view lacks its right side
    hull = visual_hull(views.coverage.clone(), views.cameras, known=~cut)
    low, high = hull.mesh.bounds
    assert (low < RING.bounds[0] + 0.1).all()
    assert (high > RING.bounds[1] - 0.1).all()


@pytest.mark.parametrize(("degrees", "is_open"), [(30.0, True), (90.0, False)])
def test_a_hull_that_two_views_leave_open_is_cut_and_says_so(degrees: float, is_open: bool):
    angle = torch.tensor([0.0, math.radians(degrees)])
    directions = torch.stack((angle.sin(), torch.full((2,), 0.2), angle.cos()), dim=1)
    directions = directions / directions.norm(dim=1, keepdim=True)
    views = synthetic_views(RING, orbit_cameras(RING, directions, image_size=64))
    hull = visual_hull(views.coverage, views.cameras)
    assert hull.is_open is is_open
    low, high = hull.mesh.bounds
    assert float((high - low).max()) < 2.5 * float((RING.bounds[1] - RING.bounds[0]).max())
