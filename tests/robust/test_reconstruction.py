"""What the fast preset must keep when views are wrong: 16 views of a kettle, 96 x 96."""

from functools import cache

import pytest

from benchmarks.robustness_cases import DAMAGES, ONE_WRONG, good_views, kettle
from lightning_rast.config_file import load_config
from lightning_rast.evaluate.retraining import trained
from lightning_rast.evaluation import volume_iou
from lightning_rast.optim import visual_hull
from lightning_rast.scene import Mesh, mesh_report

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

# The volume IoU that the damage may cost a fit, and the least that a hull must keep.
LIMITS = {
    **dict.fromkeys(ONE_WRONG, (0.03, 0.8)),
    "binary masks": (0.02, 0.85),
    "2 % of all pixels wrong (salt and pepper)": (0.05, 0.5),
    "four blobs at every mask's outline, 5 % of its size": (0.04, 0.6),
    "every camera turned by half a degree": (0.06, 0.7),
}


@cache
def fitted(name: str) -> tuple[Mesh, list[str]]:
    """The mesh and the names of the views that do not agree with it; "good" is undamaged."""
    views = good_views() if name == "good" else DAMAGES[name](good_views())
    config = load_config(None, ["name=robust", "preset=fast", "device=cpu"], complete=False)
    mesh, report = trained(config, views)
    return mesh, report["disagreeing_views"]


def score(name: str) -> float:
    return volume_iou(fitted(name)[0], kettle())


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_wrong_masks_cost_no_more_than_they_may(name):
    assert score(name) > score("good") - LIMITS[name][0]


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
    views = DAMAGES[name](good_views())
    hull = visual_hull(views.coverage, views.cameras, resolution=48)
    assert volume_iou(hull.mesh, kettle()) > LIMITS[name][1]
