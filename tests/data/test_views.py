"""Views: pyramid, subsets and held-out split."""

import pytest
import torch

from lightning_rast.data.views import Views, ViewsError, split_held_out
from lightning_rast.scene import Camera


def make_views(num_views=4, image_size=(6, 10), known=None):
    eye = torch.nn.functional.normalize(torch.randn(num_views, 3, dtype=torch.float64), dim=1)
    cameras = Camera.look_at(3 * eye, fov_deg=40.0, image_size=image_size)
    names = tuple(f"view_{index}" for index in range(num_views))
    return Views(cameras, torch.rand(num_views, *image_size), names, known)


def test_a_subset_keeps_cameras_images_and_names_together():
    views = make_views()
    part = views[[2, 0]]
    assert part.names == ("view_2", "view_0")
    torch.testing.assert_close(part.coverage, views.coverage[[2, 0]])
    torch.testing.assert_close(part.cameras.world_to_view, views.cameras.world_to_view[[2, 0]])


def test_pyramid_levels_average_and_project_to_the_same_place():
    views = make_views(image_size=(12, 20))
    points = torch.rand(5, 3, dtype=torch.float64)
    for factor, level in zip((4, 2, 1), views.pyramid([4, 2, 1]), strict=True):
        assert level.image_size == (12 // factor, 20 // factor)
        torch.testing.assert_close(level.coverage.mean(), views.coverage.mean())
        pixels = views.cameras.project(points)
        torch.testing.assert_close(level.cameras.project(points), pixels / factor)


def test_the_full_level_is_the_views_themselves():
    views = make_views()
    assert views.pyramid([1])[0] is views


def test_a_coarse_pixel_is_known_when_all_of_it_is():
    known = torch.ones(1, 4, 8, dtype=torch.bool)
    known[:, :, 5:] = False
    coarse = make_views(1, (4, 8), known).downscaled(2)
    assert coarse.known is not None
    assert coarse.known[0].tolist() == [[True, True, False, False]] * 2


@pytest.mark.parametrize(
    ("every", "offset", "held_out"), [(5, 2, [2, 7, 12]), (2, 0, [0, 2, 4, 6, 8, 10, 12])]
)
def test_held_out_views_are_every_nth(every, offset, held_out):
    views = make_views(13)
    training, rest = split_held_out(views, every=every, offset=offset)
    assert rest is not None
    assert rest.names == tuple(f"view_{index}" for index in held_out)
    assert set(training.names) | set(rest.names) == set(views.names)
    assert not set(training.names) & set(rest.names)


def test_nothing_may_be_held_out():
    views = make_views(2)
    assert split_held_out(views, every=0, offset=0)[1] is None
    assert split_held_out(views, every=5, offset=2)[1] is None


def test_holding_out_everything_is_refused():
    with pytest.raises(ViewsError, match="all 1 views would be held out"):
        split_held_out(make_views(1), every=5, offset=0)


@pytest.mark.usefixtures("unchecked")
def test_parts_that_do_not_fit_are_refused():
    views = make_views()
    with pytest.raises(ViewsError, match=r"coverage must be \(4, 6, 10\)"):
        Views(views.cameras, views.coverage[:3], views.names)
    with pytest.raises(ViewsError, match="4 cameras but 3 names"):
        Views(views.cameras, views.coverage, views.names[:3])
    with pytest.raises(ViewsError, match="known must be"):
        Views(views.cameras, views.coverage, views.names, torch.ones(4, 2, 2, dtype=torch.bool))


@pytest.mark.parametrize("value", [float("nan"), 255.0, -1.0])
def test_coverage_that_is_none_is_refused_with_the_name_of_its_view(value):
    views = make_views()
    coverage = views.coverage.clone()
    coverage[2, 1, 1] = value
    with pytest.raises(ViewsError, match="coverage of view_2 must lie between 0"):
        Views(views.cameras, coverage, views.names)
