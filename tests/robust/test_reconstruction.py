"""What the fast preset must keep when views are wrong: 16 views of a kettle, 96 x 96."""

from functools import cache
from pathlib import Path

import pytest

from lightning_rast.config_file import load_config
from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.evaluate.retraining import trained
from lightning_rast.evaluation import volume_iou
from lightning_rast.optim import visual_hull
from lightning_rast.scene import Mesh, load_mesh, mesh_report, torus
from tests.robust import damage

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

KETTLE = load_mesh(Path(__file__).parents[2] / "data" / "models" / "kettle.glb")


@cache
def good_views() -> Views:
    cameras = orbit_cameras(KETTLE, view_directions("fibonacci", 16), image_size=96)
    return synthetic_views(KETTLE, cameras)


def ring_in_its_place() -> Mesh:
    low, high = KETTLE.bounds
    ring = torus(32, 16)
    return ring.with_verts(ring.verts * (high - low).max() / 3 + (low + high) / 2)


# Damage, the volume IoU that it may cost a fit, and the least that a hull must keep.
ONE_WRONG = {
    "half-blank": (damage.half_blank, 0.03, 0.8),
    "empty": (damage.emptied, 0.03, 0.8),
    "another object": (
        lambda views: damage.of_another_object(views, ring_in_its_place()),
        0.03,
        0.8,
    ),
}
ALL_WRONG = {
    "binary": (damage.binary, 0.02, 0.85),
    "salt and pepper": (damage.salt_and_pepper, 0.05, 0.5),
    "blobs": (damage.blobby, 0.04, 0.6),
    "cameras off by half a degree": (damage.turned_cameras, 0.06, 0.7),
}


DAMAGES = ONE_WRONG | ALL_WRONG


@cache
def fitted(name: str) -> tuple[Mesh, list[str]]:
    """The mesh and the names of the views that do not agree with it; "good" is undamaged."""
    views = good_views() if name == "good" else DAMAGES[name][0](good_views())
    config = load_config(None, ["name=robust", "preset=fast", "device=cpu"], complete=False)
    mesh, report = trained(config, views)
    return mesh, report["disagreeing_views"]


def score(name: str) -> float:
    return volume_iou(fitted(name)[0], KETTLE)


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_wrong_masks_cost_no_more_than_they_may(name):
    assert score(name) > score("good") - DAMAGES[name][1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_WRONG)
def test_the_wrong_mask_is_named_and_no_other(name):
    assert fitted(name)[1] == ["view_003"]


@pytest.mark.slow
def test_of_good_views_none_is_named():
    assert fitted("good")[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_the_mesh_is_a_closed_solid_whatever_the_masks(name):
    assert mesh_report(fitted(name)[0]).is_closed_solid


@pytest.mark.parametrize("name", DAMAGES)
def test_the_hull_that_a_fit_starts_from_survives(name):
    damaged, _, least = DAMAGES[name]
    views = damaged(good_views())
    hull = visual_hull(views.coverage, views.cameras, resolution=48)
    assert volume_iou(hull.mesh, KETTLE) > least
