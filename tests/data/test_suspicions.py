"""What is said of views before a fit."""

from dataclasses import replace

import pytest
import torch

from benchmarks.doctor_cases import inverted
from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.suspicions import no_hull, spread_deg, suspicions, warn_of_suspicions
from lightning_rast.ops import LightningRastWarning
from lightning_rast.scene import Camera, icosphere


def _views(directions: torch.Tensor) -> Views:
    mesh = icosphere(2)
    return synthetic_views(mesh, orbit_cameras(mesh, directions, image_size=48))


@pytest.fixture(scope="module")
def views() -> Views:
    return _views(view_directions("fibonacci", 8))


def test_good_views_raise_no_suspicion(views: Views):
    assert list(suspicions(views, (0.97, 0.96))) == []


def test_inverted_masks_are_suspected_in_one_sentence_with_the_key(views: Views):
    [text] = suspicions(inverted(views), (0.2,))
    assert "inverted" in text
    assert "data.invert_masks=true" in text


def test_a_poor_hull_recommends_the_doctor(views: Views):
    [text] = suspicions(views, (0.31, 0.42))
    assert "0.42" in text
    assert "doctor" in text


def test_two_neighbouring_views_are_suspected():
    near = torch.tensor([[0.0, 0.0, 1.0], [0.1, 0.0, 1.0]], dtype=torch.float64)
    near = near / near.norm(dim=1, keepdim=True)
    [text] = suspicions(_views(near))
    assert "within 6 degrees" in text


def test_views_from_opposite_sides_are_on_one_line():
    opposite = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], dtype=torch.float64)
    assert spread_deg(_views(opposite)) == pytest.approx(0, abs=1e-3)


def test_no_hull_of_inverted_masks_says_that_they_are(views: Views):
    assert "data.invert_masks=true" in no_hull(inverted(views), "nothing is left")


def test_a_single_view_is_not_sent_to_the_doctor(views: Views):
    text = no_hull(views[[0]], "one view bounds nothing in depth")
    assert text.startswith("one view")
    assert "doctor" not in text


def test_a_single_inverted_view_is_not_sent_to_the_doctor(views: Views):
    [text] = suspicions(inverted(views[[0]]))
    assert "doctor" not in text


def test_no_hull_names_views_and_the_doctor(views: Views):
    text = no_hull(views, "nothing is left", [2, 5])
    assert "view_002, view_005" in text
    assert "doctor" in text


def _of_mirrored_world(views: Views, chosen: list[int]) -> Views:
    """The chosen cameras through 3x4 matrices of a world whose z points the other way."""
    mirror = torch.ones(len(views), 4)
    mirror[chosen, 2] = -1
    cameras = views.cameras
    P = cameras.K @ cameras.world_to_view[:, :3] * mirror[:, None]
    cameras = Camera.from_projection_matrix(P, cameras.image_size, pixel_centers="half")
    return replace(views, cameras=cameras)


def test_cameras_that_mirror_the_world_get_one_warning_with_the_remedy(views: Views):
    with pytest.warns(LightningRastWarning) as caught:
        warn_of_suspicions(_of_mirrored_world(views, list(range(8))), (0.97, 0.96))
    [text] = [str(one.message) for one in caught]
    assert "all 8 cameras mirror the world" in text
    assert "export with --mirror" in text


def test_usual_matrices_do_not_mirror(views: Views):
    assert list(suspicions(_of_mirrored_world(views, []), (0.97, 0.96))) == []


def test_some_cameras_that_mirror_are_named_as_inconsistent(views: Views):
    [text] = suspicions(_of_mirrored_world(views, [2, 5]), (0.97, 0.96))
    assert "2 of 8 cameras mirror the world" in text
    assert "these: view_002, view_005;" in text
    assert "--mirror" not in text


def test_where_most_cameras_mirror_the_others_are_named(views: Views):
    [text] = suspicions(_of_mirrored_world(views, [0, 1, 2, 4, 5, 6, 7]), (0.97, 0.96))
    assert "7 of 8 cameras" in text
    assert "all but these: view_003;" in text
