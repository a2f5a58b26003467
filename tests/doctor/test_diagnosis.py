"""The doctor names what is wrong, and nothing where nothing is."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.doctor_cases import Break, breaks, half_blank, mask_sets, noisy_cameras
from lightning_rast.data import Views, ViewsError, orbit_cameras, synthetic_views, view_directions
from lightning_rast.doctor.diagnosis import diagnose
from lightning_rast.scene import Camera, load_mesh
from tests.conftest import REPOSITORY

# Where the right remedy stands out, few others are looked at closely.
_FAST = (
    "camera-to-world as world-to-camera",
    "OpenGL axes",
    "OpenGL camera-to-world",
    "t is the camera's position",
    "half a pixel",
)


def _views() -> Views:
    mesh = load_mesh(REPOSITORY / "data" / "models" / "kettle.glb")
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 12), image_size=160)
    return synthetic_views(mesh, cameras.crop(0, -8, (160, 184)))


@pytest.fixture(scope="module")
def views() -> Views:
    return _views()


def is_named(broken: Break, views: Views) -> bool:
    found = diagnose(broken.spoil(views), pixel_centers="integer")
    if broken.pixel_centers:
        return found.pixel_centers == broken.pixel_centers and not found.fixes
    wanted = {broken.fixes, *broken.also}
    return not found.agree and (found.fixes in wanted or bool(wanted & set(found.equal)))


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(case, id=case.name, marks=() if case.name in _FAST else pytest.mark.slow)
        for case in breaks(_views())
    ],
)
def test_a_mistake_is_named(views: Views, broken: Break):
    assert is_named(broken, views)


def test_a_single_view_is_refused(views: Views):
    with pytest.raises(ViewsError, match="two or more views"):
        diagnose(views[[0]])


def test_good_views_agree(views: Views):
    found = diagnose(views)
    assert found.agree
    assert not found.odd
    assert not found.notes
    assert float(found.ious.min()) > 0.95


def test_cameras_that_mirror_the_world_agree_with_a_note(views: Views):
    cameras = views.cameras
    P = cameras.K @ cameras.world_to_view[:, :3] * torch.tensor([1.0, 1, -1, 1])
    cameras = Camera.from_projection_matrix(P, cameras.image_size, pixel_centers="half")
    found = diagnose(replace(views, cameras=cameras))
    assert found.agree
    [note] = found.notes
    assert "all 12 cameras mirror the world" in note


@pytest.mark.slow
def test_inexact_cameras_agree(views: Views):
    assert diagnose(noisy_cameras(views, pixels=1.5)).agree


@pytest.mark.slow
def test_half_blank_masks_are_named_while_the_rest_agrees(views: Views):
    found = diagnose(half_blank(views, [2, 7]))
    assert found.agree
    assert [view.index for view in found.odd] == [2, 7]
    assert all(view.reason.startswith("lacks") for view in found.odd)


def test_a_single_inverted_mask_is_named(views: Views):
    coverage = views.coverage.clone()
    coverage[4] = 1 - coverage[4]
    found = diagnose(replace(views, coverage=coverage))
    assert found.agree
    assert [(view.index, view.reason) for view in found.odd] == [
        (4, "is inverted (the object is black)")
    ]


@pytest.mark.slow
def test_two_exchanged_masks_are_named(views: Views):
    order = list(range(len(views)))
    order[3], order[8] = 8, 3
    found = diagnose(replace(views, coverage=views.coverage[order]))
    assert [(view.index, view.reason) for view in found.odd] == [
        (3, "and that of view_008 are exchanged"),
        (8, "and that of view_003 are exchanged"),
    ]


@pytest.mark.slow
def test_masks_of_another_object_have_no_named_cause(views: Views):
    other = torch.zeros_like(views.coverage)
    for index in range(len(views)):
        other[index, 10 + 9 * index : 30 + 9 * index, 150 - 12 * index : 176 - 12 * index] = 1
    found = diagnose(replace(views, coverage=other))
    assert not found.agree
    assert found.fixes == ()


@pytest.mark.slow
def test_neighbouring_views_are_noted(views: Views):
    mesh = load_mesh(REPOSITORY / "data" / "models" / "kettle.glb")
    directions = torch.tensor([[0.0, 0.3, 1.0], [0.1, 0.3, 1.0]], dtype=torch.float64)
    directions = directions / directions.norm(dim=1, keepdim=True)
    two = synthetic_views(mesh, orbit_cameras(mesh, directions, image_size=96))
    assert any("nearly the same line" in note for note in diagnose(two).notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["vgg_dino", "middlebury_dinoSparseRing", "tsinghua_wd2", "forbes_elephant"]
)
def test_real_masks_agree(shared_data: Path, name: str):
    [(_, views)] = mask_sets([shared_data / name])
    found = diagnose(views, pixel_centers="integer")
    assert found.agree
    assert not found.odd


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tsinghua_wd2", "forbes_elephant"])
def test_mistakes_in_real_data_are_named(shared_data: Path, name: str):
    [(_, views)] = mask_sets([shared_data / name])
    cases = [broken for broken in breaks(views) if broken.fixes]
    named = [broken.name for broken in cases if is_named(broken, views)]
    assert len(named) >= 0.9 * len(cases), sorted({case.name for case in cases} - set(named))
