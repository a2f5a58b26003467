"""Remedies are tried on the views as they are after those that are given."""

import pytest

from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.remedies import remedied
from lightning_rast.doctor.trials import Screen
from lightning_rast.scene import torus

GIVEN = ("invert_masks",)


@pytest.fixture(scope="module")
def views() -> Views:
    mesh = torus(24, 12)
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 6), image_size=48)
    return synthetic_views(mesh, cameras)


@pytest.mark.parametrize("fixes", [(), GIVEN, ("opengl_axes",), (*GIVEN, "opengl_axes")])
def test_a_trial_after_a_given_remedy_scores_as_on_views_that_had_it(views: Views, fixes):
    given, had = Screen(views, GIVEN), Screen(remedied(views, GIVEN))
    for screen in (given, had):
        assert screen.screened(()) is not None
    assert given.screened(fixes) == had.screened(fixes)


def test_a_given_remedy_that_is_undone_is_checked_with_the_masks_own_distances(views: Views):
    screen = Screen(views, GIVEN)
    screen.checked(())
    assert screen.checked(GIVEN).score > 0.9


def test_a_remedy_that_changes_nothing_is_not_tried_after_a_given_one(views: Views):
    assert Screen(views, GIVEN).screened(("swap_intrinsics",)) is None
