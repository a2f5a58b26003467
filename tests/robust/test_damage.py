"""The damage that is done is the one that its name says."""

import math

import pytest
import torch

from benchmarks import robustness_cases as damage
from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.losses import box_iou
from lightning_rast.scene import cube, icosphere

BALL = icosphere(3)


@pytest.fixture(scope="module")
def views():
    cameras = orbit_cameras(BALL, view_directions("fibonacci", 6), image_size=64)
    return synthetic_views(BALL, cameras)


def ious(damaged, views):
    return box_iou(damaged.coverage, views.coverage)


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        (damage.half_blank, 0.5),
        (damage.emptied, 0.0),
        (lambda views: damage.of_another_object(views, cube()), 0.5),
    ],
)
def test_one_mask_is_wrong_and_all_others_are_as_they_were(views, damaged, expected):
    found = ious(damaged(views), views)
    assert found[3] == pytest.approx(expected, abs=0.25)
    assert found[3] < 0.95
    assert found[[0, 1, 2, 4, 5]].min() == 1


def test_two_in_a_hundred_pixels_are_wrong(views):
    wrong = (damage.salt_and_pepper(views).coverage > 0.5) != (views.coverage > 0.5)
    assert wrong.double().mean() == pytest.approx(0.02, abs=0.004)


def test_blobs_change_every_mask_a_little(views):
    found = ious(damage.blobby(views), views)
    assert 0.9 < found.min() <= found.max() < 0.998


def test_binary_masks_have_no_grey(views):
    coverage = damage.binary(views).coverage
    assert ((coverage == 0) | (coverage == 1)).all()
    assert (ious(damage.binary(views), views) == 1).all()


def test_cameras_look_half_a_degree_past(views):
    before, after = views.cameras, damage.turned_cameras(views).cameras
    turn = after.world_to_view[:, :3, :3].double() @ before.world_to_view[:, :3, :3].double().mT
    cosine = (turn.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2
    torch.testing.assert_close(
        torch.rad2deg(cosine.clamp(max=1).acos()), torch.full((6,), 0.5).double(), rtol=1e-3, atol=0
    )
    torch.testing.assert_close(after.center_world, before.center_world)
    assert math.isclose(float(after.K[0, 0, 0]), float(before.K[0, 0, 0]))
