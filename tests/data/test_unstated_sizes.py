"""Masks scaled or cropped, where the camera file states no image size."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.data import load_views
from lightning_rast.doctor.command import main as doctor
from tests.data.camera_files import (
    HEIGHT,
    WIDTH,
    WRITERS,
    matrices,
    names,
    scene_cameras,
    scene_mesh,
    write_masks,
)

UNSTATED = ("matrices", "neus", "middlebury")
HALF = (HEIGHT // 2, WIDTH // 2)
SETS = {"vgg_dino": "matrices", "middlebury_dinoSparseRing": "middlebury", "dtu_scan65": "neus"}


def said(folder: Path, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        views = load_views(folder, **options)
    return views, [str(warning.message) for warning in caught]


def write_photographs(folder: Path, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    folder.mkdir()
    for name in names():
        Image.new("RGB", (size[1], size[0]), (90, 120, 40)).save(folder / f"{name}.png")


def resize(mask: Path, size: tuple[int, int]) -> None:
    with Image.open(mask) as image:
        changed = image.resize((size[1], size[0]))
    changed.save(mask)


def cut_left(mask: Path) -> None:
    with Image.open(mask) as image:
        changed = image.crop((4, 0, WIDTH, HEIGHT))
    changed.save(mask)


def assert_pixels(cameras, expected):
    verts = scene_mesh().verts.double()
    torch.testing.assert_close(cameras.project(verts), expected.project(verts), atol=1e-6, rtol=0)


@pytest.fixture(params=UNSTATED)
def folder(request, tmp_path):
    write_masks(tmp_path / "masks")
    WRITERS[request.param](tmp_path)
    return tmp_path


def test_masks_of_one_size_are_not_spoken_of(folder):
    assert said(folder)[1] == []


def test_masks_of_the_photographs_size_are_not_spoken_of(folder):
    write_photographs(folder / "images")
    assert said(folder)[1] == []


def test_a_mask_of_half_size_is_named_with_both_sizes(folder):
    resize(folder / "masks" / "002.png", HALF)
    _, [text] = said(folder)
    assert "002.png (24 x 18)" in text
    assert "usual 48 x 36" in text
    assert "000.png" not in text


def test_a_cropped_mask_is_named_with_both_sizes(folder):
    cut_left(folder / "masks" / "003.png")
    _, [text] = said(folder)
    assert "003.png (44 x 36)" in text
    assert "pad it" in text


def test_a_mask_of_twice_the_size_is_named(folder):
    resize(folder / "masks" / "001.png", (2 * HEIGHT, 2 * WIDTH))
    _, [text] = said(folder)
    assert "001.png (96 x 72)" in text


def test_doctor_warns_of_the_mask_of_another_size(tmp_path):
    write_masks(tmp_path / "masks")
    WRITERS["middlebury"](tmp_path)
    resize(tmp_path / "masks" / "002.png", HALF)
    with pytest.warns(UserWarning, match=r"002.png \(24 x 18\)"):
        doctor([str(tmp_path), "--no-pictures"])


def test_half_sized_masks_beside_photographs_scale_the_cameras_with_one_warning(folder):
    write_masks(folder / "masks", cameras=scene_cameras().resized(HALF))
    write_photographs(folder / "images")
    views, [text] = said(folder)
    assert_pixels(views.cameras, scene_cameras().resized(HALF))
    assert "24 x 18 pixels where its photograph has 48 x 36" in text
    assert "scaled" in text


def test_one_half_sized_mask_scales_its_camera_alone(folder):
    write_photographs(folder / "images")
    resize(folder / "masks" / "002.png", HALF)
    views, [text] = said(folder)
    assert_pixels(views.cameras[[2]], scene_cameras()[[2]].resized(HALF))
    assert_pixels(views.cameras[[0, 1, 3, 4]], scene_cameras()[[0, 1, 3, 4]])
    assert "002.png has 24 x 18" in text
    assert "likewise" not in text


def test_a_mask_of_another_shape_than_its_photograph_is_said_to_be_cropped(folder):
    write_photographs(folder / "images")
    cut_left(folder / "masks" / "001.png")
    _, [text] = said(folder)
    assert "001.png has 44 x 36 pixels where its photograph has 48 x 36" in text
    assert "cropped" in text


def test_photographs_scaled_down_to_look_at_do_not_count(folder):
    write_photographs(folder / "images_2", HALF)
    views, texts = said(folder)
    assert texts == []
    assert_pixels(views.cameras, scene_cameras())


def test_photographs_smaller_than_the_masks_that_fit_the_cameras_do_not_count(folder):
    write_photographs(folder / "images", HALF)
    views, texts = said(folder)
    assert texts == []
    assert_pixels(views.cameras, scene_cameras())


def test_photographs_larger_than_the_masks_that_fit_the_cameras_do_not_count(folder):
    write_photographs(folder / "images", (2 * HEIGHT, 2 * WIDTH))
    views, texts = said(folder)
    assert texts == []
    assert_pixels(views.cameras, scene_cameras())


def test_cameras_of_different_sizes_with_their_own_centres_are_not_spoken_of(tmp_path):
    cameras = scene_cameras()
    write_masks(tmp_path / "masks")
    resize(tmp_path / "masks" / "004.png", HALF)
    P = matrices(cameras)
    P[4] = matrices(cameras.resized(HALF))[4]
    np.save(tmp_path / "P.npy", P)
    assert said(tmp_path)[1] == []


def test_a_photograph_that_is_no_image_says_nothing_about_sizes(folder):
    write_photographs(folder / "images")
    (folder / "images" / "000.png").write_bytes(b"no image")
    assert said(folder)[1] == []


def test_a_photograph_on_its_side_has_the_size_that_its_camera_noted(folder):
    write_photographs(folder / "images", (WIDTH, HEIGHT))
    for name in names():
        path = folder / "images" / f"{name}.png"
        with Image.open(path) as image:
            exif = image.getexif()
            exif[0x0112] = 6
            copy = image.copy()
        copy.save(path, exif=exif)
    assert said(folder)[1] == []


@pytest.mark.parametrize("name", SETS)
def test_real_sets_are_not_spoken_of(shared_data, name):
    assert said(shared_data / name, format=SETS[name], max_image_size=64)[1] == []
