"""The start sphere is found from cameras and masks, wherever the object is."""

from dataclasses import replace

import pytest
import torch

from lightning_rast.data.fitted_sphere import fitted_sphere
from lightning_rast.data.synthetic import orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.views import ViewsError
from lightning_rast.scene import Camera, icosphere

CENTER = (0.4, -0.2, 3.0)


def sphere(radius=0.5):
    return icosphere(3, radius=radius, center=CENTER)


@pytest.mark.parametrize("radius", [1e-2, 0.5, 300.0])
@pytest.mark.parametrize("layout", ["fibonacci", "ring"])
def test_a_sphere_is_found_again(radius, layout):
    mesh = sphere(radius)
    cameras = orbit_cameras(mesh, view_directions(layout, 8), image_size=128)
    center, found = fitted_sphere(synthetic_views(mesh, cameras))
    assert (center - torch.tensor(CENTER).double()).norm() < 0.02 * radius
    assert found == pytest.approx(radius, rel=0.1)


def test_an_object_out_of_frame_is_still_found():
    mesh = sphere()
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 12), image_size=128)
    cut = cameras.crop(0, 40, (128, 88))
    center, found = fitted_sphere(synthetic_views(mesh, cut))
    assert (center - torch.tensor(CENTER).double()).norm() < 0.3 * 0.5
    assert found == pytest.approx(0.5, rel=0.3)


def test_whole_views_outweigh_cut_ones():
    mesh = sphere()
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 12), image_size=128)
    some_cut = Camera.cat([cameras[:8], cameras[8:].crop(0, 60, (128, 128))])
    center, found = fitted_sphere(synthetic_views(mesh, some_cut))
    assert (center - torch.tensor(CENTER).double()).norm() < 0.05 * 0.5
    assert found == pytest.approx(0.5, rel=0.1)


def test_parallel_rays_are_handled():
    mesh = icosphere(3)
    eye = 5 * view_directions("fibonacci", 6)
    cameras = Camera.orthographic_look_at(eye, height=4.0, image_size=(64, 64))
    center, radius = fitted_sphere(synthetic_views(mesh, cameras))
    assert center.norm() < 0.02
    assert radius == pytest.approx(1, rel=0.05)


def test_one_view_alone_gives_a_sphere_that_it_sees():
    mesh = icosphere(3)
    cameras = Camera.look_at([[0.0, 0.0, 4.0]], fov_deg=40.0, image_size=(64, 64))
    views = synthetic_views(mesh, cameras)
    center, radius = fitted_sphere(views)
    start = icosphere(3, radius=radius, center=tuple(center.tolist()))
    seen = synthetic_views(start, cameras).coverage
    both, either = torch.minimum(seen, views.coverage), torch.maximum(seen, views.coverage)
    assert both.sum() / either.sum() > 0.9


def test_cameras_that_look_away_are_named():
    mesh = sphere()
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 6), image_size=32)
    views = synthetic_views(mesh, cameras)
    turned = Camera(
        torch.diag(torch.tensor([-1.0, 1, -1, 1])).double() @ cameras.world_to_view,
        cameras.K,
        cameras.image_size,
    )
    with pytest.raises(ViewsError, match="behind camera view_00"):
        fitted_sphere(type(views)(turned, views.coverage, views.names))


def test_an_empty_mask_among_others_says_nothing():
    mesh = sphere()
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 8), image_size=64)
    views = synthetic_views(mesh, cameras)
    coverage = views.coverage.clone()
    coverage[3] = 0
    center, radius = fitted_sphere(replace(views, coverage=coverage))
    assert (center - torch.tensor(CENTER).double()).norm() < 0.05
    assert radius == pytest.approx(0.5, rel=0.1)


def test_masks_that_are_all_empty_are_refused():
    mesh = sphere()
    views = synthetic_views(
        mesh, orbit_cameras(mesh, view_directions("fibonacci", 3), image_size=32)
    )
    with pytest.raises(ViewsError, match="all of them are empty"):
        fitted_sphere(replace(views, coverage=torch.zeros_like(views.coverage)))
