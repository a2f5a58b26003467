"""Views that are held out in turn, and silhouettes measured at the size of the files."""

import pytest

from lightning_rast.data import ViewsError, orbit_cameras, synthetic_views, view_directions
from lightning_rast.evaluation import folds, native_ious, silhouettes_of, view_ious
from lightning_rast.scene import icosphere


@pytest.fixture(scope="module")
def views():
    ball = icosphere(2)
    return synthetic_views(ball, orbit_cameras(ball, view_directions("ring", 7), image_size=32))


def test_the_mesh_that_views_were_rendered_from_matches_them_all(views):
    assert view_ious(silhouettes_of(icosphere(2)), views).tolist() == [1.0] * 7


def test_views_without_files_are_measured_as_they_are(views):
    smaller = silhouettes_of(icosphere(2, radius=0.8))
    found, resolution = native_ious(smaller, views)
    assert resolution == "32 x 32"
    assert found == view_ious(smaller, views).tolist()


def test_every_view_is_held_out_once(views):
    held_out = [fold[1].names for fold in folds(views, 3)]
    assert [len(names) for names in held_out] == [3, 2, 2]
    assert sorted(sum(held_out, ())) == sorted(views.names)


def test_no_fold_trains_on_what_it_holds_out(views):
    assert all(not set(train.names) & set(held.names) for train, held in folds(views, 3))


def test_more_folds_than_views_are_refused(views):
    with pytest.raises(ViewsError, match="7 views make 2 to 7 folds, not 8"):
        next(folds(views, 8))
