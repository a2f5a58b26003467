"""Views that nobody would want, and what a training makes of them: a mesh, or a clear refusal."""

from dataclasses import replace

import pytest
import torch

from lightning_rast.config_file import load_config
from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.evaluate.retraining import trained
from lightning_rast.evaluation import volume_iou
from lightning_rast.runs import RunError
from lightning_rast.scene import Camera, Mesh, mesh_report, torus

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
RING = torus(32, 16)


def seen(num_views: int = 6, image_size: int = 48) -> Views:
    cameras = orbit_cameras(RING, view_directions("fibonacci", num_views), image_size=image_size)
    return synthetic_views(RING, cameras)


def joined(*parts: Views) -> Views:
    names = [name for part in parts for name in part.names]
    return Views(
        Camera.cat([part.cameras for part in parts]),
        torch.cat([part.coverage for part in parts]),
        tuple(f"{index}_{name}" for index, name in enumerate(names)),
    )


def from_within() -> Views:
    """A camera in the tube of the ring, whose mask is full."""
    camera = Camera.look_at([1.0, 0.0, 0.0], (1.0, 0.0, 1.0), fov_deg=40.0, image_size=(48, 48))
    camera = replace(camera, near=seen().cameras.near, far=seen().cameras.far)
    return Views(camera, torch.ones(1, 48, 48), ("within",))


def fitted(views: Views, *settings: str) -> Mesh:
    fixed = ["name=odd", "device=cpu", "threads=1", "preset=fast", "start.resolution=32"]
    return trained(load_config(None, [*fixed, *settings], complete=False), views)[0]


def of_size(views: Views, coverage: float) -> Views:
    return replace(views, coverage=torch.full_like(views.coverage, coverage))


@pytest.mark.slow
@pytest.mark.parametrize(
    "views",
    [
        pytest.param(joined(seen(), seen()), id="every view twice"),
        pytest.param(joined(seen(), from_within()), id="a camera within the object"),
        pytest.param(seen(8, image_size=12), id="12 pixels"),
    ],
)
def test_odd_views_still_make_the_object(views):
    mesh = fitted(views)
    assert volume_iou(mesh, RING) > 0.75
    assert mesh_report(mesh).is_closed_solid


@pytest.mark.slow
@pytest.mark.parametrize(
    "views",
    [
        pytest.param(seen(2), id="two views"),
        pytest.param(replace(seen(), coverage=seen().coverage[:1].repeat(6, 1, 1)), id="one mask"),
    ],
)
def test_views_that_say_little_make_a_closed_solid(views):
    mesh = fitted(views)
    assert torch.isfinite(mesh.verts).all()
    assert mesh_report(mesh).is_closed_solid


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        pytest.param(seen(1), "one view bounds nothing", id="one view"),
        pytest.param(joined(seen(1), seen(1)), "from one side", id="one view twice"),
        pytest.param(of_size(seen(), 0.0), "show an outline", id="empty"),
        pytest.param(of_size(seen(), 1.0), "look inverted", id="full"),
        pytest.param(seen(6, image_size=1), "show an outline", id="one pixel"),
    ],
)
def test_views_that_say_nothing_are_refused(views, expected):
    with pytest.raises(RunError, match=expected):
        fitted(views)


def test_empty_masks_are_refused_for_a_sphere_too():
    with pytest.raises(RunError, match="all of them are empty"):
        fitted(of_size(seen(), 0.0), "start.kind=sphere")


def test_a_camera_that_is_not_finite_is_named():
    matrices = seen().cameras.world_to_view.clone()
    matrices[2, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="world_to_view of camera 2"):
        replace(seen().cameras, world_to_view=matrices)
