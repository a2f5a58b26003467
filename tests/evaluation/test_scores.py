"""All scores of a mesh at once, and their spread."""

import pytest

from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.evaluation import score_mesh, spreads, volume_iou
from lightning_rast.scene import grid, icosphere

BALL = icosphere(2)


@pytest.fixture(scope="module")
def views():
    cameras = orbit_cameras(BALL, view_directions("fibonacci", 3), image_size=48)
    return synthetic_views(BALL, cameras)


def test_held_out_and_training_views_are_kept_apart(views):
    scores = score_mesh(icosphere(2, radius=0.9), views[[0, 1]], views[[2]])
    assert scores.train_iou_mean == pytest.approx(0.81, abs=0.03)
    assert scores.held_out_iou_mean == scores.held_out_iou_min == pytest.approx(0.81, abs=0.03)


def test_without_a_reference_nothing_is_said_of_the_surface(views):
    scores = score_mesh(BALL, views)
    assert scores.surface is None
    assert scores.volume_iou is None
    assert scores.held_out_iou_mean is None


def test_an_open_mesh_has_a_surface_but_no_volume(views):
    scores = score_mesh(grid(4, 4, center=(0.0, 0.0, 0.8)), views, reference=BALL)
    assert scores.volume_iou is None
    assert scores.surface is not None


def test_a_reference_that_is_not_finite_is_not_taken_for_an_open_one(views):
    broken = BALL.verts.clone()
    broken[0] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        score_mesh(BALL, views, reference=BALL.with_verts(broken))


def test_the_spread_is_over_the_scores_that_all_have(views):
    meshes = [icosphere(2, radius=radius) for radius in (0.7, 0.8, 0.9)]
    scores = [score_mesh(mesh, views, reference=BALL) for mesh in meshes]
    found = spreads(scores)
    volumes = [volume_iou(mesh, BALL) for mesh in meshes]
    assert found["volume_iou"].mean == pytest.approx(sum(volumes) / 3)
    assert found["volume_iou"].std == pytest.approx(
        (sum((v - sum(volumes) / 3) ** 2 for v in volumes) / 2) ** 0.5
    )
    assert "held_out_iou_mean" not in found
    assert {"chamfer_l1", "f_score", "normal_consistency", "train_iou_mean"} <= set(found)


def test_one_run_has_no_spread(views):
    assert spreads([score_mesh(BALL, views)])["train_iou_mean"].std == 0
