"""The reference that a fit has to beat."""

import pytest

from benchmarks.robustness_cases import half_blank
from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.evaluation import better_hull, volume_iou
from lightning_rast.scene import torus

RING = torus(48, 24)


def rendered(num_views, *, between=False):
    directions = view_directions("fibonacci", num_views, between=between)
    return synthetic_views(RING, orbit_cameras(RING, directions, image_size=96))


@pytest.fixture(scope="module")
def views():
    return rendered(12), rendered(4, between=True)


def test_of_good_masks_all_must_agree(views):
    hull, k = better_hull(*views, resolution=96)
    assert k == 1
    assert volume_iou(hull, RING) > 0.9


def test_one_wrong_mask_may_disagree(views):
    train, held_out = views
    hull, k = better_hull(half_blank(train), held_out, resolution=96)
    assert k == 2
    assert volume_iou(hull, RING) > 0.8


def test_without_held_out_views_the_training_views_choose(views):
    assert better_hull(views[0], None, resolution=48)[1] == 1
