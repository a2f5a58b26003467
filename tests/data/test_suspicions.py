"""What is said of views before a fit."""

import pytest
import torch

from benchmarks.doctor_cases import inverted
from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.suspicions import no_hull, spread_deg, suspicions
from lightning_rast.scene import icosphere


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
