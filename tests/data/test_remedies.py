"""Each remedy undoes its mistake."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from benchmarks.doctor_cases import Break, breaks
from lightning_rast.config import Fix
from lightning_rast.data import Views, ViewsError, orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.remedies import INVERSE, REMEDIES, remedied
from lightning_rast.doctor.quick_hull import quick_hull
from lightning_rast.ops import mask_distance
from lightning_rast.scene import Camera, load_mesh
from tests.conftest import REPOSITORY

_MESH = REPOSITORY / "data" / "models" / "kettle.glb"


def _views() -> Views:
    """Off-centre and wider than high, so that nothing is symmetrical by chance."""
    mesh = load_mesh(_MESH)
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 12), image_size=96)
    wide = cameras.crop(0, -6, (96, 112))
    return synthetic_views(mesh, wide)


@pytest.fixture(scope="module")
def views() -> Views:
    return _views()


def _score(views: Views) -> float:
    return quick_hull(views, mask_distance(views.coverage, views.known)).score


_WITH_FIXES = [broken for broken in breaks(_views()) if broken.fixes]


@pytest.mark.parametrize("broken", _WITH_FIXES, ids=lambda broken: broken.name)
def test_a_remedy_brings_back_the_hull(views: Views, broken: Break):
    spoiled = broken.spoil(views)
    assert _score(spoiled) < _score(views) - 0.02
    assert _score(remedied(spoiled, broken.fixes)) > _score(views) - 0.01


def test_config_and_remedies_know_the_same_names():
    assert {*get_args(Fix), "invert_masks"} == set(REMEDIES)


@pytest.mark.parametrize("name", INVERSE)
def test_an_inverse_undoes_its_remedy(views: Views, name: str):
    again = remedied(views, [name, INVERSE[name]])
    for field in ("K", "world_to_view"):
        given = getattr(views.cameras, field)
        torch.testing.assert_close(getattr(again.cameras, field), given, rtol=0, atol=1e-6)
    torch.testing.assert_close(again.coverage, views.coverage)


@pytest.mark.parametrize(
    ("two", "one"),
    [
        (["rotate_90", "rotate_90"], "rotate_180"),
        (["flip_y", "rotate_90"], "transpose_images"),
        (["transpose_images", "flip_x"], "rotate_90"),
        (["rotate_90", "rotate_180"], "rotate_270"),
    ],
)
def test_two_turns_of_wide_images_are_what_they_come_to(views: Views, two: list[str], one: str):
    point = torch.tensor([[0.1, 0.2, -0.3]], dtype=torch.float64)
    both, single = (remedied(views, fixes).cameras.project(point) for fixes in (two, [one]))
    torch.testing.assert_close(both, single, rtol=0, atol=1e-6)


def test_an_unknown_name_is_refused_with_the_known_ones(views: Views):
    with pytest.raises(ViewsError, match=r"'flip'.*flip_y"):
        remedied(views, ["flip"])


def test_no_remedy_leaves_the_views_alone(views: Views):
    assert remedied(views, []) is views


def _named(views: Views, *names: str) -> Views:
    """Cameras that tell their place in the list by their focal length."""
    K = views.cameras.K[: len(names)].clone()
    K[:, 0, 0] = 100.0 + torch.arange(len(names))
    some = views[range(len(names))]
    return replace(some, names=names, cameras=replace(some.cameras, K=K))


def _camera_numbers(views: Views) -> list[int]:
    return (views.cameras.K[:, 0, 0] - 100).round().int().tolist()


@pytest.mark.parametrize(
    ("fix", "names", "cameras"),
    [
        ("order_as_numbers", ("v1", "v10", "v2"), [0, 2, 1]),
        ("order_as_text", ("v1", "v2", "v10"), [0, 2, 1]),
        ("order_as_text", ("v01", "v02", "v10"), [0, 2, 1]),
        ("reverse_order", ("a1", "a2", "a3"), [2, 1, 0]),
        ("next_camera", ("a1", "a2", "a3"), [1, 2, 0]),
        ("previous_camera", ("a1", "a2", "a3"), [2, 0, 1]),
    ],
)
def test_cameras_are_dealt_out_anew(
    views: Views, fix: str, names: tuple[str, ...], cameras: list[int]
):
    assert _camera_numbers(remedied(_named(views, *names), [fix])) == cameras


def test_renumbering_undoes_a_listing_that_was_sorted_as_text(views: Views):
    names = tuple(f"{index:03d}" for index in range(12))
    good = _named(views, *names)
    spoiled = remedied(good, ["order_as_text"])
    assert _camera_numbers(remedied(spoiled, ["renumber_from_text"])) == _camera_numbers(good)


def test_names_without_numbers_have_no_order(views: Views):
    with pytest.raises(ViewsError, match="no numbers"):
        remedied(_named(views, "front", "back", "left"), ["order_as_text"])


def test_padding_is_not_taken_for_the_image(views: Views):
    """Flipped within its own pixels, not within those of the largest image."""
    known = torch.zeros_like(views.coverage, dtype=torch.bool)
    known[:, :90, :100] = True
    padded = replace(views, known=known)
    point = torch.zeros(1, 3, dtype=torch.float64)
    before = padded.cameras.project(point)[:, 0]
    after = remedied(padded, ["flip_y"]).cameras.project(point)[:, 0]
    torch.testing.assert_close(after[:, 1], 90 - before[:, 1])


def test_parallel_cameras_are_not_turned(views: Views):
    camera = Camera.orthographic_look_at((0, 0, 3), height=2.0, image_size=(8, 8))
    flat = Views(camera, torch.ones(1, 8, 8), ("a1",))
    with pytest.raises(ViewsError, match="parallel"):
        remedied(flat, ["transpose_images"])
