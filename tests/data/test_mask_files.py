"""Masks are found where people put them, and their absence is explained."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.data import ViewsError, load_views
from lightning_rast.data.background import foreground
from lightning_rast.data.masks import native_view
from tests.data.camera_files import (
    NUM_VIEWS,
    scene_cameras,
    transforms,
    write_masks,
    write_matrices,
    write_neus,
    write_transforms,
)


@pytest.fixture(scope="module")
def masks(tmp_path_factory):
    """The masks as arrays."""
    folder = tmp_path_factory.mktemp("masks")
    write_masks(folder)
    return [np.asarray(Image.open(file)) for file in sorted(folder.iterdir())]


@pytest.fixture
def folder(tmp_path):
    write_transforms(tmp_path)
    return tmp_path


def write(folder, images, pattern="{:03d}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / pattern.format(index))


def photographs(masks, background=(20, 60, 90), color=(200, 80, 40)):
    rng = np.random.default_rng(0)
    found = []
    for mask in masks:
        alpha = mask[..., None] / 255
        image = alpha * np.array(color) + (1 - alpha) * np.array(background)
        found.append((image + rng.normal(0, 2, image.shape)).clip(0, 255).astype(np.uint8))
    return found


def with_alpha(masks):
    return [np.dstack([image, mask]) for image, mask in zip(photographs(masks), masks, strict=True)]


def refusal(folder, **options):
    with pytest.raises(ViewsError) as caught:
        load_views(folder, **options)
    return str(caught.value)


def assert_are(views, masks, *, atol=1e-6):
    expected = torch.from_numpy(np.stack(masks)).float() / 255
    torch.testing.assert_close(views.coverage, expected, atol=atol, rtol=0)


@pytest.mark.parametrize("name", ["masks", "mask", "silhouettes"])
def test_folders_of_the_usual_names_are_found(folder, masks, name):
    write(folder / name, masks)
    assert_are(load_views(folder), masks)


def test_files_beside_the_images_are_found(folder, masks):
    write(folder / "images", photographs(masks), "{:03d}.png")
    write(folder / "images", masks, "{:03d}_mask.png")
    views = load_views(folder)
    assert_are(views, masks)
    assert views.names == tuple(f"{index:03d}" for index in range(NUM_VIEWS))


def test_alpha_is_taken_where_there_are_no_masks(folder, masks):
    write(folder / "images", with_alpha(masks))
    assert_are(load_views(folder), masks)


def test_files_go_before_alpha_but_alpha_can_be_asked_for(folder, masks):
    write(folder / "images", with_alpha(masks))
    write(folder / "masks", [255 * (mask > 127).astype(np.uint8) for mask in masks])
    assert set(load_views(folder).coverage.unique().tolist()) == {0.0, 1.0}
    assert_are(load_views(folder, masks="alpha"), masks)


@pytest.mark.parametrize("option", ["fg", "fg/{stem}.png", "fg/{name}", "fg/{index:03d}.png"])
def test_a_folder_or_pattern_can_be_named(folder, masks, option):
    write(folder / "fg", masks)
    assert_are(load_views(folder, masks=option), masks)


def test_a_plain_background_makes_masks(folder, masks):
    write(folder / "images", photographs(masks))
    found = load_views(folder, masks="background").coverage > 0.5
    expected = torch.from_numpy(np.stack(masks)) > 127
    iou = (found & expected).sum() / (found | expected).sum()
    assert iou > 0.9  # a boundary pixel counts as soon as it differs


def test_inverted_masks_can_be_inverted(folder, masks):
    write(folder / "masks", [255 - mask for mask in masks])
    assert_are(load_views(folder, invert_masks=True), masks)


@pytest.mark.filterwarnings("ignore:.*is the mask inverted")
def test_masks_from_the_background_can_be_inverted_too(folder, masks):
    write(folder / "images", photographs(masks))
    plain = load_views(folder, masks="background")
    inverted = load_views(folder, masks="background", invert_masks=True)
    assert torch.equal(inverted.coverage, 1 - plain.coverage)
    assert torch.equal(native_view(inverted, 1).coverage[0], inverted.coverage[1])


def test_photographs_come_along(folder, masks):
    write(folder / "masks", masks)
    write(folder / "images", photographs(masks))
    found = load_views(folder).photographs
    assert [path.name for path in found if path] == [f"{i:03d}.png" for i in range(NUM_VIEWS)]
    assert all(path.parent.name == "images" for path in found if path)


def test_photographs_scaled_down_come_along_where_there_are_no_others(tmp_path, masks):
    write_neus(tmp_path)
    write(tmp_path / "mask", masks)
    write(tmp_path / "images_8", photographs(masks)[:3])
    write(tmp_path / "images_4", photographs(masks)[1:], "{:03d}.jpg")
    found = load_views(tmp_path).photographs
    assert [path and path.name for path in found] == [f"{i:03d}.jpg" for i in range(4)] + [None]
    write(tmp_path / "image", photographs(masks))
    assert all(path and path.parent.name == "image" for path in load_views(tmp_path).photographs)


@pytest.mark.parametrize("name", ["images_half", "images_quarter", "images_small", "images_16"])
def test_photographs_scaled_down_are_known_by_their_folder(tmp_path, masks, name):
    write_neus(tmp_path)
    write(tmp_path / "mask", masks)
    write(tmp_path / name, photographs(masks))
    assert all(path and path.parent.name == name for path in load_views(tmp_path).photographs)


@pytest.mark.parametrize("name", ["images_depth", "images_normals", "images_2_masks"])
def test_other_pictures_of_the_views_are_no_photographs(tmp_path, masks, name):
    write_neus(tmp_path)
    write(tmp_path / "mask", masks)
    write(tmp_path / name, photographs(masks))
    assert not any(load_views(tmp_path).photographs)


def test_images_without_masks_are_explained(folder, masks):
    write(folder / "images", photographs(masks))
    message = refusal(folder)
    for wanted in ("masks, mask, silhouettes", "_mask.png", "transparency", "background", "opaque"):
        assert wanted in message


def test_no_images_at_all_are_explained(folder):
    assert "there are no images that fit the cameras either" in refusal(folder)


def test_a_folder_that_does_not_exist_is_named(folder, masks):
    write(folder / "masks", masks)
    assert "data.masks: there is no folder" in refusal(folder, masks="maskes")


@pytest.mark.parametrize("pattern", ["{foo}.png", "{", "{0}", "{stem.x.y}"])
def test_a_pattern_of_something_else_is_refused(folder, pattern):
    assert "is no pattern of {stem}, {name} and {index}" in refusal(folder, masks=pattern)


@pytest.mark.parametrize("option", ["alpha", "background"])
def test_a_missing_image_is_named(folder, masks, option):
    write(folder / "images", with_alpha(masks)[:3])
    assert "there is no image images/003.png" in refusal(folder, masks=option)


def test_alpha_of_an_image_without_is_refused(folder, masks):
    write(folder / "images", photographs(masks))
    assert "has no alpha channel" in refusal(folder, masks="alpha")


def test_two_views_with_one_mask_are_refused(folder, masks):
    write(folder / "masks", masks)
    content = transforms(scene_cameras())
    content["frames"][2]["file_path"] = content["frames"][0]["file_path"]
    (folder / "transforms.json").write_text(json.dumps(content))
    assert "the same mask as" in refusal(folder)


@pytest.mark.parametrize("write_cameras", [write_neus, write_matrices])
def test_unnamed_images_are_taken_in_the_order_of_their_numbers(tmp_path, masks, write_cameras):
    write_cameras(tmp_path)
    for index, mask in enumerate(masks):
        write(tmp_path / "mask", [mask], f"view_{index + 8}.png")  # view_10 sorts before view_8
    views = load_views(tmp_path)
    assert_are(views, masks)
    assert views.names == ("view_8", "view_9", "view_10", "view_11", "view_12")


@pytest.mark.parametrize("write_cameras", [write_neus, write_matrices])
def test_another_number_of_unnamed_images_is_refused(tmp_path, masks, write_cameras):
    write_cameras(tmp_path)
    write(tmp_path / "mask", [*masks, masks[0]])
    assert "count mismatch: 5 cameras" in refusal(tmp_path)
    assert "but 6 images" in refusal(tmp_path)


def test_fewer_numbered_masks_than_cameras_are_not_guessed(tmp_path, masks):
    write_neus(tmp_path)
    write(tmp_path / "mask", masks[:3])
    assert "2 of 5 cameras" in refusal(tmp_path)


def test_small_specks_go_and_large_holes_stay():
    colors = torch.full((60, 60, 3), 0.9)
    colors[10:50, 10:50] = 0.2
    colors[25:35, 25:35] = 0.9  # one may look through here
    colors[15, 15] = 0.9  # a highlight
    colors[3, 3] = 0.2  # dust
    found = foreground(colors)
    expected = torch.zeros(60, 60)
    expected[10:50, 10:50] = 1
    expected[25:35, 25:35] = 0
    assert torch.equal(found, expected)


def test_a_background_that_is_not_plain_is_refused():
    colors = torch.rand(40, 40, 3)
    with pytest.raises(ViewsError, match="no plain colour"):
        foreground(colors)


def test_an_image_of_the_background_alone_is_an_empty_mask():
    with pytest.raises(
        ViewsError, match=r"empty mask: nothing differs from the background by 0\.1"
    ):
        foreground(torch.full((20, 20, 3), 0.5))
